"""What comes out of the database: distinct tuples with their number of rows; and how the search is given them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn, Counts, SensitiveColumn, Tuples, combine_codes
from tacit.errors import DataError
from tacit.tables.values import guessed

BYTES_A_CELL = 100
"""What the search takes at its peak for one value of one distinct tuple: 80 were seen at 1.4 million tuples of 8 columns; rounded up."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The distinct tuples of some columns, sorted by value, missing last: the same whatever database counted them.

    names  -- the columns. values -- per column its distinct values, ascending, missing not counted.
    codes  -- per column, shape (t,): place of each tuple's value in `values`, len(values) for a missing one.
    rows   -- shape (t,): rows that hold the tuple; >= 1.
    """

    names: tuple[str, ...]
    values: tuple[pa.Array, ...]
    codes: tuple[NDArray[np.int32], ...]
    rows: NDArray[np.int64]

    def place(self, name: str) -> int:
        """Return the number of a column."""
        return self.names.index(name)

    def with_numbers(self, names: Sequence[str]) -> "Counted":
        """Return the same tuples with those of the named columns whose texts are all plain numbers read as numbers.

        Two texts of one number ("1.5", "1.50") keep their two codes.
        """
        values = [
            guessed(pa.chunked_array([one])).combine_chunks() if name in names else one
            for name, one in zip(self.names, self.values, strict=True)
        ]
        return replace(self, values=tuple(values))

    def with_types(self, types: Mapping[str, pa.DataType]) -> "Counted":
        """Return the same tuples with the values of some columns in the types that they have in the file."""
        values = [one.cast(types.get(name, one.type)) for name, one in zip(self.names, self.values, strict=True)]
        return replace(self, values=tuple(values))

    def column(self, name: str) -> pa.DictionaryArray:
        """Return a column, shape (t,)."""
        values, codes = self.values[self.place(name)], self.codes[self.place(name)]
        return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=codes == len(values)), values)

    def repeated(self, name: str) -> pa.Array:
        """Return a short column in which values are ordered by frequency as in the whole table.

        Each value stands in it as often as its number of rows ranks among those numbers: once for the rarest. That is never
        more often than in the table, and all that `hierarchies.automatic` asks of frequencies.
        """
        values, codes = self.values[self.place(name)], self.codes[self.place(name)]
        totals = np.bincount(codes, weights=self.rows)
        rank = np.unique(totals, return_inverse=True)[1] + 1
        repeated = np.repeat(np.arange(len(totals)), rank)
        return values.take(pa.array(repeated, pa.int64(), mask=repeated == len(values)))


def collect(batches: Iterable[pa.RecordBatch], names: Sequence[str], memory_limit: int | None) -> Counted:
    """Return the tuples of the batches of `count_tuples`, which come in any order.

    Raises DataError when they would not fit into memory_limit bytes, or there is none.
    """
    most = None if memory_limit is None else memory_limit // (BYTES_A_CELL * len(names))
    parts, count = [], 0
    for batch in batches:
        count += batch.num_rows
        if most is not None and count > most:
            raise DataError(
                f"the table has more than {most:,} distinct tuples of its {len(names)} quasi-identifiers and sensitive columns, which "
                f"is what the search can hold in {memory_limit:,} bytes. Rows are free, distinct tuples are not. Raise memory_limit, "
                "name fewer columns, or round the finest ones before (a date to its month)."
            )
        parts.append([column.dictionary_encode() for column in batch.columns[:-1]] + [batch.columns[-1].cast(pa.int64())])
    if not count:
        raise DataError("the table has no rows. Check the file and its filters.")
    values, codes = [], []
    for i in range(len(names)):
        column = pa.chunked_array([part[i] for part in parts]).unify_dictionaries()
        one_values, one_codes = sorted_codes(column)
        values.append(one_values)
        codes.append(one_codes)
    rows = np.concatenate([np.asarray(part[-1]) for part in parts]).astype(np.int64)
    order = np.argsort(combine_codes(codes, [len(one) + 1 for one in values])[0], kind="stable")
    return Counted(
        names=tuple(names), values=tuple(values), codes=tuple(code[order].astype(np.int32) for code in codes), rows=rows[order]
    )


def sorted_codes(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the distinct values of a dictionary column in ascending order, and the place of each row's among them.

    The column's chunks have one dictionary. A missing value has the place after the last; it is not among the values.
    """
    values = column.chunk(0).dictionary
    order = np.asarray(pc.sort_indices(pc.cast(values, pa.int8()) if pa.types.is_boolean(values.type) else values))
    place = np.empty(len(order) + 1, dtype=np.int64)
    place[order] = np.arange(len(order))
    place[-1] = len(order)
    codes = [np.asarray(pc.fill_null(chunk.indices.cast(pa.int64()), len(order))) for chunk in column.chunks]
    return values.take(pa.array(order)), place[np.concatenate(codes)]


def weigh(coded: Sequence[CodedColumn], sensitive: Sequence[SensitiveColumn], rows: NDArray[np.int64]) -> Tuples:
    """Return the distinct tuples of the coded columns. rows -- shape (t,): table rows that each coded row stands for.

    The same as `distinct_tuples` of a table in which every row stands there that many times.
    """
    keys, _ = combine_codes([column.rows for column in coded], [column.cardinality(0) for column in coded])
    _, first, tuple_of = np.unique(keys, return_index=True, return_inverse=True)
    return Tuples(
        rows=int(rows.sum()),
        codes=tuple(column.rows[first] for column in coded),
        weights=np.bincount(tuple_of, weights=rows, minlength=len(first)).astype(np.int64),
        of_row=tuple_of.astype(np.int64),
        sensitive=_histograms(tuple_of, sensitive, rows),
    )


def _histograms(tuple_of: Any, sensitive: Sequence[SensitiveColumn], rows: NDArray[np.int64]) -> Mapping[str, Counts]:
    counted = {}
    for column in sensitive:
        width = len(column.labels)
        found, place = np.unique(tuple_of * width + column.rows, return_inverse=True)
        counted[column.name] = Counts(
            tuple_of=found // width,
            values=found % width,
            counts=np.bincount(place, weights=rows).astype(np.int64),
            totals=np.bincount(column.rows, weights=rows, minlength=width).astype(np.int64),
            labels=column.labels,
        )
    return counted
