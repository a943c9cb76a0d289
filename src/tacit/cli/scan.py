"""`tacit scan`: which columns of a table hold personal data, how sure that is, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tacit.anonymize.identify import ColumnFinding, Coverage, Separation

_SHOWN = 5  # combinations of columns of each size that the table of combinations shows


def scan(
    data: Annotated[Path, typer.Argument(help="A CSV, Parquet or Arrow file.")],
    names: Annotated[Path | None, typer.Option(help="A text file with names of people to look for, one a line.")] = None,
    hipaa: Annotated[bool, typer.Option("--hipaa", help="Show which of HIPAA's eighteen identifiers were found.")] = False,
    separation: Annotated[
        bool, typer.Option("--separation", help="Show how well quasi-identifiers, also in pairs and triples, tell rows apart.")
    ] = False,
    encoding: Annotated[str | None, typer.Option(help="Encoding of a text file, when it is not UTF-8.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for personal data in a table's columns. What it shows are exact statistics of private rows: not for release."""
    from dataclasses import asdict

    from tacit.anonymize.identify import hipaa_coverage, identify_columns, separation_table
    from tacit.tables import Role, read_table

    table = read_table(data, encoding=encoding)
    found = identify_columns(table, names=_listed(names))
    covered = hipaa_coverage(found) if hipaa else ()
    quasi = [one.column for one in found if one.role is Role.QUASI]
    apart = separation_table(table, quasi) if separation and quasi else ()
    if json:
        import json as json_text

        told = {"columns": [asdict(one) | {"remedy": one.remedy} for one in found]}
        if hipaa:
            told["hipaa"] = [asdict(one) for one in covered]
        if separation:
            told["separation"] = [asdict(one) for one in apart]
        typer.echo(json_text.dumps(told, indent=2))
        return
    _show(data, found, covered, apart)


def _listed(file: Path | None) -> list[str]:
    from tacit.errors import ConfigError

    if file is None:
        return []
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"the list of names {file} cannot be read as UTF-8 text. Nobody on it would be looked for. "
            "Name a text file with a name on each line."
        ) from None


def _show(data: Path, found: "Sequence[ColumnFinding]", covered: "Sequence[Coverage]", apart: "Sequence[Separation]") -> None:
    from tacit.cli.console import console, say
    from tacit.cli.scan_view import columns_table, coverage_table, separation_view

    out = console()
    out.print(columns_table(found))
    if covered:
        out.print(coverage_table(covered))
    if apart:
        out.print(separation_view(apart, _SHOWN))
    say(f"{data}: suggestions from names, shapes and checksums. Patterns miss what they do not know: read the columns yourself.")
    say("Not for release: shares and reasons are exact statistics of private rows.")
