"""A column's distinct values as the texts that name them: every method works on these once, then spreads the results."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tacit.anonymize.columns import as_text, is_number, is_text, plain
from tacit.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """The distinct values of a column.

    array -- the column, shape (n,); indices -- shape (n,): place of each row's value in `texts`, null where missing.
    texts -- one per distinct value of the column; two may be equal (" a" and "a").
    """

    array: pa.Array
    indices: pa.Array
    texts: list[str]

    def spread(self, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        """Return the value made for each row's text, shape (n,), null where the column misses one."""
        return pa.array(values, kind).take(self.indices)


def arrow_column(column: Any) -> pa.Array:
    """Return a column (Arrow array, chunked array or a sequence) as one plain array. Raises DataError for mixed types."""
    if isinstance(column, pa.Array | pa.ChunkedArray):
        return plain(column)
    try:
        return plain(pa.array(column))
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError):
        raise DataError(
            "a column holds values of several types, or is no column. Text and numbers mixed have no one spelling. "
            "Turn every value into text, or give an Arrow array."
        ) from None


def name_values(column: Any, *, exact: bool = False) -> Named:
    """Return the distinct values of a column with the text that names each; 7 and 7.0 are one.

    exact -- whether texts stay as they are, for methods that lead back to them; else Unicode NFC without outer spaces.
    Raises DataError when rows exist and all are missing, and for types that one text cannot name.
    """
    array = arrow_column(column)
    kind = array.type
    if len(array) and array.null_count == len(array):
        raise DataError(
            f"every one of the {len(array)} values of a column is missing, so there is nothing to replace. "
            "A column without values joins nothing: leave it out."
        )
    temporal = pa.types.is_temporal(kind) and not pa.types.is_duration(kind)
    if not (is_text(kind) or is_number(kind) or temporal or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
        raise DataError(
            f"a column of type {kind} cannot be pseudonymized: it holds more or other than one text, number or date per row. "
            "Turn it into text, or drop it."
        )
    coded = array.dictionary_encode()
    texts = [as_text(value) for value in _by_microseconds(coded.dictionary).to_pylist()]
    if not exact:
        texts = [text.strip() if text.isascii() else unicodedata.normalize("NFC", text).strip() for text in texts]
    return Named(array=array, indices=coded.indices, texts=texts)


def _by_microseconds(values: pa.Array) -> pa.Array:
    """Return timestamps of nanoseconds as microseconds, which every unit's text shares. Raises DataError where that loses digits."""
    if not (pa.types.is_timestamp(values.type) and values.type.unit == "ns"):
        return values
    try:
        return values.cast(pa.timestamp("us", values.type.tz))
    except pa.ArrowInvalid:
        raise DataError(
            "a column holds times finer than a microsecond, which have no text here. Turn it into text, or round it."
        ) from None


def scope_prefix(scope: str) -> bytes:
    """Return what a message about a value of this scope starts with, so that no (scope, value) pair reads as another."""
    if not isinstance(scope, str) or not scope:
        raise ConfigError(
            f"the scope of pseudonyms must be named, got {scope!r}. Columns of one scope can be joined by their tokens, others "
            'cannot. Name what the values are, for example "person".'
        )
    prefix = scope.encode()
    return len(prefix).to_bytes(4, "big") + prefix
