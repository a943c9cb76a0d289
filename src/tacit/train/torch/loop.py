"""The one loop: any torch model in private training, from the first batch to the released weights."""

from collections.abc import Callable
from contextlib import closing, nullcontext

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from tacit.train.torch.averaging import Average
from tacit.train.torch.display import Display
from tacit.train.torch.memory import memory_for
from tacit.train.torch.private import PrivateTraining

Losses = Callable[..., Tensor]


def fit(
    private: PrivateTraining,
    losses: Losses,
    *,
    augment: Callable[[Tensor], Tensor] | None = None,
    average: float | None = None,
    scheduler: LRScheduler | None = None,
    on_step: Callable[[int, int], None] | None = None,
    progress: bool = False,
    show_loss_of_private_rows: bool = False,
) -> nn.Module:
    """Train to the end of the plan and return the model: the user's own module, hooks removed.

    losses    -- called as losses(model, *batch) with each tensor of the data set, shape (B, ...); returns shape (B,), one per row,
                 padding included. It calls the model once.
    augment   -- maps the first tensor of a batch, shape (B, ...), to what the model shall see; row by row, or one row moves others.
                 With make_private(augmentations=K) a row stands K times in it, to be altered K times.
    average   -- decay of an average of the weights, which the model gets at the end; None for the last weights.
    scheduler -- of the optimizer's learning rate; stepped once a step.
    on_step   -- called with (step, steps) after each step, when its checkpoint is written.
    progress  -- show the plan, then steps, epsilon and the time left, on the error stream.
    show_loss_of_private_rows -- show the batch's mean loss, too. No epsilon covers it: it is for the custodian's screen alone, and
                 is written into the ledger as a not-dp release before the first batch is drawn.
    When interrupted, the model keeps the weights of the last step that was paid for, averaged when an average was asked for.
    Raises what PrivateTraining.batches and backward raise; RunError when the memory is too small.
    """
    kept = None if average is None else private.keep("average", Average(private.model, decay=average))
    if scheduler is not None:
        private.keep("scheduler", scheduler)
    if show_loss_of_private_rows:
        private.record("mean loss of private batches, exact, shown while training")
    _check(private, losses, augment)
    steps = private.plan.steps
    display = Display(private.plan, shows_loss=show_loss_of_private_rows) if progress else None
    try:
        with display or nullcontext(), closing(private.batches()) as batches:
            for batch in batches:
                before = private.step
                found = _step(private, losses, augment, batch)
                if display is not None:
                    display.seen(found, private.real)
                if private.step == before:  # a further micro-batch of the same step follows
                    continue
                if kept is not None:
                    kept.update()
                if scheduler is not None:
                    scheduler.step()
                private.checkpoint()
                if display is not None:
                    display.stepped(private.step, counted=private.counted)
                if on_step is not None:
                    on_step(private.step, steps)
    finally:
        if kept is not None:
            kept.copy_to_model()
        model = private.finish()
    return model


def _check(private: PrivateTraining, losses: Losses, augment: Callable[[Tensor], Tensor] | None) -> None:
    """Try the losses, and an augmentation that torch's generator alone decides, on synthetic batches: no row may move another's gradient.

    Copies of a row are altered by the loop alone; they belong to one unit, and are left out here.
    """
    device = next(private.model.parameters()).device

    def losses_of(first: Tensor, *others: Tensor) -> Tensor:
        first, rest = first.to(device), [one.to(device) for one in others]
        seen = first if augment is None or private.augmentations > 1 or not _repeats(augment, first) else augment(first)
        with memory_for(len(first)):
            return losses(private.model, seen, *rest)

    private.check(losses_of)


def _repeats(augment: Callable[[Tensor], Tensor], first: Tensor) -> bool:
    """Whether an augmentation gives the same again when torch's generator begins alike."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        once = augment(first)
        torch.manual_seed(0)
        return torch.equal(torch.nan_to_num(once), torch.nan_to_num(augment(first)))


def _step(
    private: PrivateTraining, losses: Losses, augment: Callable[[Tensor], Tensor] | None, batch: tuple[Tensor, ...]
) -> Tensor:
    """Run one micro-batch through model, backward pass and optimizer; return its losses, detached."""
    device = next(private.model.parameters()).device
    first, *others = (one.to(device) for one in batch)
    with memory_for(len(first)):
        found = losses(private.model, first if augment is None else augment(first), *others)
        private.backward(found)
    private.optimizer.step()
    return found.detach()
