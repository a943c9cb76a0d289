"""The ledger's tables, and what a file must look like to be opened as a ledger."""

import sqlite3
from pathlib import Path

from tacit.errors import LedgerError
from tacit.privacy.ledger.chain import Entry

VERSION = 1
APPLICATION_ID = 0x74616369  # "taci", in the SQLite header
COLUMNS = ", ".join(Entry._fields)

STATEMENTS = (
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, dataset TEXT NOT NULL, "
    "request_id TEXT UNIQUE, block INTEGER, claimed INTEGER, body TEXT NOT NULL, "
    "granted_epsilon INTEGER NOT NULL, granted_delta INTEGER NOT NULL, "
    "spent_epsilon INTEGER NOT NULL, spent_delta INTEGER NOT NULL, "
    "previous BLOB NOT NULL, hash BLOB NOT NULL, seal BLOB NOT NULL)",
    "CREATE INDEX by_dataset ON entries (dataset)",
    "CREATE INDEX by_block ON entries (block) WHERE block IS NOT NULL",
)


def create(connection: sqlite3.Connection) -> None:
    """Lay out an empty ledger in an empty database."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    for statement in STATEMENTS:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise LedgerError unless the database is a ledger of this version with exactly its own tables.

    A trigger or a view planted in the file would act inside tacit's own transactions.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise LedgerError(
            f"{path} is not a tacit ledger. Nothing was charged, and the file was left alone. Check the path, "
            "or name a file that does not exist yet."
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise LedgerError(
            f"the ledger {path} was written by a newer tacit (its format is {version}; this tacit knows up to {VERSION}). "
            "Charging it could damage it, so it was left alone. Upgrade tacit: `pip install --upgrade tacit`."
        )
    found = {row[0] for row in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}
    if version != VERSION or found != set(STATEMENTS):
        raise LedgerError(
            f"the tables of the ledger {path} are not those tacit made. Something altered the file, so nothing was charged. "
            "Restore the ledger from a copy for which `tacit ledger verify` reports no problem."
        )
