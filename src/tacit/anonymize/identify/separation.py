"""How well columns, alone and in pairs and triples, tell rows apart: distinction and separation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column
from tacit.anonymize.risk.distinctness import distinction, separation
from tacit.errors import ConfigError, DataError

_Codes = tuple[NDArray[np.int64], int]
_COUNTED = 1 << 22
"""Largest number of possible tuples that are counted in a table of all of them, rather than by sorting."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Separation:
    """How well some columns together tell rows apart; exact statistics of private rows.

    columns     -- their names. classes -- different tuples of values, a missing value being a value of its own.
    unique      -- rows whose tuple no other row has.
    distinction -- classes / rows, 0..1. separation -- share of pairs of rows that differ, 0..1; 0 for a single row. Both as
    `tacit.anonymize.risk.distinctness` defines them.
    """

    columns: tuple[str, ...]
    classes: int
    unique: int
    distinction: float
    separation: float


def separation_table(
    data: pa.Table,
    columns: Sequence[str],
    *,
    up_to: int = 3,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Separation, ...]:
    """Return the separation of every combination of 1 to `up_to` columns, the best separating last of each size.

    columns     -- of the table, at least one, without repeats; the time grows with their number to the power of `up_to`.
    up_to       -- >= 1. on_progress -- called with (combinations done, combinations in all).
    Raises ConfigError for wrong settings, DataError for a column that is absent or a table without rows.
    """
    if isinstance(up_to, bool) or not isinstance(up_to, int) or up_to < 1:
        raise ConfigError(f"up_to must be a whole number >= 1, got {up_to!r}. It is how many columns are put together. Write 3.")
    if isinstance(columns, str) or not columns or len(set(columns)) != len(columns):
        raise ConfigError(
            f"columns must be a list of different names, got {columns!r}. Their combinations are compared. Name each column once."
        )
    if data.num_rows == 0:
        raise DataError("the table has no rows, so no two can be told apart. Give a table with rows.")
    coded = [_codes(get_column(data, name)) for name in columns]
    sizes = range(1, min(up_to, len(columns)) + 1)
    total = sum(comb(len(columns), size) for size in sizes)
    found: list[Separation] = []
    for size in sizes:
        rows: list[Separation] = []
        for chosen in combinations(range(len(columns)), size):
            rows.append(_separation(tuple(columns[place] for place in chosen), [coded[place] for place in chosen]))
            if on_progress:
                on_progress(len(found) + len(rows), total)
        found += sorted(rows, key=lambda row: row.separation)
    return tuple(found)


def _codes(column: Any) -> _Codes:
    """Return the values of a column as numbers 0..size-1, missing among them, and the size."""
    encoded = column.dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64), len(encoded.dictionary)


def _separation(names: tuple[str, ...], coded: list[_Codes]) -> Separation:
    codes, size = coded[0]
    for more, of in coded[1:]:
        if size > (1 << 62) // of:
            kept, codes = np.unique(codes, return_inverse=True)
            size = len(kept)
        codes, size = codes * of + more, size * of
    counts = np.bincount(codes, minlength=size) if size <= max(_COUNTED, len(codes)) else np.unique(codes, return_counts=True)[1]
    sizes = counts[counts > 0]
    return Separation(
        columns=names,
        classes=len(sizes),
        unique=int((sizes == 1).sum()),
        distinction=distinction(sizes),
        separation=separation(sizes),
    )
