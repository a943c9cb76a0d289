"""Rank swapping: values trade places with values of similar rank, so that every column keeps exactly its values."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column
from tacit.anonymize.perturb.columns import check_names, with_columns
from tacit.anonymize.perturb.draws import fractions, random_order
from tacit.anonymize.perturb.linkage import Linkage, as_numbers, on_a_scale
from tacit.anonymize.perturb.perturbed import Perturbed, check_attacker, check_whole, finish
from tacit.errors import ConfigError, DataError
from tacit.noise.source import Source

_TRIES = 16


def rank_swap(
    table: pa.Table, columns: Sequence[str], *, window: float, source: Source, attacker: Linkage | None = None
) -> Perturbed:
    """Return the table with each column's values swapped in pairs of near rank, each column by itself; missing stays in place.

    columns -- of numbers, dates or times: what has an order of its own.
    window  -- largest distance in rank of a pair, as a share of the values present; 0 < window <= 1. 0.05 is a start.
    attacker -- whose linkage is measured; by default one who knows the columns.

    From the lowest rank on, each value that has no partner yet gets one drawn alike from the free ones at most floor(window * n)
    ranks above; it stays where none is free. Equal values are ranked in random order. Marginals are kept exactly. Not differential
    privacy, and a small window is linked back by rank.
    Source: Moore 1996, Controlled data-swapping techniques for masking public use microdata sets.
    Raises DataError for columns without an order, ConfigError when the window holds no second value.
    """
    if isinstance(window, bool) or not isinstance(window, int | float) or not 0 < window <= 1:
        raise ConfigError(f"window must be > 0 and <= 1, got {window!r}: it is a share of the ranks. 0.05 is a start.")
    names = check_names(table, columns)
    check_whole(table)
    check_attacker(table, attacker, table.column_names)
    made = {name: _swapped(get_column(table, name), name, window, source) for name in names}
    return finish(
        table,
        with_columns(table, made),
        names,
        method="rank swapping",
        parameters={"columns": list(names), "window": float(window)},
        source=source,
        attacker=attacker,
    )


def _swapped(array: pa.Array, name: str, window: float, source: Source) -> pa.Array:
    if not on_a_scale(array.type):
        raise DataError(
            f"column {name!r} is of type {array.type}, which has no ranks. Use PRAM or shuffling, or turn it into numbers."
        )
    values = as_numbers(array)
    rows = np.flatnonzero(~np.isnan(values))
    if values[rows].min() == values[rows].max():
        raise DataError(f"column {name!r} has one value in all rows, so swapping changes nothing. Leave it out of the release.")
    reach = int(window * len(rows))
    if reach < 1:
        raise ConfigError(
            f"a window of {window} reaches no other of the {len(rows)} values of column {name!r}, so nothing would be swapped. "
            f"Take at least {1 / len(rows):.3g}."
        )
    mixed = rows[random_order(len(rows), source)]
    ranked = mixed[np.argsort(values[mixed], kind="stable")]
    partner = partners(len(rows), reach, source)
    taken_from = np.arange(len(array), dtype=np.int64)
    taken_from[ranked] = ranked[partner]
    return array.take(pa.array(taken_from))


def partners(count: int, reach: int, source: Source) -> NDArray[np.int64]:
    """Return a pairing of ranks 0..count - 1, shape (count,): partner[partner[i]] == i and |partner[i] - i| <= reach.

    A rank is its own partner only when every rank in reach above it was taken.
    """
    partner = np.full(count, -1, dtype=np.int64)
    free = bytearray(b"\1") * count
    chances = _endless(count, source)
    for rank in range(count):
        if free[rank]:
            found = _pick(rank, min(reach, count - 1 - rank), free, chances)
            free[rank] = free[found] = 0
            partner[rank], partner[found] = found, rank
    return partner


def _pick(rank: int, reach: int, free: bytearray, chances: Iterator[float]) -> int:
    """Return one of the free ranks in rank + 1..rank + reach, each alike, or rank itself when none is free."""
    if reach:
        for _ in range(_TRIES):  # most are free: drawing again until one is keeps the chances alike
            found = rank + 1 + int(next(chances) * reach)
            if free[found]:
                return found
    left = [other for other in range(rank + 1, rank + 1 + reach) if free[other]]
    return left[int(next(chances) * len(left))] if left else rank


def _endless(count: int, source: Source) -> Iterator[float]:
    while True:
        yield from fractions(max(1024, count), source).tolist()
