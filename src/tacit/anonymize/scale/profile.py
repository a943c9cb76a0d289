"""What the columns of a large table are like: how many values they have, which says which of them can be quasi-identifiers; first rows."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tacit.anonymize.scale.expressions import ROWS, count_values, plain_rows
from tacit.anonymize.scale.source import open_source
from tacit.tables.values import guessed


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnCount:
    """One column, counted. rows -- of the table; missing -- without a value; distinct -- different values, missing not counted."""

    name: str
    rows: int
    missing: int
    distinct: int


def count_columns(
    source: Any,
    names: Sequence[str] | None = None,
    *,
    backend: Any = None,
    memory_limit: int | None = None,
    threads: int | None = None,
) -> tuple[ColumnCount, ...]:
    """Return the counts of the named columns, or of all. Exact statistics of private rows: for the custodian.

    The other parameters, and the errors raised, are those of `anonymize_file`.
    """
    with (
        tempfile.TemporaryDirectory(prefix=".tacit.") as folder,
        open_source(source, backend, scratch=Path(folder), memory_limit=memory_limit, threads=threads) as origin,
    ):
        names = list(origin.table.columns) if names is None else list(names)
        [counts] = count_values(plain_rows(origin.table, names, text=origin.text)).to_pyarrow().to_pylist()
    rows = int(counts[ROWS])
    return tuple(
        ColumnCount(name=name, rows=rows, missing=int(counts[f"missing{i}"] or 0), distinct=int(counts[f"distinct{i}"]))
        for i, name in enumerate(names)
    )


def first_rows(
    source: Any, rows: int, *, backend: Any = None, memory_limit: int | None = None, threads: int | None = None
) -> pa.Table:
    """Return the first `rows` rows of all columns, numbers in text as numbers where these rows hold nothing else.

    A table in a database has no first rows: any may come. The other parameters, and the errors raised, are those of `anonymize_file`.
    """
    with (
        tempfile.TemporaryDirectory(prefix=".tacit.") as folder,
        open_source(source, backend, scratch=Path(folder), memory_limit=memory_limit, threads=threads) as origin,
    ):
        names = list(origin.table.columns)
        table = plain_rows(origin.table, names, text=origin.text).limit(rows).to_pyarrow().rename_columns(names)
        return pa.table({name: guessed(table.column(name)) for name in names}) if origin.text else table
