"""What a run looks like on a terminal: a line per step with a bar while it works, then a table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from tacit.study.record import Record
    from tacit.study.run import Step


def say(text: str = "") -> None:
    """Print text for people, wrapped at the terminal's width with the indentation of its first line."""
    import shutil
    import textwrap

    import typer

    width = shutil.get_terminal_size().columns
    for line in text.splitlines() or [""]:
        indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
        typer.echo(textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False))


def console() -> "Console":
    """Return the console that people read: standard output."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


class Silent:
    """Hears a run and says nothing, for --json."""

    def step_starts(self, step: "Step") -> None: ...

    def step_moves(self, step: "Step", done: int, total: int) -> None: ...

    def step_ends(self, step: "Step", record: "Record", *, reused: bool) -> None: ...


class Bars:
    """Hears a run and draws a bar for the step at work and a line for each that is done."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._task: Any = None

    def step_starts(self, step: "Step") -> None:
        self._task = self._progress.add_task(step.title, total=None)

    def step_moves(self, step: "Step", done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)

    def step_ends(self, step: "Step", record: "Record", *, reused: bool) -> None:
        self._progress.remove_task(self._task)
        how = "already done" if reused else f"{record.seconds:.1f} s"
        self._progress.console.print(f"  [green]✓[/green] {step.title:<36} [dim]{how}[/dim]")


@contextmanager
def bars() -> Iterator[Bars]:
    """Draw bars while the block runs; on a pipe only the lines of finished steps appear."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(), transient=True) as progress:
        yield Bars(progress)
