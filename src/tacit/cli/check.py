"""`tacit check`: what a study will promise, before it runs."""

from pathlib import Path
from typing import Annotated

import typer


def check(
    study: Annotated[Path, typer.Argument(help="The study file.")] = Path("study.toml"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read a study file and say what it will release, what each promise is about and what it costs. Reads no data."""
    import dataclasses
    import json as json_text

    from tacit.cli.console import say
    from tacit.study import check_study, load_study

    loaded = load_study(study)
    promises = check_study(loaded)
    if json:
        typer.echo(json_text.dumps([dataclasses.asdict(one) for one in promises], indent=2))
        return
    say(f"{study}: well formed. It will release or compute:")
    for one in promises:
        price = "no epsilon" if one.epsilon is None else f"epsilon {one.epsilon:g}"
        say(f"  - {one.what}: {price}, protects {one.about}")
        for words in one.leaves_open:
            say(f"    sensitive {words}")
    budget = loaded.settings.budget
    if loaded.settings.train is not None:
        train = loaded.settings.train
        path = loaded.beside(loaded.settings.ledger.path)
        say("Budget needed:")
        typer.echo(
            f"  tacit ledger grant {path} {budget} --epsilon {train.epsilon:g} --delta {train.delta:g}"
        )  # to copy: never wrapped
