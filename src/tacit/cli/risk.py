"""`tacit risk`: how well the people of a table can be recognized before and after a release, and what the release is worth."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tacit.cli.risk_measures import Moved


def risk(
    data: Annotated[Path, typer.Argument(help="A CSV, Parquet or Arrow file.")],
    quasi: Annotated[list[str], typer.Option(help="A quasi-identifier; repeat the option for each column.")],
    after: Annotated[
        Path | None, typer.Option(help="The release made of the table: adds it, attacks on both and what was lost.")
    ] = None,
    hierarchy: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN=FILE: the hierarchy the release was made with. Automatic without, as in tacit anonymize."),
    ] = None,
    sensitive: Annotated[
        list[str] | None, typer.Option(help="A column released as it is, which an attacker tries to infer; repeated.")
    ] = None,
    control: Annotated[
        Path | None, typer.Option(help="A file of people like those of the table who are not in the release: adds residual risk.")
    ] = None,
    attacks: Annotated[
        int | None, typer.Option(help="Attacks of each kind. By default 1000, fewer on releases of over 30,000 rows.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="A column to predict: adds the accuracy that a classifier learns from each table.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="Risk above which a row counts as exposed: 1 / k.")] = 0.2,
    population: Annotated[
        Path | None, typer.Option(help="A file of everyone the table was drawn from: adds journalist and marketer risk.")
    ] = None,
    population_size: Annotated[
        int | None, typer.Option(help="People the table was drawn from: adds estimates of how many are unique.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of text files, when it is not UTF-8.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure re-identification risk by quasi-identifiers, and with --after attacks and utility. Not for release: exact statistics."""
    from tacit.cli import anonymize_options as options
    from tacit.cli.risk_measures import Measurement, measure
    from tacit.errors import ConfigError

    given = {"hierarchy": hierarchy, "sensitive": sensitive, "control": control, "attacks": attacks, "target": target}
    idle = [f"--{name}" for name, value in given.items() if value is not None and after is None]
    if idle:
        raise ConfigError(f"{', '.join(idle)}: about a release, and none was named, so it would be ignored. Add --after FILE.")
    asked = Measurement(
        data=data,
        after=after,
        quasi=tuple(quasi),
        hierarchies=options.hierarchies(options.hierarchy_files(hierarchy or []), quasi),
        secrets=tuple(sensitive or ()),
        control=control,
        attacks=attacks,
        target=target,
        threshold=threshold,
        population=population,
        population_size=population_size,
        encoding=encoding,
    )
    with _bar(silent=json) as moved:
        measured = measure(asked, moved)
    if json:
        import json as json_text

        typer.echo(
            json_text.dumps({when: [finding.to_json() for finding in found] for when, found in measured.items()}, indent=2)
        )
        return
    from tacit.cli.risk_view import show_risk

    show_risk(measured, asked)


@contextmanager
def _bar(*, silent: bool) -> "Iterator[Moved]":
    """Draw how far the measuring is while the block runs; nothing with --json or on a pipe."""
    from rich.progress import Progress

    from tacit.cli.console import console

    screen = console()
    with Progress(console=screen, transient=True, disable=silent or not screen.is_terminal) as bar:
        task: Any = bar.add_task("measuring", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
