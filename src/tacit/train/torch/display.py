"""What is shown while a training runs: steps, what they cost, and the time left."""

import time
from types import TracebackType

import torch
from torch import Tensor

from tacit.privacy.events import GaussianEvent, PoissonSampled
from tacit.privacy.pricing import epsilon_of
from tacit.train.plan import Plan

_PAUSE = 10.0  # seconds between two computations of the epsilon so far, which take a fraction of a second


class Display:
    """The plan, and a progress bar on the error stream. Everything in it is public, but for the loss, which is shown only when asked for.

    The epsilon paid is what the ledger was charged, spare steps included; stopping early gives none of it back. Before it stands what the
    steps counted so far would cost by themselves, where steps have a price of their own (correlated noise has one for the run).
    A line of 80 characters holds all of it: the bar gives way first, then the loss goes on in a second one.
    """

    def __init__(self, plan: Plan, *, shows_loss: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        self._plan, self._shows_loss = plan, shows_loss

        def whole() -> Column:
            return Column(no_wrap=True)

        cost_so_far = TextColumn("{task.fields[cost]}", table_column=whole())
        columns = [MofNCompleteColumn(table_column=whole()), TextColumn("steps,", table_column=whole()), cost_so_far]
        if shows_loss:
            columns.append(TextColumn("{task.fields[loss]}", table_column=Column()))
        else:
            columns.insert(0, BarColumn(bar_width=None))
        left = [TimeRemainingColumn(table_column=whole()), TextColumn("left", table_column=whole())]
        self._bar = Progress(*columns, *left, console=Console(stderr=True))
        self._task = self._bar.add_task("", total=plan.steps, cost=cost(plan, None), loss="")
        self._computed = time.monotonic()
        self._sum, self._rows = 0.0, 0

    def __enter__(self) -> "Display":
        self._bar.console.print(str(self._plan), markup=False, highlight=False, soft_wrap=True)
        self._bar.start()
        if self._shows_loss:
            self._bar.console.print("The loss is exact, of private rows: for this screen alone, not for release.")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def seen(self, losses: Tensor, real: Tensor) -> None:
        """Take the losses of a micro-batch, shape (B,), for the mean over the rows that are no padding; nothing unless it is shown."""
        if self._shows_loss:
            counted = losses[real.to(losses.device) & torch.isfinite(losses)]
            self._sum, self._rows = self._sum + float(counted.sum()), self._rows + len(counted)

    def stepped(self, step: int, *, counted: int) -> None:
        """Show that a step is done. counted -- steps that the ledger counts as spent."""
        self._bar.update(self._task, completed=step)
        if self._shows_loss:
            mean = f"{self._sum / self._rows:.4g}" if self._rows else "-"
            self._bar.update(self._task, loss=f"loss {mean} (private)")
            self._sum, self._rows = 0.0, 0
        if time.monotonic() - self._computed >= _PAUSE or step == self._plan.steps:
            self._bar.update(self._task, cost=cost(self._plan, counted))
            self._computed = time.monotonic()


def cost(plan: Plan, counted: int | None) -> str:
    """Return what the plan's block cost, after what its first `counted` steps cost by themselves where they have a price of their own."""
    paid = f"{plan.guarantee.epsilon:.3g} paid"
    event = plan.block.event
    if counted is None or not isinstance(event, GaussianEvent | PoissonSampled):
        return f"epsilon {paid}"
    so_far = epsilon_of(event, steps=counted, delta=plan.guarantee.delta, draws=plan.draws)
    return f"epsilon {so_far:.3g} of {paid}"
