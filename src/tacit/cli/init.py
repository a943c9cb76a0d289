"""`tacit init`: a commented study file for the user's own table."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    data: Annotated[Path, typer.Argument(help="A CSV, Parquet or Arrow file.")],
    out: Annotated[Path, typer.Option(help="Where to write the study.")] = Path("study.toml"),
    encoding: Annotated[str | None, typer.Option(help="Encoding of a text file, when it is not UTF-8.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at a table's columns and write a commented study file. What was seen goes into comments, never into values."""
    import json as json_text

    from tacit.cli.console import say
    from tacit.study import write_study

    left = write_study(data, out, encoding=encoding)
    if json:
        typer.echo(json_text.dumps({"study": str(out), "declare": left}, indent=2))
        return
    say(f"Wrote {out}. Left for you to declare, from what you know and not from the data:")
    for line in left:
        say(f"  - {line}")
    say(f"Then: tacit check {out}")
