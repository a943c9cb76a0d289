"""One column as plain Arrow values, and values as the text that names them."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tacit.errors import DataError


def get_column(data: pa.Table, name: str) -> pa.Array:
    """Return column `name` as one array: dictionaries decoded, NaN as missing, -0.0 as 0.0.

    Raises DataError when the table has no such column or has it twice.
    """
    count = data.schema.names.count(name)
    if count != 1:
        what = "is not in the table" if count == 0 else f"occurs {count} times in the table"
        raise DataError(f"column {name!r} {what}. A column is known by its name alone; the table has {data.schema.names}.")
    return plain(data.column(name))


def plain(column: Any) -> pa.Array:
    """Return an array or chunked array as one array: dictionaries decoded, NaN as missing, -0.0 as 0.0.

    A missing value is null. NaN is what pandas writes for missing; no column of personal data holds it for anything else. Two zeros
    would be two classes, told apart by a sign that means nothing. Views, halves and short decimals take the common type that holds
    them exactly: Arrow cannot sort theirs.
    """
    array = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) and column.num_chunks else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.array([], type=column.type)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    array = array.cast(_sortable(array.type))
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, type=array.type), array)
        array = pc.if_else(pc.equal(array, 0.0), pa.scalar(0.0, type=array.type), array)
    return array


def _sortable(column_type: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal32(column_type) or pa.types.is_decimal64(column_type):
        return pa.decimal128(column_type.precision, column_type.scale)
    common = {pa.float16(): pa.float32(), pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    return common.get(column_type, column_type)


def is_text(column_type: pa.DataType) -> bool:
    """Whether values of this Arrow type are strings."""
    return bool(pa.types.is_string(column_type) or pa.types.is_large_string(column_type) or pa.types.is_string_view(column_type))


def is_number(column_type: pa.DataType) -> bool:
    """Whether values of this Arrow type are integers, floats or decimals."""
    return bool(pa.types.is_integer(column_type) or pa.types.is_floating(column_type) or pa.types.is_decimal(column_type))


def name_number(value: float) -> str:
    """Return the shortest text that names a number: "5" for 5.0, "17.5" for 17.5."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def as_text(value: Any) -> str:
    """Return the text that names a value, the same for 7 and 7.0 (one table has a gap, the next has none)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return name_number(value) if isinstance(value, float) else str(value)
