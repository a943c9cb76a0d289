"""A table as small integers: each quasi-identifier coded once for all levels, rows reduced to weighted distinct tuples.

The search then costs what the distinct tuples cost, not the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import as_text, get_column
from tacit.anonymize.hierarchies import ANY, Hierarchy
from tacit.errors import ConfigError, DataError

_LARGEST_KEY = 2**62


@dataclass(frozen=True, kw_only=True)
class CodedColumn:
    """One quasi-identifier at every level of its hierarchy.

    rows       -- shape (n,): code of each row's raw value, 0 <= code < d distinct values; a missing value is one of them.
    values     -- d raw values, in the order of their codes.
    codes      -- per level, shape (d,): code at this level of each raw code.
    labels     -- per level above 0, the text of each code (None for missing).
    shares     -- per level, shape (d,): share of the domain that each raw code's value covers at this level.
    leaf_share -- share of a raw value.
    leaves     -- size of the domain: rows of the hierarchy, or distinct values where it has none.
    hierarchy  -- what it was coded with.
    """

    name: str
    rows: NDArray[np.int64]
    values: pa.Array = field(repr=False)
    codes: tuple[NDArray[np.int64], ...]
    labels: tuple[tuple[str | None, ...], ...]
    shares: tuple[NDArray[np.float64], ...]
    leaf_share: float
    leaves: int
    hierarchy: Hierarchy = field(repr=False)

    @property
    def levels(self) -> int:
        return len(self.codes)

    def cardinality(self, level: int) -> int:
        """Return the number of codes at a level."""
        return len(self.labels[level - 1]) if level else len(self.codes[0])


@dataclass(frozen=True, kw_only=True)
class SensitiveColumn:
    """One sensitive column. rows -- shape (n,): code of each row's value; labels -- the text of each code, None for missing."""

    name: str
    rows: NDArray[np.int64]
    labels: tuple[str | None, ...]


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


def code_sensitive(data: pa.Table, names: Sequence[str]) -> list[SensitiveColumn]:
    """Return the sensitive columns coded; a missing value is a value of its own."""
    coded = []
    for name in names:
        array = get_column(data, name).dictionary_encode(null_encoding="encode")
        labels = tuple(None if value is None else as_text(value) for value in array.dictionary.to_pylist())
        coded.append(SensitiveColumn(name=name, rows=_indices(array), labels=labels))
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
    _check_nested(codes)
    return CodedColumn(
        name=name,
        rows=_indices(array),
        values=values,
        codes=tuple(codes),
        labels=(*labels, (ANY,)),
        shares=tuple(shares),
        leaf_share=leaf,
        leaves=round(1 / leaf) if leaf > 0 else count,
        hierarchy=hierarchy,
    )


def _check_nested(codes: Sequence[NDArray[np.int64]]) -> None:
    """Raise ConfigError when a level splits what the level before has joined."""
    for level, (finer, coarser) in enumerate(pairwise(codes), start=1):
        groups = len(np.unique(finer))
        if len(np.unique(finer * (int(coarser.max(initial=0)) + 1) + coarser)) > groups:
            raise ConfigError(
                f"its hierarchy is not monotone: level {level} separates values that level {level - 1} has joined. A search would miss "
                "answers, and shares mean nothing. Let every level only merge groups of the level before."
            )


def _indices(array: pa.DictionaryArray) -> NDArray[np.int64]:
    return np.asarray(array.indices.to_numpy(zero_copy_only=False)).astype(np.int64)


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
class Counts:
    """How often each value of a sensitive column occurs with each distinct tuple; sparse, sorted by (tuple_of, values).

    tuple_of, values, counts -- shape (e,); totals -- shape (m,): rows of each value in all, >= 1; labels -- m texts.
    """

    tuple_of: NDArray[np.int64]
    values: NDArray[np.int64]
    counts: NDArray[np.int64]
    totals: NDArray[np.int64]
    labels: tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True)
