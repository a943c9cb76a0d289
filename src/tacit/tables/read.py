"""Read a table from a file or from any table-like object into Arrow, and make its types and missing values explicit."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tacit.errors import ConfigError, DataError
from tacit.tables.schema import Kind, member, nearest
from tacit.tables.sources import from_file, from_object, is_text_file
from tacit.tables.values import GUESSED, MISSING, check_missing, guessed, plain, to_number, to_text, with_missing


def read_table(
    source: Any,
    *,
    missing: Sequence[str] = MISSING,
    kinds: Mapping[str, Kind] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> pa.Table:
    """Return the table at or in `source`; every column is int64, float64 or string, missing values are null.

    source    -- a path (.csv, .tsv, .txt, each also .gz; .parquet; .arrow, .feather), an Arrow table or record batch
        reader, a mapping of names to arrays, or any object with `__arrow_c_stream__` or `__dataframe__` (pandas, polars).
    missing   -- texts that stand for a missing value, quoted or not, in any source; spaces around values are dropped before.
        Those that are numbers ("-9") also count in numeric columns. NaN is always missing.
    kinds     -- column name -> how its values are read. Numeric columns become numbers or are refused; categorical and text
        columns keep the text as written. Of a text file's other columns, those of plain numbers become numbers (see
        `tables.values.guessed`); codes such as "007", dates and truth values stay text.
    encoding  -- of a text file; None is UTF-8, with or without a byte order mark.
    delimiter -- of a text file; None finds comma, semicolon, tab or bar, and refuses when two would fit.

    Raises DataError when the source cannot be read, has no rows, or does not fit `kinds`; messages name columns and rows and
    never show a value. Raises ConfigError for wrong settings.
    """
    missing = check_missing(missing)
    wanted = {name: member(Kind, kind, f"the kind of column {name!r}") for name, kind in (kinds or {}).items()}
    is_text = isinstance(source, str | os.PathLike) and is_text_file(Path(source))
    if not is_text and (encoding is not None or delimiter is not None):
        raise ConfigError(
            f"encoding and delimiter belong to text files, got them with {_name(source)}. They would be ignored. Leave them out."
        )
    data = from_file(Path(source), encoding, delimiter) if isinstance(source, str | os.PathLike) else from_object(source)
    _check(data, _name(source), wanted)
    return _normalized(data, missing, wanted, guess=is_text)


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else f"the {type(source).__name__}"


def _check(data: pa.Table, source: str, kinds: Mapping[str, Kind]) -> None:
    names = data.column_names
    if not names or data.num_rows == 0:
        raise DataError(
            f"{source} is an empty table: {len(names)} columns and {data.num_rows} rows. "
            "There is nobody to protect or to learn from. Check that the export finished, or name another source."
        )
    seen: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if seen.setdefault(name, position) != position:
            raise DataError(
                f"columns {seen[name]} and {position} of {source} have the same name. "
                "A study could not say which one it means. Rename one of them."
            )
    for name in kinds:
        if name not in names:
            raise DataError(
                f"the study names column {name!r}, which {source} lacks.{nearest(name, names)} "
                "Every stage would miss it. Correct the name in the study, or name the right source."
            )


def _normalized(data: pa.Table, missing: Sequence[str], kinds: Mapping[str, Kind], *, guess: bool) -> pa.Table:
    columns, fields = [], []
    for name in data.column_names:
        column = with_missing(plain(data.column(name), name), missing)
        metadata = None
        if name in kinds:
            column = to_number(column, name) if kinds[name] is Kind.NUMERIC else to_text(column)
        elif guess:
            column = guessed(column)
            metadata = GUESSED if pa.types.is_float64(column.type) else None
        columns.append(column)
        fields.append(pa.field(name, column.type, metadata=metadata))
    return pa.table(columns, schema=pa.schema(fields))
