"""`tacit anonymize`: a table in which nobody can be told apart within the privacy models asked for, and its manifest."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pyarrow as pa

    from tacit.anonymize import Anonymization, Hierarchy
    from tacit.anonymize.search import Progress


def anonymize(
    data: Annotated[Path, typer.Argument(help="A CSV, Parquet or Arrow file; it is only read.")],
    out: Annotated[
        Path, typer.Option(help="Where the release goes: a new .csv or .parquet. OUT.manifest.json is written beside it.")
    ],
    quasi: Annotated[list[str], typer.Option(help="A quasi-identifier; repeat the option for each column.")],
    k: Annotated[int | None, typer.Option("--k", help="Short for --require k-anonymity:k=K.")] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(help="A privacy model: NAME:KEY=VALUE,..., as distinct-l-diversity:column=disease,l=3; or its JSON form."),
    ] = None,
    hierarchy: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN=FILE: a .csv, one row per value from raw to coarsest, or a .json. Automatic without."),
    ] = None,
    sensitive: Annotated[
        list[str] | None, typer.Option(help="A sensitive column, released as it is. Those that models name are added.")
    ] = None,
    keep: Annotated[list[str] | None, typer.Option(help="A further column to release as it is; others are left out.")] = None,
    suppression_limit: Annotated[float, typer.Option(help="Largest share of rows that may be left out.")] = 0.0,
    recoding: Annotated[str, typer.Option(help="full-domain is proved optimal; local and mondrian lose less.")] = "full-domain",
    aggregate: Annotated[
        str, typer.Option(help="Of the columns' losses: sum, arithmetic mean, geometric mean, maximum or rank.")
    ] = "arithmetic mean",
    weight: Annotated[
        list[str] | None, typer.Option(help="COLUMN=NUMBER: how much losing a column counts; 1 for those not named.")
    ] = None,
    generalization_vs_suppression: Annotated[
        float, typer.Option(help="Below 0.5 leaving rows out costs less, above it generalizing does.")
    ] = 0.5,
    subset: Annotated[
        str | None, typer.Option(help="A true/false column: only its true rows are released (delta-presence).")
    ] = None,
    population: Annotated[Path | None, typer.Option(help="A table of the people the rows were drawn from (k-map).")] = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds after which the best found is taken.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of text files, when it is not UTF-8.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Generalize and leave out rows until the privacy models hold, losing as little as possible. Never differential privacy."""
    from tacit.anonymize import anonymize as release
    from tacit.anonymize import automatic_hierarchies
    from tacit.cli import anonymize_options as options
    from tacit.cli.release_files import check_target
    from tacit.tables import read_table

    files = options.hierarchy_files(hierarchy or [])
    manifest = check_target(out, inputs=[data, *files.values(), *([population] if population else [])])
    models = options.models(k, require or [])
    given = options.hierarchies(files, quasi)
    loss = options.loss(aggregate, weight or [], generalization_vs_suppression)
    table = read_table(data, encoding=encoding)
    shown_as_is = [*(sensitive or []), *(keep or []), *(name for model in models for name in model.columns)]
    options.refuse_identifiers(table, shown_as_is)
    built = automatic_hierarchies(table, [name for name in quasi if name not in given])
    with _bar(silent=json) as moved:
        result = release(
            table,
            quasi={name: given.get(name) or built[name] for name in quasi},
            require=models,
            sensitive=sensitive or (),
            keep=keep or (),
            suppression_limit=suppression_limit,
            minimize=loss,
            recoding=options.recoding(recoding),
            subset=None if subset is None else options.chosen_rows(table, subset),
            population=None if population is None else read_table(population, encoding=encoding),
            time_limit=time_limit,
            on_progress=moved,
        )
    _deliver(result, table, out, manifest, automatic=built, json=json)


def _deliver(
    result: "Anonymization", table: "pa.Table", out: Path, manifest: Path, *, automatic: "dict[str, Hierarchy]", json: bool
) -> None:
    """Write the release and its manifest, then say what they are."""
    from tacit.cli.anonymize_view import show_release
    from tacit.cli.console import say
    from tacit.cli.release_files import write_release

    told = result.manifest()
    write_release(result.table, out, told, manifest)
    if json:
        import json as json_text

        typer.echo(json_text.dumps(told, indent=2))
        return
    released = result.table.column_names
    show_release(told, automatic=automatic, left_out=[name for name in table.column_names if name not in released])
    say(f"Written: {out} and {manifest}")
    say("A second release of the same people can be joined with this one.")


@contextmanager
def _bar(*, silent: bool) -> "Iterator[Progress | None]":
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