class Tuples:
    """The distinct rows of the coded quasi-identifiers, of the table and of the population.

    codes      -- per column, shape (t,): raw code of each distinct tuple.
    weights    -- shape (t,): rows that may be released (of the research subset, where there is one); they sum to n. Zero for
                  a tuple that only the population or the rest of the table holds.
    of_row     -- shape (rows of the table,): tuple of each row.
    everyone   -- shape (t,): all rows of the table, when only a research subset is to be released.
    population -- shape (t,): rows of the population.
    sensitive  -- per sensitive column, its counts among the rows that may be released.
    rows       -- n: rows that may be released in all, also when these are only some of the tuples.
    """

    rows: int
    codes: tuple[NDArray[np.int64], ...]
    weights: NDArray[np.int64]
    of_row: NDArray[np.int64]
    everyone: NDArray[np.int64] | None = None
    population: NDArray[np.int64] | None = None
    sensitive: Mapping[str, Counts] = field(default_factory=dict)

    def select(self, mask: NDArray[np.bool_]) -> "Tuples":
        """Return the tuples of a mask of shape (t,); `rows` and totals are those of the whole input, `of_row` is empty."""
        number = np.cumsum(mask) - 1
        return Tuples(
            rows=self.rows,
            codes=tuple(codes[mask] for codes in self.codes),
            weights=self.weights[mask],
            of_row=np.zeros(0, dtype=np.int64),
            everyone=None if self.everyone is None else self.everyone[mask],
            population=None if self.population is None else self.population[mask],
            sensitive={
                name: replace(
                    counts,
                    tuple_of=number[counts.tuple_of[chosen]],
                    values=counts.values[chosen],
                    counts=counts.counts[chosen],
                )
                for name, counts in self.sensitive.items()
                for chosen in [mask[counts.tuple_of]]
            },
        )


def distinct_tuples(
    coded: Sequence[CodedColumn],
    *,
    sensitive: Sequence[SensitiveColumn] = (),
    subset: NDArray[np.bool_] | None = None,
    extra: int = 0,
) -> Tuples:
    """Return the distinct tuples of the coded columns' rows with their number of rows.

    subset -- shape (rows,): which rows are the research subset; None: all. The others count as the population.
    extra  -- how many of the coded rows, the last ones, are the population table's and not the table's own.
    """
    keys, _ = combine_codes([column.rows for column in coded], [column.cardinality(0) for column in coded])
    _, first, of_row = np.unique(keys, return_index=True, return_inverse=True)
    count, rows = len(first), len(keys) - extra
    of_row = cast(NDArray[np.int64], of_row.astype(np.int64))
    own = of_row[:rows]
    everyone = np.bincount(own, minlength=count).astype(np.int64)
    chosen = own if subset is None else own[subset]
    population = np.bincount(of_row[rows:], minlength=count).astype(np.int64) if extra else None
    if population is None and subset is not None:
        population = everyone
    return Tuples(
        rows=len(chosen),
        codes=tuple(column.rows[first] for column in coded),
        weights=everyone if subset is None else np.bincount(chosen, minlength=count).astype(np.int64),
        of_row=own,
        everyone=None if subset is None else everyone,
        population=population,
        sensitive={
            column.name: _count(chosen, column.rows if subset is None else column.rows[subset], column.labels)
            for column in sensitive
        },
    )


def _count(tuple_of: NDArray[np.int64], values: NDArray[np.int64], labels: tuple[str | None, ...]) -> Counts:
    """Return the counts of rows that may be released; values that only other rows hold are no values of theirs, and get no label."""
    totals = np.bincount(values, minlength=len(labels)).astype(np.int64)
    there = totals > 0
    width = int(there.sum())
    found, counts = np.unique(tuple_of * width + (np.cumsum(there) - 1)[values], return_counts=True)
    return Counts(
        tuple_of=found // width,
        values=found % width,
        counts=counts.astype(np.int64),
        totals=totals[there],
        labels=tuple(labels[i] for i in np.flatnonzero(there)),
    )
