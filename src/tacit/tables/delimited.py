"""Text files with one row a line: comma, semicolon, tab or bar between fields, quoted fields, UTF-8 unless said otherwise.

Errors name the file and the line, never a field's content.
"""

import codecs
import contextlib
import csv
import io
import re

import pyarrow as pa
import pyarrow.csv

from tacit.errors import ConfigError, DataError

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE = 1 << 16  # bytes read to find the delimiter
_BLOCK = 1 << 23  # bytes parsed at a time
_LARGEST_BLOCK = (1 << 31) - 1
_END = "end-of-table"


def read_delimited(raw: bytes, source: str, *, encoding: str | None = None, delimiter: str | None = None) -> pa.Table:
    """Return the rows of a text file as string columns, fields as written; empty lines are skipped.

    raw       -- the file's bytes.
    source    -- its name, for messages.
    encoding  -- None is UTF-8, with or without a byte order mark.
    delimiter -- one character; None finds it from the first 64 KiB, and refuses when two would fit.
    Raises DataError for a wrong encoding, an unusable header, a row wider or narrower than the header, an open quote.
    Raises ConfigError for an unknown encoding or a delimiter that is not one character.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n' or not delimiter.isascii()):
        raise ConfigError(
            f"delimiter must be one ASCII character, got {delimiter!r}. "
            "It stands between two fields. Write for example delimiter=';'."
        )
    text = _utf8(raw, source, encoding)
    body = text.lstrip(b"\r\n")
    skipped = _lines(text[: len(text) - len(body)])
    if b"\n" not in body and b"\r" not in body:  # Arrow wants the header's line ended
        body += b"\n"
    if body.isspace():
        raise DataError(
            f"{source} is empty. A study needs a header line and rows. Check that the export finished, or name another file."
        )
    try:
        sample, whole = _sample(body)
        delimiter = delimiter or _detected(sample, whole, source)
        header = _header(_records(sample, delimiter)[0], source)
        return _parsed(body, header, delimiter, source, skipped=skipped)
    except UnicodeDecodeError:
        raise _undecodable(raw, source, encoding or "UTF-8") from None


def _utf8(raw: bytes, source: str, encoding: str | None) -> bytes:
    """Return the text as UTF-8 without a byte order mark; without `encoding` it is not yet known to be valid."""
    if encoding is None:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise DataError(
                f"{source} is UTF-16, not UTF-8: it begins with the mark of UTF-16 (byte 0, line 1). "
                'Its letters would be misread. Read it with encoding="utf-16", or export it again as "CSV UTF-8".'
            )
        text = raw.removeprefix(codecs.BOM_UTF8)
    else:
        try:
            text = raw.decode(encoding).removeprefix("\ufeff").encode()
        except UnicodeError:
            raise _undecodable(raw, source, encoding) from None
        except LookupError:
            raise ConfigError(
                f"encoding {encoding!r} is not one Python knows. "
                'Text cannot be read without it. Write for example encoding="cp1252".'
            ) from None
    if (at := text.find(b"\0")) >= 0:
        raise DataError(
            f"{source} holds a zero byte (byte {at}, line {_lines(text[:at]) + 1}), so it is not a text table in this encoding. "
            'Fields would be torn. Export it as CSV in UTF-8, or give the encoding it was saved in, such as encoding="utf-16".'
        )
    return text


def _undecodable(raw: bytes, source: str, encoding: str) -> DataError:
    at = 0
    try:
        raw.decode(encoding)
    except UnicodeDecodeError as error:
        at = error.start
    except UnicodeError:  # UTF-16 without its mark
        pass
    return DataError(
        f"{source} is not {encoding} text: byte {at}, in line {_lines(raw[:at]) + 1}, does not belong to it. "
        "Letters would be misread, and one value would become two. Say how the file was saved, often "
        'encoding="cp1252" (Windows, Western Europe) or encoding="latin-1", or export it again as "CSV UTF-8".'
    )


def _lines(text: bytes) -> int:
    """Number of line ends: \\n, \\r\\n or \\r."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _sample(body: bytes) -> tuple[str, bool]:
    """Return text from the start of the file that holds at least two records, and whether that is all of it."""
    size = _SAMPLE
    while size < len(body):
        sample = codecs.getincrementaldecoder("utf-8")().decode(body[:size])
        if len(_records(sample, ",")) > 2:  # the last may be cut
            return sample, False
        size *= 4
    return body.decode(), True


def _records(sample: str, delimiter: str) -> list[list[str]]:
    records: list[list[str]] = []
    with contextlib.suppress(csv.Error):  # a field longer than Python's csv takes: the records before it decide
        records.extend(record for record in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if record)
    return records or [[""]]


