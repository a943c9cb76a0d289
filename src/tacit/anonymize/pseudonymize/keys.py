"""The secret key of pseudonyms, and the file of mode 0600 that keeps it."""

import hmac
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from tacit.errors import ConfigError, PrivacyError
from tacit.privacy.ledger import durable

KEY_BYTES = 32
_DERIVED = b"\xff\xff\xff\xff"
"""Starts what subkeys are derived from. A message about a value starts with the length of its scope, which is never 2^32 - 1."""


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

    def derive(self, purpose: str) -> bytes:
        """Return the 32 bytes for one purpose: HMAC-SHA256 of it, in which no other purpose's and no token's can be seen."""
        return hmac.digest(self.secret, _DERIVED + purpose.encode(), "sha256")


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
    durable.create(path, os.urandom(KEY_BYTES).hex().encode() + b"\n")


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
