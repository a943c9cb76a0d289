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
    """A progress bar on the error stream. Everything in it is public, but for the loss, which is shown only when asked for.

    The reserved epsilon is what the ledger was charged, spare steps included; stopping early gives none of it back. Beside it stands what the
    steps counted so far would cost by themselves, where steps have a price of their own (correlated noise has one for the run).
    """

    def __init__(self, plan: Plan, *, shows_loss: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._plan, self._shows_loss = plan, shows_loss
        columns = [TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("steps, {task.fields[cost]}")]
        if shows_loss:
            columns.append(TextColumn("{task.fields[loss]}"))
        self._bar = Progress(*columns, TimeRemainingColumn(), TextColumn("left"), console=Console(stderr=True))
        self._task = self._bar.add_task("", total=plan.steps, cost=cost(plan, None), loss="")
        self._computed = time.monotonic()
        self._sum, self._rows = 0.0, 0

    def __enter__(self) -> "Display":
        self._bar.start()
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
            self._bar.update(self._task, loss=f"loss of private rows {mean} (exact, not for release)")
            self._sum, self._rows = 0.0, 0
        if time.monotonic() - self._computed >= _PAUSE or step == self._plan.steps:
            self._bar.update(self._task, cost=cost(self._plan, counted))
            self._computed = time.monotonic()


def cost(plan: Plan, counted: int | None) -> str:
    """Return what the plan's block costs, and its first `counted` steps by themselves where they have a price of their own."""
    reserved = f"epsilon {plan.guarantee.epsilon:.3g} reserved"
    event = plan.block.event
    if counted is None or not isinstance(event, GaussianEvent | PoissonSampled):
        return reserved
    so_far = epsilon_of(event, steps=counted, delta=plan.guarantee.delta, draws=plan.draws)
    return f"{reserved}, {so_far:.3g} for the {counted} counted"
