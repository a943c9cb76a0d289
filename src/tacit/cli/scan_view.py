"""What a scan found, as tables for a terminal of 80 columns."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from tacit.anonymize.identify import ColumnFinding, Coverage, Separation


def columns_table(found: "Sequence[ColumnFinding]") -> "Table":
    """Return one row a column: what it seems to be, the suggested role, how sure that is, and why."""
    table = _table("", "column", "seems", "role", "sure", "why")
    table.columns[0].max_width = 18
    table.columns[3].justify = "right"
    table.columns[4].ratio = 1
    for one in found:
        table.add_row(
            _plain(one.column), one.kind or "–", one.role.value, f"{one.confidence:.0%}", _plain("; ".join(one.reasons))
        )
    return table


def coverage_table(covered: "Sequence[Coverage]") -> "Table":
    """Return one row for each of HIPAA's eighteen identifiers."""
    table = _table(
        "HIPAA's eighteen identifiers, 45 CFR 164.514(b)(2)", "", "identifier", "status", "columns, or what was looked at"
    )
    table.columns[3].ratio = 1
    for one in covered:
        table.add_row(one.letter, one.identifier, one.status, _plain(", ".join(one.columns) or one.how))
    return table


def separation_view(apart: "Sequence[Separation]", most: int) -> "Table":
    """Return the best separating combinations of each size, at most `most` each, the best first."""
    table = _table("How well quasi-identifiers tell rows apart", "columns", "distinct", "separation", "unique rows")
    for place in (1, 2, 3):
        table.columns[place].justify = "right"
    for _, rows in groupby(apart, key=lambda one: len(one.columns)):
        for one in list(rows)[: -most - 1 : -1]:
            table.add_row(_plain(" + ".join(one.columns)), f"{one.distinction:.2%}", f"{one.separation:.4%}", f"{one.unique}")
    return table


def _table(title: str, *headings: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, expand=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape("".join(sign if sign.isprintable() else "?" for sign in text))
