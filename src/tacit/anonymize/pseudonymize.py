"""Keyed pseudonyms: HMAC-SHA256 tokens, one-way, the same for one value, key and scope in every table and run.

Whoever holds the key can test guesses, so the key is as secret as the data; without it a token says nothing but which values
are equal. That is why a column of few values is refused: there, how often each token occurs gives the value away.
"""

import hmac
import os
import stat
import tempfile
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from tacit.anonymize.columns import as_text, is_text, plain
from tacit.errors import ConfigError, DataError, PrivacyError

KEY_BYTES = 32
TOKEN_BYTES = 16
"""128 bits: among 10 million values two tokens collide with probability 1.5e-25."""

FEWEST_DISTINCT = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A secret key for pseudonyms; never shown.

    secret -- at least 32 bytes from a cryptographic source.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.secret, bytes) or len(self.secret) < KEY_BYTES:
            raise ConfigError(
                f"a pseudonym key needs at least {KEY_BYTES} secret bytes. Without one anybody could hash guesses and "
                "compare, so there is "
                "no unkeyed hashing. Use load_or_create_key(path)."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Pseudonyms:
    """Replaces the values of identifier columns by tokens.

    key -- who holds it can link tokens to guessed values; there is no way back from a token alone.
    """

    key: Key

    def tokens(self, column: Any, *, scope: str) -> pa.Array:
        """Return the token of each value, shape (n,), text of 32 hexadecimal digits; missing stays missing.

        column -- Arrow array or chunked array of texts, whole numbers, floats, decimals or dates. Values equal as text (Unicode
                  NFC, outer spaces removed; 7 and 7.0 are one) get one token.
        scope  -- what the values are, for example "person" or "e-mail": equal scopes give equal tokens in every table and run,
                  different scopes cannot be linked. Not empty.
        Raises PrivacyError when the column has few values (see `check_entropy`), DataError when its type cannot be named by text.
        """
        if not scope:
            raise ConfigError(
                'the scope of pseudonyms must be named, got "". Columns of one scope can be joined by their tokens.'
            )
        array = plain(column)
        if pa.types.is_nested(array.type) or pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
            raise DataError(f"a column of type {array.type} cannot be pseudonymized. Turn it into text, or drop it.")
        coded = array.dictionary_encode()
        texts = [unicodedata.normalize("NFC", as_text(value)).strip() for value in coded.dictionary.to_pylist()]
        check_entropy(array, texts, scope)
        prefix = scope.encode()
        prefix = len(prefix).to_bytes(4, "big") + prefix  # so that no (scope, value) pair reads as another
        secret = self.key.secret
        made = [hmac.digest(secret, prefix + text.encode(), "sha256")[:TOKEN_BYTES].hex() for text in texts]
        return pa.array(made, pa.string()).take(coded.indices)


def check_entropy(array: pa.Array, texts: list[str], what: str) -> None:
    """Raise PrivacyError when values are few: fewer than 1,000 are possible, or occur while over half of the rows repeat one.

    array -- the column; texts -- its distinct values as text.
    """
    present, distinct = len(array) - array.null_count, len(set(texts))
    if not present:
        return
    digits = not is_text(array.type) or all(text.isdecimal() for text in texts)
    possible = pa.types.is_boolean(array.type) or (digits and all(len(text.lstrip("-").split(".")[0]) <= 3 for text in texts))
    if possible or (distinct < FEWEST_DISTINCT and distinct < present / 2):
        why = f"fewer than {FEWEST_DISTINCT} values are possible" if possible else f"{distinct} distinct values in {present} rows"
        raise PrivacyError(
            f"the column for {what!r} has too few values for pseudonyms ({why}): how often each token occurs would "
            "give its value away. "
            "Drop the column, or generalize it as a quasi-identifier."
        )


def load_or_create_key(path: Path | str) -> Key:
    """Return the key in a file, made (0600, from the operating system's source, atomically) when there is none.

    Raises PrivacyError when group or others may read or write the file, ConfigError when it cannot be used or holds no key.
    """
    path = Path(path)
    try:
        if not path.exists():
            _create(path)
        return _load(path)
    except OSError as error:
        raise ConfigError(
            f"the key file {str(path)!r} cannot be used: {error}. Name a file in a folder that is yours alone."
        ) from None


def _create(path: Path) -> None:
    """Write a fresh key beside `path` and link it there: it appears whole, and never over a key that another process made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")  # mkstemp creates with 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(os.urandom(KEY_BYTES).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        os.unlink(name)


def _load(path: Path) -> Key:
    with open(path, "rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise PrivacyError(
                f"the key file {str(path)!r} is open to others (mode {mode:04o}): who reads it can test guesses "
                "against every token. "
                f"Run `chmod 600 {path}`; if others may have read it, make a new key."
            )
        text = file.read(4096)
    try:
        return Key(secret=bytes.fromhex(text.decode("ascii").strip()))
    except (ValueError, ConfigError):
        raise ConfigError(
            f"the key file {str(path)!r} does not hold a key of 64 hexadecimal digits. Restore it, or name another file."
        ) from None
