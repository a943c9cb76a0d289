"""Noise with a guarantee: bounded numbers released row by row through the Gaussian mechanism, charged first."""

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column, is_number
from tacit.anonymize.perturb.linkage import Linkage
from tacit.anonymize.perturb.perturbed import Perturbed, check_whole, finish
from tacit.errors import ConfigError, DataError
from tacit.noise.grid import GridVector, clip_target
from tacit.noise.source import Source
from tacit.privacy.block import Block
from tacit.privacy.events import GaussianEvent
from tacit.privacy.gaussian_steps import draws_for, gaussian_block
from tacit.privacy.ledger import Ledger
from tacit.privacy.mechanisms.gaussian import Gaussian
from tacit.tables.schema import Bounds


def add_private_noise(
    table: pa.Table,
    bounds: Mapping[str, Bounds],
    *,
    epsilon: float,
    delta: float,
    ledger: Ledger,
    budget: str,
    request_id: str,
    source: Source,
    attacker: Linkage | None = None,
) -> Perturbed:
    """Return these columns, and no others, with noise that makes their release (epsilon, delta)-differentially private.

    bounds     -- public lower and upper bound of each column, by name; values are clipped to them, a missing one counts as the
                  middle. They must not come from these rows.
    epsilon, delta -- of the whole release, for one row zeroed (its values replaced by the middle of the bounds); the number of rows
                  and their order are public. A person of several rows has as many times the cost.
    ledger, budget, request_id -- where it is charged, before a value is read; the request id is unique in the ledger.
    source     -- where the noise comes from; unless source.private the result has no guarantee.
    attacker   -- whose linkage is measured, for the custodian; by default one who knows all these columns.

    The noise is large: at epsilon 1 and delta 1e-5 about 3.7 half widths of the bounds per value of a single column. Sums over many
    rows are better released as sums. The other columns are left out: beside exact columns a noisy one hides nothing.

    Proof: scaled to [-1, 1], a row's d values have length <= sqrt(d), and zeroing the row moves no other row's values; then
    Balle & Wang 2018, arXiv:1805.06530, Theorem 8, on the grid of tacit.noise.grid. Scaling back is a post-processing.
    Raises BudgetExceeded with nothing charged or read, DataError for columns that are not numbers, ConfigError for wrong settings.
    """
    names = _checked(table, bounds, attacker)
    block = gaussian_block(epsilon=epsilon, delta=delta, steps=1, draws=draws_for(table.num_rows * len(names)))
    clip_norm = _clip_norm(len(names))
    reservation = ledger.reserve(
        block, dataset=budget, request_id=request_id, purpose=f"{len(names)} columns with noise, row by row"
    )
    try:
        reservation.count_step()
        scaled = np.column_stack([_scaled(table, name, bounds[name]) for name in names])
        released = mechanism_of(block).release(GridVector.from_sum(scaled.reshape(-1), clip_norm), source)
    finally:
        reservation.finish()
    noisy = released.values.reshape(scaled.shape)
    made = {name: pa.array(_unscaled(noisy[:, at], bounds[name])) for at, name in enumerate(names)}
    spread = mechanism_of(block).noise_multiplier * clip_norm
    with np.errstate(all="ignore"):  # numbers too large to be squared: an error or a warning would tell of one row
        return finish(
            table.select(list(names)),
            pa.table(made),
            names,
            method="additive normal noise, differentially private",
            parameters={
                "bounds": {name: bounds[name].to_json() for name in names},
                "noise_multiplier": mechanism_of(block).noise_multiplier,
                "noise": {name: spread * _half(bounds[name]) for name in names},
                "request_id": request_id,
            },
            source=source,
            attacker=attacker,
            guarantee=block.guarantee if source.private else None,
        )


def mechanism_of(block: Block) -> Gaussian:
    """Return the mechanism that a block of one Gaussian release paid for."""
    assert isinstance(block.event, GaussianEvent)
    return Gaussian(noise_multiplier=block.event.noise_multiplier)


def _checked(table: pa.Table, bounds: Mapping[str, Bounds], attacker: Linkage | None) -> tuple[str, ...]:
    """Return the columns' names; looks at types and at no value."""
    names = tuple(bounds)
    if not names or not all(isinstance(one, Bounds) for one in bounds.values()):
        raise ConfigError(
            "bounds must give tacit.tables.Bounds for at least one column: without declared bounds one row could move a value "
            "without limit, and no noise would hide it. Write for example {'age': Bounds(low=0, high=120)}."
        )
    check_whole(table)
    if table.num_rows == 0:
        raise DataError("the table has no rows, so nothing can be released. Check the file and its filters.")
    for name in names:
        kind = get_column(table.slice(0, 0), name).type
        if not is_number(kind):
            raise DataError(
                f"column {name!r} is of type {kind}, and noise is added to numbers. Turn it into numbers, or leave it out."
            )
    absent = [name for name in (attacker.known if attacker else ()) if name not in names]
    if absent:
        raise ConfigError(f"the attacker knows {absent}, which will not be released. Name columns that have bounds.")
    return names


def _clip_norm(columns: int) -> float:
    """Return the least clip norm whose clip target is at least sqrt(columns), exactly."""
    norm = math.sqrt(columns) / (1 - 2.0**-9) * (1 - 2.0**-50)
    while Fraction(clip_target(norm)) ** 2 < columns:
        norm = math.nextafter(norm, math.inf)
    return norm


def _half(bounds: Bounds) -> float:
    return (bounds.high - bounds.low) / 2


def _scaled(table: pa.Table, name: str, bounds: Bounds) -> NDArray[np.float64]:
    """Return a column as numbers in [-1, 1], shape (n,): 0 where it is missing or not a number."""
    values = pc.fill_null(get_column(table, name).cast(pa.float64(), safe=False), np.nan).to_numpy(zero_copy_only=False)
    clipped = np.clip(values, bounds.low, bounds.high)
    scaled = np.clip((clipped - bounds.low) / _half(bounds) - 1, -1.0, 1.0)
    return np.asarray(np.nan_to_num(scaled, nan=0.0))


def _unscaled(values: NDArray[np.float64], bounds: Bounds) -> NDArray[np.float64]:
    return bounds.low + (values + 1) * _half(bounds)
