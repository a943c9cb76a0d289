"""Measured risk and utility as a table for a terminal of 80 columns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from tacit.cli.risk_measures import Measurement
    from tacit.models.finding import Finding

_PARTS = (
    ("reidentification-risk", "risk"),
    ("reidentification-attack", "attacks (95% intervals)"),
    ("anonymization-utility", "utility: what was lost"),
)


def show_risk(measured: "Mapping[str, Sequence[Finding]]", asked: "Measurement") -> None:
    """Print the table, and what it says of whom."""
    from tacit.cli.console import console, say

    console().print(risk_table(measured))
    say(
        f"By {', '.join(asked.quasi)}; a missing value is a value of its own. Other columns may tell people apart too: see tacit scan."
    )
    for line in _notes(measured, asked):
        say(line)
    say("Not for release: these are exact statistics of private rows.")


def risk_table(measured: "Mapping[str, Sequence[Finding]]") -> "Table":
    """Return one row a figure and one column a table ("before", "after"), by parts; a figure that a table lacks is a dash."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("", overflow="fold")
    for when in measured:
        table.add_column(when, justify="right", no_wrap=True)
    table.add_row("rows", *(f"{found[0].n:,}" for found in measured.values()))
    for kind, heading in _PARTS:
        shown = {
            when: {_name(finding): _value(finding) for finding in found if finding.kind == kind}
            for when, found in measured.items()
        }
        names = dict.fromkeys(name for figures in shown.values() for name in figures)
        if names:
            table.add_section()
            table.add_row(f"[bold]{heading}[/bold]")
        for name in names:
            table.add_row(escape(name), *(figures.get(name, "–") for figures in shown.values()))
    return table


def _notes(measured: "Mapping[str, Sequence[Finding]]", asked: "Measurement") -> list[str]:
    """Return what a reader must know of the attacks and of what was not measured."""
    if asked.after is None:
        return []
    notes = [f"Utility was not measured: {found.method}" for found in measured["after"] if found.name == "utility, after"]
    tries = sorted({found.n or 0 for every in measured.values() for found in every if ": success, " in found.name})
    notes.append(f"Each attack was tried {' to '.join(f'{n:,}' for n in dict.fromkeys((tries[0], tries[-1])))} times.")
    if asked.control is None:
        notes.append("Without --control a rate also counts what is learned about anyone, and no residual risk is known.")
    else:
        notes.append(
            "Residual risk: what succeeds beyond the control, people outside the release; 0 says that a row adds nothing."
        )
    if not asked.secrets:
        notes.append("Inference was not tried: name --sensitive columns.")
    if len(asked.quasi) == 1:
        notes.append("Linkability was not tried: it needs two quasi-identifiers.")
    return notes


def _name(finding: "Finding") -> str:
    """The finding's name without the table that it is of, which the heading says."""
    return finding.name.rpartition(", ")[0]


def _value(finding: "Finding") -> str:
    value = finding.value
    if value is None or isinstance(value, str):
        return "no solution" if finding.kind == "reidentification-risk" else "not known"
    if finding.interval is not None:
        return f"{value:.1%} ({', '.join(_end(end) for end in finding.interval)})"
    if finding.unit == "share":
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value >= 1000 else f"{value:,.3g}"


def _end(end: float) -> str:
    """Write an end of an interval of shares in percent; the lower one of a residual risk says nothing below -100."""
    return "<-100" if end < -1 else f"{100 * end:.1f}"
