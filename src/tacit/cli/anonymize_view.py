"""What came of an anonymization, for a terminal of 80 columns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.anonymize.hierarchies import Hierarchy


def show_release(told: Mapping[str, Any], *, automatic: "Mapping[str, Hierarchy]", left_out: Sequence[str]) -> None:
    """Print a release's manifest: levels and losses by column, rows, models, and the hierarchies that were built from the data.

    told -- the manifest. automatic -- hierarchies nobody gave. left_out -- columns of the table that are not released.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from tacit.cli.console import console, say

    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    level = "level" if told["settings"]["recoding"] == "full-domain" else "highest level"
    for heading in ("column", level, "of", "lost", "hierarchy"):
        table.add_column(heading, justify="left" if heading in ("column", "hierarchy") else "right", overflow="fold")
    for name, height in told["levels"].items():
        origin = "built from the data" if name in automatic else "given"
        table.add_row(_plain(name), str(height), str(told["top_levels"][name]), f"{told['losses'][name]:.1%}", origin)
    console().print(table)
    for name, hierarchy in automatic.items():
        say(f"{_printable(name)}: {hierarchy.describe()}")
    released, settings = told["rows"] - told["suppressed"], told["settings"]
    say(f"{released} of {told['rows']} rows released, in {told['classes']} classes of {told['smallest_class']} rows or more.")
    say(f"Loss {_score(told['score'])}: {told['search']}.")
    say(f"Holds {'; '.join(_model(form) for form in settings['models'])}: checked by a second implementation.")
    say("A property of this table, not differential privacy: nothing limits what it tells about one person with other knowledge.")
    if left_out:
        say(f"Not released, being named in no option: {', '.join(_printable(name) for name in left_out)}.")


def _model(form: Mapping[str, Any]) -> str:
    """Return a model as --require writes it, long lists left out."""
    given = {key: value for key, value in form.items() if key != "model" and not isinstance(value, list)}
    return f"{form['model']} ({', '.join(f'{key} {value}' for key, value in given.items())})"


def _score(score: float | Sequence[float]) -> str:
    return f"{score:.4f}" if isinstance(score, float) else " ".join(f"{part:.4f}" for part in score)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(_printable(text))


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)
