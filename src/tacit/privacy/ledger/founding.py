"""Making a new ledger, all of it or nothing, and knowing an existing one again."""

import os
import secrets
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from tacit.errors import LedgerError
from tacit.privacy.ledger import chain, durable, schema
from tacit.privacy.ledger.blocks import canonical
from tacit.privacy.ledger.chain import Entry, Sealer
from tacit.privacy.ledger.head import public_key
from tacit.privacy.ledger.store import connect, unusable


def found(path: Path, key: bytes) -> None:
    """Create a ledger with its first row at `path`; when another process was faster, its ledger stands.

    The file is completed under another name and then linked, so no process ever sees half a ledger.
    """
    _refuse_orphaned_log(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))  # a ledger names what was exact: not for others
        _write_first_row(temporary, key)
        durable.link(temporary, path)
    except OSError as error:
        raise LedgerError(
            f"the ledger {path} cannot be created: {error.strerror or error}. Nothing was charged or released. "
            "Choose a folder you may write, on a disk with free space."
        ) from None
    except sqlite3.Error as error:
        raise unusable(path, error) from None
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                os.unlink(f"{temporary}{suffix}")


def first_row(entry: Entry | None, path: Path) -> Entry:
    """Return row 1 if it has the form of what founds a ledger, else raise LedgerError; its seal is the caller's to check."""
    try:
        if entry is not None and entry.kind == chain.FOUNDING and isinstance(entry.content["ledger_id"], str):
            return entry
    except (KeyError, TypeError, ValueError):
        pass
    raise LedgerError(
        f"the ledger {path} does not begin with the row that founds it: it was cut or rewritten. Nothing was charged. "
        "Restore it from a copy for which `tacit ledger verify` reports no problem."
    )


def _write_first_row(path: Path, key: bytes) -> None:
    ledger_id = secrets.token_hex(16)
    body = canonical({"ledger_id": ledger_id, "public_key": public_key(key), "schema": schema.VERSION})
    fields = (1, time.time_ns(), chain.FOUNDING, "", None, None, None, body, 0, 0, 0, 0, chain.FIRST_PREVIOUS)
    first = Sealer(key, ledger_id).sealed(fields)
    connection = connect(path, "rw")
    try:
        schema.create(connection)
        connection.execute(f"INSERT INTO entries VALUES ({', '.join('?' * len(first))})", first)
        connection.execute("COMMIT")
    finally:
        connection.close()  # the last connection moves the log into the file
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_orphaned_log(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    if log.exists() and not path.exists():  # in this order: another process may be founding it now
        raise LedgerError(
            f"the ledger {path} is gone but its log {log.name} is still there: charges would be forgotten, so no new ledger was "
            f"made. Restore {path.name}, or move the log away if you mean to start from nothing."
        )