def _detected(sample: str, whole: bool, source: str) -> str:
    """Return the delimiter under which every record of the sample has the header's width, more than one."""
    widths: dict[str, list[int]] = {}
    for one in _DELIMITERS:
        found = [len(record) for record in _records(sample, one)]
        widths[one] = found if whole or len(found) == 1 else found[:-1]  # the last may be cut
    even = [one for one, found in widths.items() if found[0] > 1 and len(set(found)) == 1]
    if len(even) > 1:
        raise DataError(
            f"the fields of {source} could be separated by any of {', '.join(map(repr, even))}. "
            f"A wrong guess would tear values apart. Say which it is: delimiter={even[0]!r}."
        )
    return even[0] if even else max(_DELIMITERS, key=lambda one: widths[one][0])


def _header(cells: list[str], source: str) -> list[str]:
    """Return the column names. Raises DataError, by position, for names that are empty, repeated, or look like data."""
    names = [cell.strip() for cell in cells]
    seen: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if not name:
            raise DataError(
                f"column {position} of {source} has no name. A study addresses columns by name. "
                "Write one in the header line (pandas: save with to_csv(..., index=False))."
            )
        if re.fullmatch(r"[+-]?[0-9]+([.,][0-9]*)?", name):
            raise DataError(
                f"the name of column {position} of {source} is a number, so the first line looks like a row of data. "
                "Names are public and printed in reports; a person's values must not become names. "
                "Add a header line, or give the column a name with a letter (year_2019)."
            )
        if seen.setdefault(name, position) != position:
            raise DataError(
                f"columns {seen[name]} and {position} of {source} have the same name. "
                "A study could not say which one it means. Rename one of them in the header line."
            )
    return names


def _parsed(body: bytes, header: list[str], delimiter: str, source: str, *, skipped: int) -> pa.Table:
    width, quoted, text = len(header), b'"' in body, body
    if quoted:  # an open quote would swallow the rest of the file into one field: a last row of our own must come back
        text = body + b"\n" + delimiter.join([_END] * width).encode()
    ragged: list[int] = []
    try:
        table = _arrow(text, width, delimiter, quoted, ragged)
    except pa.ArrowInvalid:
        raise _reason(body, width, delimiter, source, skipped) from None  # Arrow's own message quotes the row
    complete = not quoted or (table.num_rows > 0 and all(column[-1].as_py() == _END for column in table.columns))
    if ragged or not complete:
        raise _reason(body, width, delimiter, source, skipped)
    return table.slice(0, table.num_rows - int(quoted)).rename_columns(header)


def _arrow(text: bytes, width: int, delimiter: str, quoted: bool, ragged: list[int]) -> pa.Table:
    """Return the rows; the widths of rows that do not fit are appended to `ragged`."""

    def note(row: pa.csv.InvalidRow) -> str:
        ragged.append(row.actual_columns)
        return "skip"

    def read(block: int) -> pa.Table:
        names = [str(position) for position in range(width)]
        as_written = dict.fromkeys(names, pa.string())
        return pa.csv.read_csv(
            pa.BufferReader(text),
            pa.csv.ReadOptions(column_names=names, skip_rows_after_names=1, block_size=block),
            pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=quoted, invalid_row_handler=note),
            pa.csv.ConvertOptions(column_types=as_written, null_values=[], strings_can_be_null=False),
        )

    try:
        return read(_BLOCK)
    except pa.ArrowInvalid:  # a row longer than a block; any other fault comes again
        return read(min(len(text) + 1, _LARGEST_BLOCK))


def _reason(body: bytes, width: int, delimiter: str, source: str, skipped: int) -> DataError:
    """Return the error that says in which line the file stops being a table. Raises UnicodeDecodeError."""
    start = 1 + skipped
    reader = csv.reader(io.StringIO(body.decode(), newline=""), delimiter=delimiter, strict=True)
    try:
        for fields in reader:
            if fields and len(fields) != width:
                return _ragged(start, len(fields), width, delimiter, source)
            start = reader.line_num + 1 + skipped
    except csv.Error:
        pass
    return DataError(
        f"{source} cannot be read past line {start}: a quote is opened there and never closed, or text follows a closing quote. "
        "All rows after it would disappear into one field. "
        'Close the quote; a quote that belongs to a field is written twice ("") and its field quoted.'
    )


def _ragged(line: int, found: int, width: int, delimiter: str, source: str) -> DataError:
    return DataError(
        f"line {line} of {source} has {found} fields where the header has {width}. Values would slip into the wrong columns. "
        f"The line is not shown, because it may be private. Put fields that hold {delimiter!r} in double quotes, "
        "or say what separates the fields with delimiter=."
    )
