"""Measured risk as a table for a terminal of 80 columns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from tacit.models.finding import Finding


def risk_table(measured: "Mapping[str, Sequence[Finding]]") -> "Table":
    """Return one row a figure and one column a table ("before", "after"); a figure that a table lacks is a dash."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("risk", overflow="fold")
    for when in measured:
        table.add_column(when, justify="right", no_wrap=True)
    shown = {when: {_name(finding): _value(finding) for finding in found} for when, found in measured.items()}
    for name in dict.fromkeys(name for figures in shown.values() for name in figures):
        table.add_row(name, *(figures.get(name, "–") for figures in shown.values()))
    table.add_row("rows", *(str(found[0].n) for found in measured.values()))
    return table


def _name(finding: "Finding") -> str:
    """The finding's name without the table that it is of, which the heading says."""
    return finding.name.rpartition(", ")[0]


def _value(finding: "Finding") -> str:
    if finding.value is None:
        return "no solution"
    if finding.unit == "rows":
        return f"{finding.value}"
    return f"{finding.value:.2%}"
