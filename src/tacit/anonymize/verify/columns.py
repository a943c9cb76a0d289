"""Columns as plain Arrow values, and rows numbered by what they hold."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

_COMMON: Mapping[str, Callable[[Any], pa.DataType]] = {
    "halffloat": lambda _: pa.float32(),
    "string_view": lambda _: pa.string(),
    "binary_view": lambda _: pa.binary(),
    "decimal32": lambda one: pa.decimal128(one.precision, one.scale),
    "decimal64": lambda one: pa.decimal128(one.precision, one.scale),
}
"""Types that Arrow cannot count by, and those in which their values are released."""


def plain(column: Any) -> pa.Array:
    """Return a column as one array: dictionaries decoded, NaN as missing, -0.0 as 0.0."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    narrow = _COMMON.get(str(column.type).partition("(")[0])
    column = column if narrow is None else column.cast(narrow(column.type))
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        column = pc.if_else(pc.equal(column, 0.0), pa.scalar(0.0, column.type), column)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def plain_table(table: pa.Table) -> pa.Table:
    """Return a table with every column plain; its names must differ."""
    return pa.table({name: plain(table.column(name)) for name in table.column_names})


def number_values(column: pa.Array) -> tuple[Numbers, pa.Array]:
    """Return a number per row, shape (n,), equal for equal values, and the value of each number; missing is a value."""
    coded = column.dictionary_encode(null_encoding="encode")
    return np.asarray(coded.indices.to_numpy(zero_copy_only=False)).astype(np.int64), coded.dictionary


def number_rows(columns: Sequence[pa.Array], rows: int) -> tuple[Numbers, int]:
    """Return a number per row, shape (rows,), equal where all columns are, and how many numbers there are."""
    numbers, count = np.zeros(rows, dtype=np.int64), min(rows, 1)
    for column in columns:
        codes, values = number_values(column)
        numbers, seen = number_values(pa.array(numbers * len(values) + codes, pa.int64()))
        count = len(seen)
    return numbers, count


def equal_rows(left: pa.Array, right: pa.Array) -> NDArray[np.bool_]:
    """Return in which rows two columns of one type hold the same value, shape (n,); missing equals missing only."""
    codes, _ = number_values(pa.concat_arrays([left, right]))
    return np.asarray(codes[: len(left)] == codes[len(left) :])


def word(value: Any) -> str:
    """Return a value as hierarchies and orders write it: true, 5, 17.5."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
