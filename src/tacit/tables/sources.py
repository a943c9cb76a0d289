"""Where tables come from: text, Parquet and Arrow files, and objects that can hand over Arrow data.

Arrow's own messages may quote values, so they are never passed on.
"""

import difflib
import gzip
import os
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tacit.errors import DataError
from tacit.tables.delimited import read_delimited

_TEXT = (".csv", ".tsv", ".txt")
_PARQUET = (".parquet", ".pq")
_ARROW = (".arrow", ".feather", ".ipc")
_NOT_TEXT = {b"PK\x03\x04": "an Excel workbook or zip archive", b"PAR1": "a Parquet file", b"ARROW1": "an Arrow file"}


def is_text_file(file: Path) -> bool:
    """Whether the name says that the file is text: .csv, .tsv or .txt, each also with .gz."""
    return file.name.lower().removesuffix(".gz").endswith(_TEXT)


def from_file(file: Path, encoding: str | None, delimiter: str | None) -> pa.Table:
    """Return a file's table; text columns as written. Raises DataError when there is none or it cannot be read."""
    ending = file.name.lower()
    try:
        if file.is_dir():
            raise DataError(f"{file} is a folder, not a table. tacit reads one file at a time. Name the file inside it.")
        if is_text_file(file):
            if delimiter is None and ending.removesuffix(".gz").endswith(".tsv"):
                delimiter = "\t"
            return read_delimited(_text(file), str(file), encoding=encoding, delimiter=delimiter)
        if ending.endswith(_PARQUET):
            return _parquet(file)
        if ending.endswith(_ARROW):
            return _feather(file)
    except FileNotFoundError:
        raise DataError(
            f"there is no file {file}.{_neighbour(file)} Nothing was read. Check the path; it is taken from {Path.cwd()}."
        ) from None
    except OSError as error:
        raise DataError(
            f"{file} cannot be read: {error.strerror or 'it is damaged'}. Nothing was read. "
            "Check the permissions and the disk, or copy the file again."
        ) from None
    raise DataError(
        f"{file} ends in none of the endings tacit reads: {', '.join((*_TEXT, *_PARQUET, *_ARROW))}, text also with .gz. "
        "The ending says how to read a file. Export the table as CSV or Parquet."
    )


def from_object(source: Any) -> pa.Table:
    """Return the table an object holds. Raises DataError when it holds none."""
    if isinstance(source, pa.Table):
        return source
    what = f"the {type(source).__name__} cannot be turned into an Arrow table"
    pandas = type(source).__module__.split(".")[0] == "pandas"  # it alone has names that are not texts, and would only warn
    names = source if isinstance(source, Mapping) else getattr(source, "columns", ()) if pandas else ()
    if not all(isinstance(name, str) for name in names):
        raise DataError(f"{what}: some of its column names are not texts. A study addresses columns by name. Rename them.")
    if isinstance(source, Mapping):
        return _guarded(lambda: pa.table(dict(source)), what)
    if hasattr(source, "__arrow_c_stream__"):
        return _guarded(lambda: pa.RecordBatchReader.from_stream(source).read_all(), what)
    if hasattr(source, "__dataframe__"):
        from pyarrow.interchange import from_dataframe

        return _guarded(lambda: from_dataframe(source), what)
    raise DataError(
        f"a table cannot be read from a {type(source).__name__}. tacit reads paths, Arrow tables, mappings of arrays, "
        "and objects with __arrow_c_stream__ or __dataframe__ (pandas, polars). Give one of these."
    )


def _neighbour(file: Path) -> str:
    try:
        close = difflib.get_close_matches(file.name, sorted(os.listdir(file.parent)), n=1)
    except OSError:
        return ""
    return f" Did you mean {str(file.parent / close[0])!r}?" if close else ""


def _text(file: Path) -> bytes:
    raw = file.read_bytes()
    for mark, kind in _NOT_TEXT.items():
        if raw.startswith(mark):
            raise DataError(
                f"{file} is {kind} under a text file's name. Its bytes are not fields. "
                "Export it as CSV, or give it the ending it should have."
            )
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error):
        raise DataError(f"{file} is a damaged gzip file. Rows would be lost. Copy it or compress it again.") from None


def _parquet(file: Path) -> pa.Table:
    import pyarrow.parquet as pq

    with file.open("rb") as handle:  # one file as it is: no columns invented from folder names such as year=2020
        return _guarded(lambda: pq.ParquetFile(handle).read(), f"{file} is not a Parquet file, or a damaged one")


def _feather(file: Path) -> pa.Table:
    with file.open("rb") as handle:
        as_file = handle.read(6) == b"ARROW1"
        handle.seek(0)
        opened = pa.ipc.open_file if as_file else pa.ipc.open_stream
        return _guarded(lambda: opened(handle).read_all(), f"{file} is not an Arrow file, or a damaged one")


def _guarded(read: Callable[[], pa.Table], what: str) -> pa.Table:
    try:
        return _without_index(read())
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        found = re.search(r"failed for column (.+) with type", " ".join(map(str, error.args)))
        where = f" Column {found[1]!r} is the first that could not be read." if found else ""
        raise DataError(
            f"{what}.{where} Its values are not shown, because they may be private. "
            "Every column must hold one kind of value, and all columns must have the same length. Write the table again."
        ) from None


def _without_index(data: pa.Table) -> pa.Table:
    """Drop the unnamed row index that pandas hands over as a column."""
    index = [name for name in data.column_names if re.fullmatch(r"__index_level_[0-9]+__", name)]
    return data.drop_columns(index) if index else data
