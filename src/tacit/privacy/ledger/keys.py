"""The signing key: an Ed25519 key that lives away from the ledgers it seals."""

import os
import secrets
from pathlib import Path

from tacit.errors import LedgerError
from tacit.privacy.ledger import durable

FILE_NAME = "ledger.key"
_LENGTH = 32


def default_folder() -> Path:
    """Return $TACIT_KEYS, else $XDG_CONFIG_HOME/tacit, else ~/.config/tacit."""
    if keys := os.environ.get("TACIT_KEYS"):
        return Path(keys)
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "tacit"


def load(folder: Path) -> bytes | None:
    """Return the key's 32 secret bytes, or None when the folder has no key.

    Raises LedgerError when others may read the file or replace it, or when it is not a key.
    """
    path = folder / FILE_NAME
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(path, error) from None
    with os.fdopen(descriptor, "rb") as file:
        _refuse_open_to_others(path, os.fstat(file.fileno()).st_mode & 0o077, "chmod 600")
        _refuse_open_to_others(folder, folder.stat().st_mode & 0o022, "chmod 700")
        text = file.read(1000)
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != _LENGTH:
        raise LedgerError(
            f"{path} is not a ledger key: it should hold {2 * _LENGTH} hexadecimal digits. Without the key nothing can be sealed "
            "or signed. Restore the file from your backup; a new key cannot continue an old ledger."
        )
    return key


def load_or_create(folder: Path) -> bytes:
    """Return the folder's key, made from the operating system's randomness at first use (file 0600, folder 0700).

    Two processes that start together end with the same key. Raises LedgerError as `load` does, or when it cannot be written.
    """
    key = load(folder)
    if key is not None:
        return key
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.create(folder / FILE_NAME, secrets.token_bytes(_LENGTH).hex().encode() + b"\n")
    except OSError as error:
        raise _unusable(folder / FILE_NAME, error) from None
    key = load(folder)  # ours, or that of whoever was first
    if key is None:
        raise _unusable(folder / FILE_NAME, FileNotFoundError("it was removed while it was being made"))
    return key


def _refuse_open_to_others(path: Path, others: int, remedy: str) -> None:
    if others:
        raise LedgerError(
            f"{path} is open to other users of this machine (mode {path.stat().st_mode & 0o777:03o}). Whoever has the key "
            f"can rewrite the ledger unseen, so it is not used. Type `{remedy} {path}`, and make a new one if it was read."
        )


def _unusable(path: Path, error: OSError) -> LedgerError:
    return LedgerError(
        f"the ledger's key {path} cannot be used: {error.strerror or error}. Without it nothing can be sealed, so nothing was "
        "charged. Fix the path's permissions, or name another folder in the environment variable TACIT_KEYS."
    )
