"""What is odd about columns as they were read, one line each: statistics of private rows, for the custodian's screen alone."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.columns import get_column, is_text
from tacit.cli.anonymize_view import printable

_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
_MOST = 0.5


def remarks(table: pa.Table, quasi: Sequence[str], shown: Sequence[str], *, first: int | None = None) -> list[str]:
    """Return a line for each column shown that is missing everywhere, and for each column used that is numbers with some texts among them.

    quasi, shown -- quasi-identifiers, and columns released as they are. first -- how many rows these may be of more; None: all rows.
    """
    rows = "every row" if first is None or table.num_rows < first else f"the first {first} rows"
    lines = []
    for name in dict.fromkeys((*quasi, *shown)):
        column = get_column(table, name)
        if column.null_count == len(column):
            lines.append(f"{printable(name)}: missing in {rows}; it is released and tells nothing.")
        elif is_text(column.type) and (texts := _texts_among_numbers(column)):
            lines.append(
                f"{printable(name)}: read as text, not as numbers, as {texts} of {len(column) - column.null_count} values are none."
            )
    return lines


def _texts_among_numbers(column: pa.Array) -> int:
    """Return how many values are no number, where they are fewer than half, else 0. Codes of digits alone have none."""
    known = column.drop_null()
    numbers = int(pc.sum(pc.match_substring_regex(known, _NUMBER)).as_py() or 0)
    return len(known) - numbers if numbers > _MOST * len(known) else 0
