"""`tacit anonymize`: a table in which nobody can be told apart within the privacy models asked for, and its manifest."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tacit.cli import anonymize_arguments as given

if TYPE_CHECKING:
    from tacit.anonymize import Anonymization
    from tacit.anonymize.outcome import LocalRecoding
    from tacit.cli.anonymize_asked import Asked, Made
    from tacit.cli.anonymize_ledger import Book


def anonymize(
    data: given.Data,
    out: given.Out,
    quasi: given.Quasi,
    k: given.K = None,
    require: given.Require = None,
    hierarchy: given.Hierarchies = None,
    sensitive: given.Sensitive = None,
    keep: given.Keep = None,
    suppression_limit: given.SuppressionLimit = 0.0,
    recoding: given.Recoding = "full-domain",
    aggregate: given.Aggregate = "arithmetic mean",
    weight: given.Weight = None,
    generalization_vs_suppression: given.Slider = 0.5,
    subset: given.Subset = None,
    population: given.Population = None,
    time_limit: given.TimeLimit = None,
    memory_limit: given.MemoryLimit = None,
    ledger: given.LedgerFile = None,
    dataset: given.Dataset = None,
    anchor: given.Anchor = None,
    encoding: given.Encoding = None,
    json: given.Json = False,
) -> None:
    """Generalize and leave out rows until the privacy models hold, losing as little as possible. Never differential privacy."""
    from tacit.cli import anonymize_options as options
    from tacit.cli.anonymize_asked import Asked
    from tacit.cli.anonymize_ledger import book
    from tacit.cli.release_files import check_target

    files = options.hierarchy_files(hierarchy or [])
    manifest = check_target(out, inputs=[data, *files.values(), *(one for one in (population, ledger, anchor) if one)])
    models = options.models(k, require or [])
    how = options.recoding(recoding, models)
    asked = Asked(
        data=data,
        out=out,
        manifest=manifest,
        quasi=quasi,
        declared=options.hierarchies(files, quasi),
        settings={
            "require": models,
            "sensitive": sensitive or (),
            "keep": keep or (),
            "suppression_limit": suppression_limit,
            "minimize": options.loss(aggregate, weight or [], generalization_vs_suppression),
            "time_limit": time_limit,
        },
        book=book(ledger, dataset, anchor),
        silent=json,
    )
    if memory_limit is None:
        made = _of_table(asked, how, subset, population, encoding)
    else:
        from tacit.cli.anonymize_file import check_file_options, release_file

        other = None if how == "full-domain" else how
        check_file_options(asked, {"--recoding": other, "--subset": subset, "--population": population, "--encoding": encoding})
        made = release_file(asked, options.memory(memory_limit))
    if json:
        _print_json(made)
    else:
        _show(made)
        _say_where(asked, made.told)


def _of_table(asked: "Asked", how: "LocalRecoding", subset: str | None, population: Path | None, encoding: str | None) -> "Made":
    """Anonymize the table in memory."""
    from tacit.anonymize import anonymize as release
    from tacit.anonymize import automatic_hierarchies
    from tacit.cli import anonymize_options as options
    from tacit.cli.anonymize_asked import Made
    from tacit.cli.anonymize_remarks import remarks
    from tacit.cli.anonymize_view import searching
    from tacit.tables import read_table

    table = read_table(asked.data, encoding=encoding)
    options.refuse_identifiers(table, asked.shown_as_is)
    people = None if population is None else read_table(population, encoding=encoding)
    built = automatic_hierarchies(table, [name for name in asked.quasi if name not in asked.declared], population=people)
    with searching(silent=asked.silent) as moved:
        result = release(
            table,
            quasi={name: asked.declared.get(name) or built[name] for name in asked.quasi},
            recoding=how,
            subset=None if subset is None else options.chosen_rows(table, subset),
            population=people,
            on_progress=moved,
            **asked.settings,
        )
    noted = remarks(table, asked.quasi, asked.shown_as_is)
    told = _deliver(result, asked.out, asked.manifest, asked.book)
    left_out = [name for name in table.column_names if name not in result.table.column_names]
    return Made(figures=result, told=told, automatic=built, left_out=left_out, remarks=noted, where="in memory")


def _deliver(result: "Anonymization", out: Path, manifest: Path, book: "Book | None") -> dict[str, Any]:
    """Record the release, then write it and its manifest; return the manifest. Whatever fails later, the entry stays."""
    from tacit.cli.release_files import write_release

    told = result.manifest()
    if book is not None:
        told["ledger"] = book.record(result)
    write_release(result.table, out, told, manifest)
    return told


def _print_json(made: "Made") -> None:
    """Print the manifest as it was written, and apart from it what only the custodian may see."""
    import json

    from tacit.anonymize.manifest import custodian_record

    custodian = {**custodian_record(made.figures), "remarks": list(made.remarks)}
    typer.echo(json.dumps({"manifest": made.told, "custodian": custodian}, indent=2))


def _show(made: "Made") -> None:
    from tacit.anonymize.manifest import custodian_record
    from tacit.cli.anonymize_view import show_release
    from tacit.cli.console import say

    show_release(custodian_record(made.figures), made.told, automatic=made.automatic, left_out=made.left_out)
    for remark in made.remarks:
        say(remark)
    say(f"Counted and recoded {made.where}.")


def _say_where(asked: "Asked", told: Mapping[str, Any]) -> None:
    from tacit.cli.console import say

    if asked.book is None:
        say("No ledger entry was written: to keep a book of releases, name one with --ledger FILE --dataset NAME.")
    else:
        book = asked.book
        say(f"Recorded in {book.path} before it had its name: entry {told['ledger']['entry']}, not-dp, of {book.dataset!r}.")
    say(f"Written: {asked.out} and {asked.manifest}. These two may leave; what this screen shows besides is for you alone.")
    say("A second release of the same people can be joined with this one.")
