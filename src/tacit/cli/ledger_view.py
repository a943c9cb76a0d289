"""A ledger as tables for a terminal."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tacit.privacy.ledger.units import written

if TYPE_CHECKING:
    from rich.table import Table


def entries_table(book: Mapping[str, Any]) -> "Iterator[Table]":
    """Yield one table of all entries; the totals stand in its caption, beside the releases that have no epsilon."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, caption=_caption(book), caption_justify="left")
    for heading in ("no.", "kind", "data", "what", "epsilon"):
        table.add_column(heading, justify="right" if heading in ("no.", "epsilon") else "left")
    for entry in book["entries"]:
        if entry["kind"] in ("ledger", "steps"):
            continue
        body = entry["body"]
        what = body.get("what") or body.get("purpose") or body.get("note") or ""
        table.add_row(str(entry["seq"]), entry["kind"], entry["dataset"], what, _epsilon(entry))
    yield table


def _epsilon(entry: Mapping[str, Any]) -> str:
    if entry["kind"] == "dp":
        return written(entry["body"]["block"]["guarantee"]["epsilon"], 4)
    return f"+{entry['body']['epsilon']:g}" if entry["kind"] == "grant" else ""


def _caption(book: Mapping[str, Any]) -> str:
    lines = []
    for name, one in book["datasets"].items():
        releases = "1 release that has" if len(one["not_dp"]) == 1 else f"{len(one['not_dp'])} releases that have"
        spent, granted = written(one["spent"]["epsilon"], 4), f"{one['granted']['epsilon']:g}"
        lines.append(f"{name}: epsilon {spent} of {granted} spent over the dp entries, and {releases} no epsilon.")
    return "\n".join(lines)
