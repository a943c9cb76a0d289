"""What a perturbation did: risk by record linkage, and means, spreads, marginals and correlations, before and after."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column
from tacit.anonymize.perturb.draws import random_order
from tacit.anonymize.perturb.linkage import Linkage, as_numbers, linked, on_a_scale
from tacit.noise.source import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnEffect:
    """One column before and after.

    distance -- of the marginals: for numbers and dates Kolmogorov's (largest gap of the distribution functions), for all else total
                variation (half the sum of the shares' differences); 0 to 1. A missing value is a value.
    changed  -- share of released rows whose value is another than in their original row.
    mean_before, mean_after, deviation_before, deviation_after -- of the numbers there are; None for what is not a number.
    """

    distance: float
    changed: float
    mean_before: float | None = None
    mean_after: float | None = None
    deviation_before: float | None = None
    deviation_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """Exact statistics of private rows: for the custodian, not for release.

    known            -- columns the attacker knows; targets -- persons looked for.
    linked_before    -- share of them linked to their own row of the original table; linked_after -- of the perturbed one.
    linked_error     -- half width of a 95% interval of both for all rows (Hoeffding 1963); 0 when every row was looked for.
    columns          -- each released column that was changed or, when rows were drawn, each column.
    correlated       -- names of the numeric columns that vary before and after.
    correlations_before, correlations_after -- Pearson's, in the order of `correlated`, over rows that have both values.
    """

    known: tuple[str, ...]
    targets: int
    linked_before: float
    linked_after: float
    linked_error: float
    columns: dict[str, ColumnEffect]
    correlated: tuple[str, ...]
    correlations_before: tuple[tuple[float, ...], ...]
    correlations_after: tuple[tuple[float, ...], ...]

    @property
    def correlation_change(self) -> float:
        """Largest change of a correlation; 0 when there are none."""
        pairs = zip(self.correlations_before, self.correlations_after, strict=True)
        return max((abs(one - two) for before, after in pairs for one, two in zip(before, after, strict=True)), default=0.0)

    def to_json(self) -> dict[str, Any]:
        use = "exact statistics of private rows: for the custodian, not for release"
        return {**asdict(self), "correlation_change": self.correlation_change, "use": use}


def measure_effect(
    before: pa.Table,
    after: pa.Table,
    changed: Sequence[str],
    *,
    rows: NDArray[np.int64],
    attacker: Linkage,
    source: Source,
) -> Effect:
    """Return the effect of a perturbation.

    changed -- the columns perturbed, all of them in both tables; rows -- shape (rows after,): the original row of each.
    source  -- draws the targets of the linkage.
    """
    known = tuple(attacker.known or changed)
    count = min(attacker.targets, before.num_rows)
    targets = np.sort(random_order(before.num_rows, source)[:count])
    everyone = np.arange(before.num_rows, dtype=np.int64)
    numeric = [name for name in after.column_names if _varies(before, name) and _varies(after, name)]
    return Effect(
        known=known,
        targets=count,
        linked_before=linked(before, before, known, rows=everyone, targets=targets),
        linked_after=linked(before, after, known, rows=rows, targets=targets),
        linked_error=0.0 if count == before.num_rows else math.sqrt(math.log(2 / 0.05) / (2 * count)),
        columns={name: _column_effect(get_column(before, name), get_column(after, name), rows) for name in changed},
        correlated=tuple(numeric),
        correlations_before=_correlations(before, numeric),
        correlations_after=_correlations(after, numeric),
    )


def _varies(table: pa.Table, name: str) -> bool:
    array = get_column(table, name)
    if not on_a_scale(array.type) or pa.types.is_temporal(array.type):
        return False
    values = as_numbers(array)
    known = values[~np.isnan(values)]
    return len(known) > 1 and float(known.min()) < float(known.max())


def _column_effect(before: pa.Array, after: pa.Array, rows: NDArray[np.int64]) -> ColumnEffect:
    if on_a_scale(before.type) and on_a_scale(after.type):
        first, second = as_numbers(before), as_numbers(after)
        same = (first[rows] == second) | (np.isnan(first[rows]) & np.isnan(second))
        moments = {} if pa.types.is_temporal(before.type) else _moments(first, second)
        return ColumnEffect(distance=_largest_gap(first, second), changed=1 - float(same.mean()), **moments)
    both = pa.concat_arrays([before.cast(pa.string()), after.cast(pa.string())]).dictionary_encode(null_encoding="encode")
    codes = both.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    first_codes, second_codes = codes[: len(before)], codes[len(before) :]
    size = int(codes.max()) + 1
    shares = [np.bincount(part, minlength=size) / len(part) for part in (first_codes, second_codes)]
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    return ColumnEffect(distance=distance, changed=float((first_codes[rows] != second_codes).mean()))


def _moments(first: NDArray[np.float64], second: NDArray[np.float64]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for when, values in (("before", first), ("after", second)):
        known = values[~np.isnan(values)]
        found[f"mean_{when}"] = float(known.mean()) if len(known) else None
        found[f"deviation_{when}"] = float(known.std()) if len(known) else None
    return found


def _largest_gap(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return Kolmogorov's distance, missing values above all others."""
    mine, theirs = np.sort(first), np.sort(second)  # NaN last
    at = np.unique(np.concatenate([mine, theirs]))
    at = at[~np.isnan(at)]
    if not len(at):
        return 0.0
    gaps = np.searchsorted(mine, at, side="right") / len(mine) - np.searchsorted(theirs, at, side="right") / len(theirs)
    return float(np.abs(gaps).max())


def _correlations(table: pa.Table, names: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    columns = [as_numbers(get_column(table, name)) for name in names]
    found = np.eye(len(columns))
    for at, one in enumerate(columns):
        for other, two in enumerate(columns[:at]):
            found[at, other] = found[other, at] = _correlation(one, two)
    return tuple(map(tuple, found.tolist()))


def _correlation(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """Return Pearson's correlation over rows that have both values; 0 where it is not defined."""
    both = ~np.isnan(one) & ~np.isnan(two)
    if not both.any():
        return 0.0
    left, right = one[both] - one[both].mean(), two[both] - two[both].mean()
    size = math.sqrt(float(left @ left) * float(right @ right))
    return min(1.0, max(-1.0, float(left @ right) / size)) if size > 0 else 0.0
