"""`tacit risk`: how well the people of a table can be recognized by their quasi-identifiers, before and after a release."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tacit.models.finding import Finding


def risk(
    data: Annotated[Path, typer.Argument(help="A CSV, Parquet or Arrow file.")],
    quasi: Annotated[list[str], typer.Option(help="A quasi-identifier; repeat the option for each column.")],
    after: Annotated[Path | None, typer.Option(help="The release made of the table, to measure beside it.")] = None,
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
    """Measure re-identification risk by quasi-identifiers. What it shows are exact statistics of private rows: not for release."""
    measured = [
        (when, _measure(file, quasi, when, threshold, population, population_size, encoding))
        for when, file in (("before", data), ("after", after))
        if file is not None
    ]
    if json:
        import json as json_text

        typer.echo(json_text.dumps({when: [finding.to_json() for finding in found] for when, found in measured}, indent=2))
        return
    from tacit.cli.console import console, say
    from tacit.cli.risk_view import risk_table

    console().print(risk_table(dict(measured)))
    say(f"By {', '.join(quasi)}; a missing value is a value of its own. Other columns may tell people apart too: see tacit scan.")
    say("Not for release: these are exact statistics of private rows.")


def _measure(
    file: Path,
    quasi: list[str],
    when: str,
    threshold: float,
    population: Path | None,
    population_size: int | None,
    encoding: str | None,
) -> "list[Finding]":
    from tacit.anonymize.risk import measure_population_risk, measure_risk, measure_uniqueness
    from tacit.tables import read_table

    table = read_table(file, encoding=encoding)
    found = [*measure_risk(table, quasi, threshold=threshold).findings(when)]
    if population is not None and when == "before":  # a population at the levels of the release is not at hand
        people = read_table(population, encoding=encoding)
        found += measure_population_risk(table, people, quasi, threshold=threshold).findings(when)
    if population_size is not None:
        found += measure_uniqueness(table, quasi, population_size=population_size).findings(when)
    return found
