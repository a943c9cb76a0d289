"""An anonymization for a terminal of 80 columns: how far it is, and what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.anonymize.hierarchies import Hierarchy
    from tacit.anonymize.search import Progress


@contextmanager
def searching(*, silent: bool) -> "Iterator[Progress | None]":
    """Draw how far the search is while the block runs; nothing with --json."""
    if silent:
        yield None
        return
    from rich.progress import Progress as Bar

    from tacit.cli.console import console

    screen = console()
    with Bar(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task: Any = bar.add_task("searching", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_release(
    record: Mapping[str, Any], told: Mapping[str, Any], *, automatic: "Mapping[str, Hierarchy]", left_out: Sequence[str]
) -> None:
    """Print levels and losses by column, the hierarchies that were built from the data, rows, models, and what values tell.

    record -- the custodian's. told -- the manifest. automatic -- hierarchies nobody gave. left_out -- columns that are not released.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from tacit.anonymize.manifest import model_words
    from tacit.cli.console import console, say

    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    level = "level" if record["settings"]["recoding"] == "full-domain" else "highest level"
    for heading in ("column", level, "of", "lost", "hierarchy"):
        table.add_column(heading, justify="left" if heading in ("column", "hierarchy") else "right", overflow="fold")
    for name, height in record["levels"].items():
        origin = "built from the data" if name in automatic else "given"
        reached = "mean" if _as_means(record["settings"], name) else str(height)
        table.add_row(_plain(name), reached, str(record["top_levels"][name]), f"{record['losses'][name]:.1%}", origin)
    console().print(table)
    for name, hierarchy in automatic.items():
        say(f"{printable(name)}: {hierarchy.describe()}")
    say(
        f"{told['released']} of {record['rows']} rows released, in {told['classes']} classes of {told['smallest_class']} rows or more."
    )
    say(f"Loss {_score(record['score'])}: {record['search']}.")
    holds = "; ".join(printable(model_words(form)) for form in record["settings"]["models"])
    say(f"Holds {holds}: checked by a second implementation.")
    say("A property of this table, not differential privacy: nothing limits what it tells about one person with other knowledge.")
    if record["settings"]["recoding"] != "full-domain":
        say(f"Values released: {told['tells']}.")
    if left_out:
        say(f"Not released, being named in no option: {', '.join(printable(name) for name in left_out)}.")


def _as_means(settings: Mapping[str, Any], name: str) -> bool:
    """Whether a column is released as the means of its classes: by a microaggregation, numbers that have intervals."""
    how = settings["recoding"]
    return not isinstance(how, str) and how["recoding"] == "microaggregation" and "cuts" in settings["hierarchies"][name]


def _score(score: float | Sequence[float]) -> str:
    return f"{score:.4f}" if isinstance(score, float) else " ".join(f"{part:.4f}" for part in score)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(printable(text))


def printable(text: str) -> str:
    """Return a text of the table, such as a column's name, without what could steer the terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
