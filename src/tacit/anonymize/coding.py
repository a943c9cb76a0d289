"""A table as small integers: each quasi-identifier coded once for all levels, rows reduced to distinct tuples.

The search then costs what the distinct tuples cost, not the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column
from tacit.anonymize.hierarchies import ANY, Hierarchy
from tacit.errors import ConfigError, DataError

_LARGEST_KEY = 2**62


@dataclass(frozen=True, kw_only=True)
class CodedColumn:
    """One quasi-identifier at every level of its hierarchy.

    rows       -- shape (n,): code of each row's raw value, 0 <= code < d distinct values; a missing value is one of them.
    codes      -- per level, shape (d,): code at this level of each raw code.
    labels     -- per level above 0, the text of each code (None for missing).
    shares     -- per level, shape (d,): share of the domain that each raw code's value covers at this level.
    leaf_share -- share of a raw value.
    """

    name: str
    rows: NDArray[np.int64]
    codes: tuple[NDArray[np.int64], ...]
    labels: tuple[tuple[str | None, ...], ...]
    shares: tuple[NDArray[np.float64], ...]
    leaf_share: float

    @property
    def levels(self) -> int:
        return len(self.codes)

    def cardinality(self, level: int) -> int:
        """Return the number of codes at a level."""
        return len(self.labels[level - 1]) if level else len(self.codes[0])


def code_table(data: pa.Table, hierarchies: Mapping[str, Hierarchy]) -> list[CodedColumn]:
    """Return each column coded at every level of its hierarchy, in the order of `hierarchies`.

    Raises DataError, naming the column and never a value, when a column is absent, doubled or outside its hierarchy.
    """
    coded = []
    for name, hierarchy in hierarchies.items():
        array = get_column(data, name).dictionary_encode(null_encoding="encode")
        try:
            coded.append(_code_column(name, array, hierarchy))
        except (ConfigError, DataError) as error:
            raise type(error)(f"column {name!r}: {error}") from None
    return coded


def _code_column(name: str, array: pa.DictionaryArray, hierarchy: Hierarchy) -> CodedColumn:
    values = array.dictionary
    present = np.asarray(values.is_valid())
    known = values.drop_null()
    hierarchy.check(known)
    count, leaf = len(values), hierarchy.leaf_share
    codes, shares = [np.arange(count, dtype=np.int64)], [np.full(count, leaf)]
    labels: list[tuple[str | None, ...]] = []
    for level in range(1, hierarchy.levels - 1):
        texts, text_shares = hierarchy.generalize(known, level)
        every: list[str | None] = [None] * count
        share = np.full(count, leaf)
        share[present] = text_shares
        for index, text in zip(np.flatnonzero(present), texts, strict=True):
            every[index] = text
        code_of: dict[str | None, int] = {}
        codes.append(np.array([code_of.setdefault(text, len(code_of)) for text in every], dtype=np.int64))
        shares.append(share)
        labels.append(tuple(code_of))
    codes.append(np.zeros(count, dtype=np.int64))
    shares.append(np.ones(count))
    rows = np.asarray(array.indices.to_numpy(zero_copy_only=False)).astype(np.int64)
    return CodedColumn(name=name, rows=rows, codes=tuple(codes), labels=(*labels, (ANY,)), shares=tuple(shares), leaf_share=leaf)


def combine_codes(columns: Sequence[NDArray[np.int64]], cardinalities: Sequence[int]) -> tuple[NDArray[np.int64], int]:
    """Return one mixed-radix key per row from one code per column, and a bound above every key.

    columns -- each shape (n,), 0 <= code < cardinality. Equal rows get equal keys and others do not. When the product of the
    cardinalities would pass 2**62, the keys so far are numbered again by rank, so that int64 never overflows.
    """
    keys, size = np.zeros(len(columns[0]), dtype=np.int64), 1
    for codes, cardinality in zip(columns, cardinalities, strict=True):
        if cardinality == 1:
            continue
        if size > _LARGEST_KEY // cardinality:
            seen, keys = np.unique(keys, return_inverse=True)
            size = len(seen)
        keys = keys * cardinality + codes
        size *= cardinality
    return keys, size


@dataclass(frozen=True, kw_only=True)
class Tuples:
    """The distinct rows of the coded quasi-identifiers.

    codes   -- per column, shape (t,): raw code of each distinct tuple.
    weights -- shape (t,): rows that hold it; they sum to n.
    """

    codes: tuple[NDArray[np.int64], ...]
    weights: NDArray[np.int64]


def distinct_tuples(coded: Sequence[CodedColumn]) -> Tuples:
    """Return the distinct tuples of the coded columns' rows with their number of rows."""
    keys, _ = combine_codes([column.rows for column in coded], [column.cardinality(0) for column in coded])
    _, first, weights = np.unique(keys, return_index=True, return_counts=True)
    return Tuples(codes=tuple(column.rows[first] for column in coded), weights=weights.astype(np.int64))
