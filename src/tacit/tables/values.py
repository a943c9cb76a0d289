"""One column at a time: three Arrow types only, missing made explicit, and text told from numbers.

Every column of a table that tacit has read is int64, float64 or string; a missing value is null and nothing else. int64
holds whole numbers up to 2^53, which float64 represents exactly; float64 holds finite numbers. Messages name the column
and the row, never the value, which may be private.
"""

import re
import sys
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tacit.errors import ConfigError, DataError

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "?")
"""Texts that stand for a missing value unless the caller says otherwise."""

GUESSED = {b"tacit.kind": b"guessed numeric"}
"""Metadata of a float64 field that was text in the file: the text as written ("1.50") is lost."""

_LARGEST_WHOLE = 2**53
_WHOLE = r"^(0|-?[1-9][0-9]{0,15})$"
# No leading zeros, at most 15 digits before the point, an exponent only where a sign or a point shows it is a number (1e5
# may be a code): what looks like a code, a telephone number or a long key stays text.
_DECIMAL = r"^-?((0|[1-9][0-9]{0,14})(\.[0-9]+([eE][+-]?[0-9]{1,3})?|[eE][+-][0-9]{1,3})?|\.[0-9]+)$"
_ANY_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SHORT_WHOLE = r"^[+-]?[0-9]{1,15}$"
_PREFIX = 1_000  # rows that settle most text columns


def plain(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return the column as int64, float64 or string, NaN as null.

    Dictionaries are decoded; truth values become "true" and "false", dates and times ISO text, decimals numbers; whole
    numbers beyond 2^53 become text, so that no digit is lost.
    Raises DataError for an infinite number, and for types that are not one value a row (lists, structs, bytes).
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(column.cast(kind.value_type), name)
    if pa.types.is_string(kind):
        return column
    if pa.types.is_integer(kind):
        return _whole(column)
    if pa.types.is_floating(kind):
        return _finite(column.cast(pa.float64()), name)
    if pa.types.is_decimal(kind):
        return _whole(column) if kind.scale <= 0 else _finite(column.cast(pa.float64()), name)
    if _has_text_form(kind):
        return column.cast(pa.string())
    raise DataError(
        f"column {name!r} has the Arrow type {kind}, which is not one number or text per row. "
        "A privacy unit is a row, so every column must hold one value in it. Leave the column out or make it text or numbers."
    )


def _has_text_form(kind: pa.DataType) -> bool:
    tests = (
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_null,
        pa.types.is_boolean,
        pa.types.is_date,
        pa.types.is_time,
        pa.types.is_timestamp,
    )
    return any(test(kind) for test in tests)


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return int64, or text where a value is beyond 2^53."""
    try:
        whole = column.cast(pa.int64())
    except pa.ArrowInvalid:  # uint64 or decimal beyond int64
        return column.cast(pa.string())
    ends = pc.min_max(whole).as_py()
    exact = ends["min"] is None or (ends["min"] >= -_LARGEST_WHOLE and ends["max"] <= _LARGEST_WHOLE)
    return whole if exact else whole.cast(pa.string())


def _finite(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return float64 with NaN as null. Raises DataError when a number is infinite."""
    infinite = pc.is_inf(column)
    if pc.any(infinite).as_py():
        raise DataError(
            f"column {name!r} holds an infinite number in {_row(infinite)}. "
            "It has no place within bounds and breaks every average. Replace it by a number, or by null to mean missing."
        )
    nan = pc.is_nan(column)
    return pc.if_else(nan, pa.scalar(None, pa.float64()), column) if pc.any(nan).as_py() else column


def with_missing(column: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    """Return a plain column with spaces around texts dropped and every text or number listed in `missing` as null."""
    if pa.types.is_string(column.type):
        column = pc.utf8_trim_whitespace(column)
        listed = pa.array(missing, pa.string())
    else:
        numbers = [float(text) for text in missing if re.match(_ANY_NUMBER, text)]
        whole = pa.types.is_int64(column.type)
        listed = pa.array([number for number in numbers if not whole or number.is_integer()], pa.float64()).cast(column.type)
    hit = pc.is_in(column, value_set=listed)
    return pc.if_else(hit, pa.scalar(None, column.type), column) if pc.any(hit).as_py() else column


def check_missing(missing: Sequence[str]) -> tuple[str, ...]:
    """Return `missing` as a tuple. Raises ConfigError when it is not a sequence of texts."""
    if isinstance(missing, str) or not all(isinstance(text, str) for text in missing):
        raise ConfigError(
            f"missing must be a list of texts, got {missing!r}. A field with one of these texts counts as missing. "
            'Write for example missing=("", "NA", "-9").'
        )
    return tuple(text.strip() for text in missing)


def guessed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a string column as numbers when every value is plainly a number, else unchanged.

    int64 -- every value is a whole number as it prints (no leading zero, no sign +) of at most 2^53: the text can be had back.
    float64 -- every value is a decimal number without leading zeros.
    All else stays text: "007", "+44 20", "1e5", "2024-01-31", "true", "1,234", numbers of 17 digits, and a column without values.
    """
    for pattern, target in ((_WHOLE, pa.int64()), (_DECIMAL, pa.float64())):
        if _all_match(column, pattern):
            numbers = column.cast(target)
            ends = pc.min_max(numbers).as_py()
            limit = _LARGEST_WHOLE if pa.types.is_integer(target) else sys.float_info.max
            if ends["min"] is not None and ends["min"] >= -limit and ends["max"] <= limit:
                return numbers
    return column


def _all_match(column: pa.ChunkedArray, pattern: str) -> bool:
    return all(
        pc.all(pc.match_substring_regex(part, pattern)).as_py() is not False for part in (column.slice(0, _PREFIX), column)
    )


def to_number(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return a plain column declared numeric as int64 (every value whole and at most 15 digits) or float64.

    Raises DataError that names the column and a row whose text is not a finite number, and does not show the text.
    """
    if not pa.types.is_string(column.type):
        return column
    wrong = pc.invert(pc.match_substring_regex(column, _ANY_NUMBER))
    if not pc.any(wrong).as_py():
        whole = pc.all(pc.match_substring_regex(column, _SHORT_WHOLE)).as_py() is not False
        numbers = pc.replace_substring_regex(column, r"^\+", "").cast(pa.int64() if whole else pa.float64())
        wrong = pc.is_inf(numbers)
        if not pc.any(wrong).as_py():
            return numbers
    raise DataError(
        f"column {name!r} is declared numeric, but {_row(wrong)} holds a text that is not a finite number. "
        "The text is not shown, because it may be private; guessing a number for it would change the person's record. "
        'Correct that row, list the text under `missing`, or declare kind = "categorical" or "text". '
        "Numbers are written 1234.5, without thousands separators or units."
    )


def to_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a plain column as text, each value by itself: 3 and 3.0 as "3", other numbers in the fewest digits."""
    if not pa.types.is_float64(column.type):
        return column.cast(pa.string())
    whole = pc.and_(pc.equal(column, pc.round(column)), pc.less_equal(pc.abs(column), float(_LARGEST_WHOLE)))
    return pc.if_else(whole, pc.if_else(whole, column, 0.0).cast(pa.int64()).cast(pa.string()), column.cast(pa.string()))


def first_row(mask: pa.ChunkedArray) -> int:
    """Return the number of the first row for which mask is true, counting from 1."""
    return int(pc.index(mask, True).as_py()) + 1


def _row(mask: pa.ChunkedArray) -> str:
    return f"row {first_row(mask)} (counted from 1, without the header)"
