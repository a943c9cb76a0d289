"""`tacit ledger`: what may be spent, what was spent, and whether the book is whole."""

import json as json_text
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="The ledger of every access to private data: grant a budget, show, verify, export.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
_Path = Annotated[Path, typer.Argument(help="The ledger's file, for example ledger.sqlite.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def grant(
    path: _Path,
    dataset: Annotated[str, typer.Argument(help="The data's name in the ledger.")],
    epsilon: Annotated[float, typer.Option("--epsilon", help="Epsilon to add to what may be spent.")],
    delta: Annotated[float, typer.Option("--delta", help="Delta to add to what may be spent.")] = 1e-5,
    note: Annotated[str, typer.Option(help="Who granted it, and why.")] = "",
    anchor: Annotated[Path | None, typer.Option(help="A second place for the signed head.")] = None,
    json: _Json = False,
) -> None:
    """Grant a budget for a data set. This is the data owner's decision; it adds to what was granted before."""
    from tacit.privacy.ledger import Ledger

    with Ledger.open(path, anchor=anchor) as ledger:
        ledger.grant(dataset, epsilon=epsilon, delta=delta, note=note)
        granted, left = ledger.granted(dataset), ledger.left(dataset)
    if json:
        typer.echo(json_text.dumps({"dataset": dataset, "granted": granted.to_json(), "left": left.to_json()}))
    else:
        typer.echo(f"{dataset}: granted {granted} in all; left {left}.")


@app.command()
def show(path: _Path, json: _Json = False) -> None:
    """Show every data set's budget and entries, as the ledger's running totals have them."""
    from tacit.cli.ledger_view import entries_table
    from tacit.privacy.ledger import export

    book = export(_existing(path))
    if json:
        typer.echo(json_text.dumps(book, indent=2))
        return
    from tacit.cli.console import console

    for table in entries_table(book):
        console().print(table)


@app.command()
def verify(
    path: _Path,
    anchor: Annotated[
        list[Path] | None, typer.Option(help="A report's JSON, a model's folder or a head's file. May be repeated.")
    ] = None,
    json: _Json = False,
) -> None:
    """Recompute every price from the ledger alone, check its chain, and compare it with anchors kept elsewhere."""
    from tacit.cli.console import say
    from tacit.privacy.ledger import verify as verify_ledger

    result = verify_ledger(_existing(path), anchors=[_head(one) for one in anchor or []])
    if json:
        typer.echo(json_text.dumps(result.to_json(), indent=2))
    else:
        say(result.summary)
    if not result.ok:
        raise typer.Exit(1)


@app.command()
def export(path: _Path, out: Annotated[Path | None, typer.Option(help="Write here instead of to the screen.")] = None) -> None:
    """Export the whole ledger, with its signed head, as JSON."""
    from tacit.errors import ConfigError
    from tacit.privacy.ledger import durable
    from tacit.privacy.ledger import export as export_ledger

    text = json_text.dumps(export_ledger(_existing(path)), indent=2)
    if out is None:
        typer.echo(text)
        return
    if out.exists() and not out.is_file():  # a device or a pipe
        out.write_text(text + "\n", encoding="utf-8")
    elif not durable.create(out, (text + "\n").encode()):
        raise ConfigError(f"{out} exists already, so it was not overwritten. Give another name, or move it away.")
    typer.echo(f"Wrote {out}.")


def _existing(path: Path) -> Path:
    from tacit.errors import LedgerError

    if not path.is_file():
        raise LedgerError(
            f"there is no ledger {path}. `tacit ledger grant {path} NAME --epsilon 3` makes one; check the path otherwise."
        )
    return path


def _head(path: Path) -> Any:
    """Return the signed head found in a report's JSON, a model's folder or a file of its own."""
    from tacit.errors import ConfigError
    from tacit.privacy.ledger import Head

    file = path / "model.json" if path.is_dir() else path
    try:
        data = json_text.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the anchor {file} cannot be read ({error}). Give a report's JSON, a model's folder or a head's file."
        ) from None
    for keys in (("head",), ("ledger", "head"), ("card", "ledger_head"), ()):
        found = data
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, dict) and "signature" in found:
            return Head.from_json(found)
    raise ConfigError(f"{file} holds no ledger head. Give a report's JSON, a model's folder or a head's file.")
