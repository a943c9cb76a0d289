"""Which rows train and which test: decided for each row by its own id and a key, never by the other rows."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError
from tacit.tables.values import first_row, plain, to_text


def in_training(
    ids: pa.ChunkedArray | pa.Array | NDArray[Any] | Sequence[Any], *, key: bytes, fraction: float
) -> NDArray[np.bool_]:
    """Return whether each row belongs to the training part, shape (n,).

    ids      -- one id per row, text or whole numbers (3 and "3" are one id); rows with one id go to the same side.
    key      -- 16 to 64 secret bytes; who does not know them cannot tell which side an id fell on.
    fraction -- each id's chance of the training part; 0 < fraction < 1.

    An id is in when its BLAKE2b keyed hash, read as a number in [0, 1), is below `fraction` (RFC 7693, 8-byte digest).
    Raises ConfigError for a setting out of range, DataError when a row has no id.
    """
    if not isinstance(key, bytes) or not 16 <= len(key) <= 64:
        size = f"{len(key)} bytes" if isinstance(key, bytes) else type(key).__name__
        raise ConfigError(
            f"key must be 16 to 64 bytes, got {size}. Who can guess it knows who was trained on. "
            "Use secrets.token_bytes(32), and keep it."
        )
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise ConfigError(
            f"fraction must be > 0 and < 1, got {fraction!r}. Both parts must hold rows. Write 0.8 for 80% training."
        )
    column = to_text(plain(_column(ids), "id"))
    missing = pc.is_null(column)
    if pc.any(missing).as_py():
        raise DataError(
            f"row {first_row(missing)} (counted from 1, without the header) has no id. "
            "Its side would be an accident of its place. Give every row an id."
        )
    limit, keyed = round(fraction * 2**64), hashlib.blake2b(key=key, digest_size=8, person=b"tacit-split")
    return np.fromiter((_below(keyed, text, limit) for text in column.to_pylist()), np.bool_, len(column))


def _below(keyed: Any, text: str, limit: int) -> bool:
    one = keyed.copy()  # the key is absorbed once
    one.update(text.encode())
    return int.from_bytes(one.digest(), "big") < limit


def _column(ids: Any) -> pa.ChunkedArray:
    if isinstance(ids, pa.ChunkedArray):
        return ids
    try:
        return pa.chunked_array([pa.array(ids)])
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise DataError(
            "the ids are neither all text nor all whole numbers. One id must not be written in two ways. Make them text."
        ) from None
