"""The encrypted look-up file: the only way back from tokens, for whoever holds its key.

The file: 8 bytes that name the form, 32 that the key alone can make (so a wrong key is told from a changed file), 12 of nonce,
then AES-256-GCM (NIST SP 800-38D) over an Arrow stream of (scope, stand-in, value); the first 40 bytes are authenticated too.
It is written anew each time, beside the old one, and takes its place when it is on disk: a kill leaves the old or the new. An
older copy put in its place is not noticed.
"""

import fcntl
import hmac
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tacit.anonymize.pseudonymize.keys import Key
from tacit.anonymize.pseudonymize.naming import arrow_column, name_values
from tacit.anonymize.pseudonymize.replaced import Replaced
from tacit.errors import ConfigError, DataError, PrivacyError, ShapeError
from tacit.privacy.ledger import durable

_FORM = b"tacitLU1"
_HEAD, _NONCE = 40, 12
_LARGEST = (1 << 31) - 64  # bytes that one GCM message may have here
_SCHEMA = pa.schema([("scope", pa.string()), ("token", pa.string()), ("value", pa.string())])


@dataclass(frozen=True, kw_only=True, slots=True)
class LookUp:
    """Which value each stand-in replaces. Personal data: keep it where the originals are kept.

    entries -- columns scope, token and value, one row per pair; never shown.
    """

    entries: pa.Table = field(repr=False)

    def __len__(self) -> int:
        return int(self.entries.num_rows)

    def originals(self, column: Any, *, scope: str) -> pa.Array:
        """Return the texts that stand-ins replaced, shape (n,); missing stays missing.

        Raises DataError, with the row, when a stand-in of this scope is not in the file.
        """
        tokens = arrow_column(column).cast(pa.string())
        known = self.entries.filter(pc.equal(self.entries["scope"], scope))
        places = pc.index_in(tokens, value_set=known["token"].combine_chunks())
        lost = pc.and_(pc.is_null(places), pc.is_valid(tokens))
        if pc.any(lost).as_py():
            raise DataError(
                f"row {pc.index(lost, True).as_py() + 1} (counted from 1) holds a token of scope {scope!r} that the look-up file does "
                "not know, so there is no way back from it. Check the scope and the file, or add the table it was made from."
            )
        return known["value"].combine_chunks().take(places)


def open_look_up(path: Path | str, *, key: Key) -> LookUp:
    """Return what a look-up file holds. Raises PrivacyError for another key or a changed file, ConfigError when it cannot be read."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unusable(path, error) from None
    return LookUp(entries=_opened(content, path, key))


def extend_look_up(path: Path | str, column: Any, replaced: Replaced, *, key: Key) -> LookUp:
    """Add what a replacement did to the look-up file, made (0600) when there is none; durable and whole when it returns.

    column   -- the values that were replaced, shape (n,), as they were given; replaced -- what came out of it.
    key      -- of the file; it may be another than that of the tokens, kept by someone else.
    Further tables add to the same file; equal pairs are kept once. Processes that share a file take turns.
    Raises DataError when a stand-in would stand for two values (fake values that are not unique), ShapeError when column and
    result do not belong together, PrivacyError and ConfigError as `open_look_up`. The file is then as it was.
    """
    path = Path(path)
    added = _pairs(column, replaced)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _turn(path.parent):
            known = [_opened(path.read_bytes(), path, key)] if path.exists() else []
            entries = _merged(pa.concat_tables([*known, added]))
            durable.replace(path, _sealed(entries, key))
    except OSError as error:
        raise _unusable(path, error) from None
    return LookUp(entries=entries)


def _pairs(column: Any, replaced: Replaced) -> pa.Table:
    named = name_values(column)
    if len(named.array) != len(replaced) or not named.array.is_valid().equals(replaced.values.is_valid()):
        raise ShapeError(
            f"the column has {len(named.array)} values and the replacement {len(replaced)}, or others are missing: they do not belong "
            "together. Give the column that was replaced."
        )
    values = named.spread(named.texts, pa.string())
    tokens = replaced.values.cast(pa.string())
    scopes = pa.repeat(pa.scalar(replaced.scope, pa.string()), len(tokens))
    pairs = pa.table([scopes, tokens, values], schema=_SCHEMA).filter(tokens.is_valid())
    return pairs.group_by(_SCHEMA.names, use_threads=False).aggregate([])


def _merged(entries: pa.Table) -> pa.Table:
    """Return each pair once. Raises DataError when one stand-in has two values."""
    pairs = entries.group_by(_SCHEMA.names, use_threads=False).aggregate([])
    tokens = pairs.group_by(["scope", "token"], use_threads=False).aggregate([])
    if tokens.num_rows != pairs.num_rows:
        raise DataError(
            f"{pairs.num_rows - tokens.num_rows} stand-ins would stand for more than one value, so there is no way back from them. "
            "Use tokens, or fake values with unique=True, under one key. The look-up file was not changed."
        )
    return pairs.select(_SCHEMA.names).cast(_SCHEMA)


def _head(key: Key) -> bytes:
    return _FORM + hmac.digest(key.derive("look-up file"), b"which key", "sha256")


def _sealed(entries: pa.Table, key: Key) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA) as stream:
        stream.write_table(entries)
    plain = sink.getvalue().to_pybytes()
    if len(plain) > _LARGEST:
        raise DataError(
            f"a look-up file of {len(plain)} bytes is more than one sealed message may hold ({_LARGEST}). Use one file per scope. "
            "It was not changed."
        )
    nonce = os.urandom(_NONCE)
    return _head(key) + nonce + AESGCM(key.derive("look-up file")).encrypt(nonce, plain, _head(key))


def _opened(content: bytes, path: Path, key: Key) -> pa.Table:
    head = content[:_HEAD]
    if len(content) < _HEAD + _NONCE + 16 or head[: len(_FORM)] != _FORM:
        raise PrivacyError(
            f"{str(path)!r} is no look-up file, or it was cut: nothing in it can be trusted. Restore it from a backup, or name another."
        )
    if not hmac.compare_digest(head, _head(key)):
        raise PrivacyError(
            f"the look-up file {str(path)!r} was written with another key, or its first bytes were changed: there is no way back "
            "without its own key. Load that one."
        )
    try:
        plain = AESGCM(key.derive("look-up file")).decrypt(content[_HEAD : _HEAD + _NONCE], content[_HEAD + _NONCE :], head)
    except InvalidTag:
        raise PrivacyError(
            f"the look-up file {str(path)!r} was changed after it was written: its values could name the wrong persons. "
            "Restore it from a backup."
        ) from None
    return pa.ipc.open_stream(plain).read_all()


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Hold the folder, so that of two processes that extend its files neither loses what the other wrote."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _unusable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"the look-up file {str(path)!r} cannot be used: {error.strerror or error}. Nothing was changed. "
        "Name a file in a folder that is yours alone."
    )
