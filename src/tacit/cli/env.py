"""`tacit env`: environments of their own for what cannot be installed beside tacit."""

import json as json_text
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tacit.cli.environment import Environment

app = typer.Typer(
    help="Environments of their own for what cannot be installed beside tacit: create, list.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(name: Annotated[str, typer.Argument(help="Which: spark.")], json: _Json = False) -> None:
    """Make a virtual environment of pinned versions with tacit in it, fetched by pip. Does nothing when it is there."""
    from rich.progress import Progress

    from tacit.cli import environment as environments
    from tacit.cli.console import console, say
    from tacit.errors import ConfigError

    environment = environments.ENVIRONMENTS.get(name)
    if environment is None:
        known = ", ".join(environments.ENVIRONMENTS)
        raise ConfigError(f"there is no environment {name!r}, so nothing was made. Known: {known}. See: tacit env list")
    screen = console()
    with Progress(console=screen, transient=True, disable=json or not screen.is_terminal) as bar:
        task: Any = bar.add_task(name, total=None)
        made = environments.create(
            environment, lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
        )
    if json:
        typer.echo(json_text.dumps({**_told(environment), "made": made}, indent=2))
        return
    say(f"{name} is {'ready' if made else 'there already'}: {environment.folder}")
    say(f"Use it: {environment.python} your_script.py")


@app.command("list")
def show(json: _Json = False) -> None:
    """Show the environments that tacit can make, what each is for, and whether it is there."""
    from tacit.cli.environment import ENVIRONMENTS

    rows = [_told(one) for one in ENVIRONMENTS.values()]
    if json:
        typer.echo(json_text.dumps(rows, indent=2))
        return
    from rich.table import Table

    from tacit.cli.console import console

    table = Table(box=None, pad_edge=False)
    for title in ("environment", "state", "what for", "folder"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(row["name"], row["state"], row["purpose"], row["folder"])
    console().print(table)


def _told(environment: "Environment") -> dict[str, str]:
    return {
        "name": environment.name,
        "state": environment.state(),
        "purpose": environment.purpose,
        "folder": str(environment.folder),
        "python": str(environment.python),
    }
