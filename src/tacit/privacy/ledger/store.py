"""SQLite under the ledger: one connection, one process, full sync, and errors that say what to do."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from tacit.errors import LedgerError
from tacit.privacy.ledger import schema
from tacit.privacy.ledger.chain import Entry
from tacit.privacy.ledger.turn import Turn

BUSY_SECONDS = 120.0

_SELECT = f"SELECT {schema.COLUMNS} FROM entries"
_LAST = f"{_SELECT} ORDER BY seq DESC LIMIT 1"
_LAST_OF_DATASET = f"{_SELECT} WHERE dataset = ? ORDER BY seq DESC LIMIT 1"
_LAST_OF_BLOCK = f"{_SELECT} WHERE block = ? ORDER BY seq DESC LIMIT 1"
_BY_SEQ = f"{_SELECT} WHERE seq = ?"
_BY_REQUEST = f"{_SELECT} WHERE request_id = ?"
_PAGE = f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT 1000"
_INSERT = f"INSERT INTO entries VALUES ({', '.join('?' * len(Entry._fields))})"

_REASONS = {  # SQLite's primary result codes: what happened, what to do
    sqlite3.SQLITE_BUSY: ("another process holds it locked", "Wait for that process or stop it, then try again"),
    sqlite3.SQLITE_FULL: ("the disk is full", "Free some space on that disk, then try again"),
    sqlite3.SQLITE_IOERR: ("the disk did not take or give the data", "Check that disk's free space, quota and health"),
    sqlite3.SQLITE_READONLY: ("it is read-only", "Make the file and its folder writable for you"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "Check that the path is a file you may write, in a folder you may write"),
    sqlite3.SQLITE_NOTADB: ("it is not a tacit ledger", "Check the path, or name a file that does not exist yet"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "Restore it from a copy for which `tacit ledger verify` reports no problem"),
}


class RequestIdTaken(LedgerError):
    """Another row has this request id; the caller says which."""


class RowTaken(LedgerError):
    """Another process has written a row of this number; the caller reads on and tries again."""


class Store:
    """The rows on disk. As a context manager: one write transaction, committed durably or not at all.

    Threads may share a store (they take turns); processes may not: each opens its own.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._pid = os.getpid()
        self._open = False
        self._threads = threading.RLock()
        self._turn: Turn | None = None
        try:
            self._connection = connect(path, "ro" if read_only else "rw")
            self._open = True
            schema.check(self._connection, path)
            if not read_only:
                self._turn = Turn(path.with_name(f"{path.name}.lock"))
                _make_durable(self._connection)
        except sqlite3.Error as error:
            self.close()
            raise unusable(path, error) from None
        except OSError as error:
            self.close()
            raise LedgerError(
                f"the ledger {path} cannot be written: {error.strerror or error}. Nothing was charged or released. "
                "Make its folder writable for you, and free some space."
            ) from None
        except LedgerError:
            self.close()
            raise

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection; raises LedgerError after close, and in a forked child."""
        if os.getpid() != self._pid:
            raise LedgerError(
                f"the ledger {self.path} was opened by another process (this one was forked from it). SQLite's locks do not "
                "survive a fork, so a charge here could be lost. Call Ledger.open again in this process."
            )
        if not self._open:
            raise LedgerError(f"the ledger {self.path} is closed, so nothing can be charged. Open it again with Ledger.open.")
        return self._connection

    def __enter__(self) -> "Store":
        """Begin a write transaction, alone among all of tacit's processes until it ends.

        SQLite 3.7.0 to 3.51.2 can lose a commit when one process writes while another moves the log into the file
        (sqlite.org/wal.html, "The WAL-Reset Bug"), so commits, and the checkpoints they start, take turns.
        """
        connection, turn = self.connection, self._turn
        if turn is None:
            raise LedgerError(f"the ledger {self.path} was opened for reading: it is read-only here. Open it with Ledger.open.")
        self._threads.acquire()
        try:
            turn.take(BUSY_SECONDS)
            try:
                connection.execute("BEGIN IMMEDIATE")
            except BaseException:
                turn.give_back()
                raise
        except BaseException as error:
            self._threads.release()
            if isinstance(error, sqlite3.Error):
                raise unusable(self.path, error) from None
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            connection = self._connection
            try:
                if error is None:
                    connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.rollback()
        except sqlite3.Error as failed:
            raise unusable(self.path, failed) from None
        finally:
            if self._turn is not None:
                self._turn.give_back()
            self._threads.release()

    def append(self, entry: Entry) -> Entry:
        """Insert a row, inside a transaction; raises RequestIdTaken when its request id is taken, RowTaken when its number is."""
        try:
            self._connection.execute(_INSERT, entry)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                raise RequestIdTaken(f"request id {entry.request_id!r} is taken") from None
            raise RowTaken(
                f"row {entry.seq} cannot be added to the ledger {self.path}: {error}. Nothing was charged or released. "
                "The file is damaged; `tacit ledger verify` shows where."
            ) from None
        except sqlite3.Error as error:
            raise unusable(self.path, error) from None
        return entry

    def last(self) -> Entry:
        """Return the newest row; a ledger has at least the row that founds it."""
        entry = self._one(_LAST, ())
        if entry is None:
            raise LedgerError(
                f"the ledger {self.path} has lost all its rows, so nothing was charged. Restore a copy that verifies."
            )
        return entry

    def last_of(self, dataset: str) -> Entry | None:
        """Return the dataset's newest row, which holds its running totals."""
        return self._one(_LAST_OF_DATASET, (dataset,))

    def last_claim(self, block: int) -> Entry | None:
        """Return the newest claim of steps of the block in row `block`."""
        return self._one(_LAST_OF_BLOCK, (block,))

    def at(self, seq: int) -> Entry | None:
        return self._one(_BY_SEQ, (seq,))

    def find(self, request_id: str) -> Entry | None:
        return self._one(_BY_REQUEST, (request_id,))

    def rows(self) -> Iterator[Entry]:
        """Yield every row in order, in pages, so that no reader holds a transaction open for long."""
        seq = -(2**63)
        while page := self._page(seq):
            yield from page
            if page[-1].seq <= seq:  # only in a damaged file
                return
            seq = page[-1].seq

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Everything read inside is as of one moment."""
        try:
            self.connection.execute("BEGIN")
            yield
            self.connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise unusable(self.path, error) from None

    def damage(self) -> list[str]:
        """What SQLite's own check of pages and indexes finds."""
        return [text for (text,) in self.connection.execute("PRAGMA integrity_check(10)") if text != "ok"]

    def datasets(self) -> tuple[str, ...]:
        try:
            found = self.connection.execute("SELECT DISTINCT dataset FROM entries WHERE seq > 1 ORDER BY dataset").fetchall()
        except sqlite3.Error as error:
            raise unusable(self.path, error) from None
        return tuple(name for (name,) in found)

    def close(self) -> None:
        """Close the file; in a forked child only this copy is marked closed."""
        with self._threads:
            if self._open and os.getpid() == self._pid:
                self._connection.close()  # the last to close moves the log into the file; SQLite then keeps all others out
                if self._turn is not None:
                    self._turn.close()
            self._open = False

    def _one(self, query: str, values: tuple[object, ...]) -> Entry | None:
        connection = self.connection
        try:
            with self._threads:  # never sees what another thread has not committed yet
                row = connection.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise unusable(self.path, error) from None
        return None if row is None else Entry._make(row)

    def _page(self, seq: int) -> list[Entry]:
        connection = self.connection
        try:
            with self._threads:
                return [Entry._make(row) for row in connection.execute(_PAGE, (seq,))]
        except sqlite3.Error as error:
            raise unusable(self.path, error) from None


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a database in SQLite's mode "ro", "rw" or "rwc"; transactions are begun and ended by hand."""
    address = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def unusable(path: Path, error: sqlite3.Error) -> LedgerError:
    """Return what to tell the user about an SQLite error."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF  # the primary code of an extended one
    reason, remedy = _REASONS.get(code, (f"SQLite refused: {error}", "Run `tacit ledger verify`"))
    return LedgerError(
        f"the ledger {path} cannot be used: {reason} ({error}). A release needs its entry on disk first, so nothing was charged "
        f"or released. {remedy}."
    )


def _make_durable(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # the log is on disk when COMMIT returns
    connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone does not reach the disk
