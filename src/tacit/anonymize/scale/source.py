"""Where the rows lie: a file that an embedded DuckDB reads piece by piece, or a table in a database of your own."""

import csv
import gzip
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tacit.anonymize.scale.expressions import load_ibis
from tacit.errors import ConfigError, DataError
from tacit.tables.sources import is_text_file

_DELIMITERS = (",", ";", "\t", "|")
_PARQUET = (".parquet", ".pq")
_FOREIGN = (pa.types.is_temporal, pa.types.is_large_string, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
"""Types of which the database has one, whatever their unit, time zone or length."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A table that a database can be asked about.

    table -- an Ibis table. text -- whether its columns are all text, as written in a file. files -- the files it lies in;
    folder -- the folder of which they are the parts, if any. types -- of the columns whose Arrow type in the files is not one that
    the database knows; they are counted as its own and released as theirs.
    """

    table: Any
    text: bool
    files: tuple[Path, ...] = ()
    folder: Path | None = None
    types: Mapping[str, pa.DataType] = field(default_factory=dict)

    @property
    def backend(self) -> str:
        """The database and its version, as "duckdb 1.5.6"."""
        connection = self.table.get_backend()
        return f"{connection.name} {connection.version}"


@contextmanager
def open_source(source: Any, backend: Any, *, scratch: Path, memory_limit: int | None, threads: int | None) -> Iterator[Origin]:
    """Give the table at `source`; a DuckDB opened for it is closed at the end.

    source  -- path of a .parquet or .csv file (.tsv, .txt, each also .gz), or of a folder of .parquet files; with `backend` the name
               of a table there; or an Ibis table.
    backend -- an Ibis connection; None: an embedded DuckDB with these limits, which writes what does not fit to `scratch`.
    Raises ConfigError for wrong settings, DataError when there is no such file, MissingExtra without DuckDB.
    """
    if backend is None and isinstance(source, str | os.PathLike):
        with _own_database(Path(source), scratch, memory_limit, threads) as origin:
            yield origin
        return
    if memory_limit is not None or threads is not None:
        raise ConfigError(
            "memory_limit and threads belong to the DuckDB that tacit opens for a file, got them with a database of your own. "
            "They would be ignored. Set them there, and leave them out here."
        )
    yield Origin(table=backend.table(source) if isinstance(source, str) else source, text=False)


@contextmanager
def _own_database(path: Path, scratch: Path, memory_limit: int | None, threads: int | None) -> Iterator[Origin]:
    """Give the table of a file, in a DuckDB in memory that never reaches for the network."""
    files, text = _files(path)
    ibis = load_ibis()
    import duckdb

    settings: dict[str, Any] = {"temp_directory": str(scratch), "autoinstall_known_extensions": False}
    settings |= {} if memory_limit is None else {"memory_limit": f"{_at_least('memory_limit', memory_limit, 2**28)}B"}
    settings |= {} if threads is None else {"threads": _at_least("threads", threads, 1)}
    connection = ibis.duckdb.connect(**settings)
    try:
        table, types = (_read_csv(connection, path), {}) if text else _read_parquet(connection, files)
        yield Origin(table=table, text=text, files=files, folder=path if path.is_dir() else None, types=types)
    except duckdb.OutOfMemoryException:
        raise DataError(
            "the database needs more memory than it may have, even with what it can write to disk. Nothing is released. Raise "
            "memory_limit, or name fewer columns to keep: they are sorted with the rest."
        ) from None
    except duckdb.Error as error:  # its text quotes the row
        raise DataError(
            f"{path} cannot be read to its end ({type(error).__name__}): rows of different lengths, an open quote, wrong UTF-8 or a "
            "damaged file. The place is not shown, because it may be private. Read it with tacit.tables.read_table, which names the line."
        ) from None
    finally:
        connection.disconnect()


def _at_least(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        unit = "bytes (268435456 is 256 MiB)" if name == "memory_limit" else "threads"
        raise ConfigError(
            f"{name} must be a whole number >= {least}, in {unit}, got {value!r}: less cannot work. Leave it out for the default."
        )
    return value


def _files(path: Path) -> tuple[tuple[Path, ...], bool]:
    """Return the files to read, and whether they are text. Raises ConfigError for a name that the database would take for a pattern."""
    if path.is_dir():
        files = tuple(sorted(file for file in path.iterdir() if file.name.lower().endswith(_PARQUET)))
        if not files:
            raise DataError(f"the folder {path} holds no .parquet file. Nothing was read. Name the folder of the table's parts.")
        for file in files:
            _refuse_pattern(file)
        return files, False
    _refuse_pattern(path)
    if not path.is_file():
        raise DataError(f"there is no file {path}. Nothing was read. Check the path; it is taken from {Path.cwd()}.")
    if not (is_text_file(path) or path.name.lower().endswith(_PARQUET)):
        raise ConfigError(
            f"{path} ends in none of .parquet, .pq, .csv, .tsv, .txt (text also with .gz), and the ending says how to read a file. "
            "Export the table as Parquet or CSV, or give an Ibis table."
        )
    return (path,), is_text_file(path)


def _refuse_pattern(file: Path) -> None:
    if any(mark in str(file) for mark in "*?["):
        raise ConfigError(
            f"the path {file} holds one of * ? [, which the database takes for a pattern: it would read other files. Rename it."
        )


def _read_parquet(connection: Any, files: Sequence[Path]) -> tuple[Any, dict[str, pa.DataType]]:
    """Return the table of Parquet files, and the types that the database does not know, by the first file's schema.

    Instants and times of day are counted to the microsecond, the finest that the database compares.
    """
    table = connection.read_parquet([str(file) for file in files])
    types = {one.name: one.type.value_type if pa.types.is_dictionary(one.type) else one.type for one in pq.read_schema(files[0])}
    times = [name for name, one in types.items() if one.equals(pa.time64("ns")) and name in table.columns]
    table = table.mutate(**{name: table[name].cast("time") for name in times})
    return table, {name: one for name, one in types.items() if any(test(one) for test in _FOREIGN)}


def _read_csv(connection: Any, file: Path) -> Any:
    """Return the table of a text file, every column as written. Raises DataError for a header without names, or with one twice."""
    opener: Any = gzip.open if file.name.lower().endswith(".gz") else open
    with opener(file, "rt", encoding="utf-8-sig", newline="") as stream:
        line = stream.readline()
    headers = {delimiter: next(csv.reader([line], delimiter=delimiter), []) for delimiter in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=lambda one: len(headers[one]))
    names = [name.strip() for name in headers[delimiter]]
    if not all(names) or len(set(names)) < len(names):
        raise DataError(
            f"the header of {file} has columns without a name, or two of one name. A column is known by its name alone. Rename them."
        )
    columns = dict.fromkeys(names, "string")
    return connection.read_csv(str(file), columns=columns, header=True, delim=delimiter, auto_detect=False, quote='"', escape='"')
