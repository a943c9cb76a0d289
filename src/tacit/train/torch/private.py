"""`make_private`: an ordinary training loop becomes a private one by one call."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.sensitivity import FLOAT64, sum_sensitivity
from tacit.noise.source import OsSource, Source
from tacit.privacy.ledger import Ledger, Reservation
from tacit.train.plan import Plan
from tacit.train.samplers import physical_size
from tacit.train.torch.engine import Engine
from tacit.train.trainer import purpose_of


class PrivateTraining:
    """A model in private training: what to iterate over, and the one backward pass.

    model -- the user's own module: same class, same state-dict keys.
    plan  -- sampler, noise and price.
    step  -- steps released so far.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        tensors: tuple[Tensor, ...],
        plan: Plan,
        *,
        pay: Callable[[], Reservation],
        source: Source,
        max_physical_batch: int | None = None,
        first_step: int = 0,
    ) -> None:
        if not tensors or any(len(t) != len(tensors[0]) for t in tensors):
            raise ConfigError(f"the data set must hold tensors of one length, got lengths {[len(t) for t in tensors]}.")
        if trainable_size(model) > plan.parameters:
            raise ConfigError(
                f"the model has {trainable_size(model)} trained values, and the plan was priced for {plan.parameters}: each draws noise "
                "whose missing tail counts in delta. Solve the plan with parameters = the model's size."
            )
        self.model, self.plan, self.step = model, plan, first_step
        self._tensors, self._pay = tensors, pay
        self._engine = Engine(model, optimizer, plan, source)
        self._sampler = plan.sampler(source, size=len(tensors[0]))
        self._rows = physical_size(len(tensors[0]) * plan.probability, limit=max_physical_batch)
        sum_sensitivity(  # refuses sizes at which float error could pass what the clip target leaves free
            clip_norm=plan.clip_norm,
            dimension=trainable_size(model),
            contributions=max(1, len(tensors[0])),
            block=self._rows,
            norm_error=(trainable_size(model) + 64) * FLOAT64,
        )
        self._waiting = False  # a micro-batch was handed out and its backward has not run
        self._last = False  # it is the last of its batch

    def batches(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield padded micro-batches, each tensor of shape (B, ...).

        The whole block is paid for, durably, before the first; every step is counted before its rows are drawn. An empty
        draw is a batch of padding: its noise is released all the same. A draw larger than one micro-batch takes several,
        and .grad stays empty until the last, so that optimizer.step() does nothing before.
        Raises BudgetExceeded, with the ledger unchanged and no row read, when the budget does not hold the plan.
        """
        with self._pay() as reservation:
            while self.step < self.plan.steps and reservation.steps_left > 0:
                reservation.count_step()
                pieces = torch.from_numpy(self._sampler.draw()).split(self._rows)  # one empty piece for an empty draw
                for number, rows in enumerate(pieces, 1):
                    self._last, self._waiting = number == len(pieces), True
                    self._engine.start(torch.arange(self._rows) < len(rows))
                    yield tuple(_padded(tensor[rows], self._rows) for tensor in self._tensors)
                    if self._waiting:
                        raise PrivacyError(
                            "private.backward(losses) did not run on the last batch. Call it exactly once in each."
                        )

    def backward(self, losses: Tensor) -> None:
        """Run the backward pass of this micro-batch; on the last of a batch, put (clipped sum + noise) / batch_size into .grad.

        losses -- shape (B,): one per example, padding included (it is masked).
        Raises ShapeError for another shape; PrivacyError when a gradient would leave the guarantee.
        """
        self._engine.accumulate(losses)
        self._waiting = False
        if self._last:
            self._engine.release()
            self.step += 1

    def finish(self) -> nn.Module:
        """Remove the hooks and return the model, now post-processing of what was paid for."""
        self._engine.detach()
        return self.model


def make_private(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    dataset: torch.utils.data.TensorDataset | tuple[Tensor, ...],
    *,
    epsilon: float,
    delta: float,
    clip_norm: float,
    batch_size: int,
    epochs: float,
    ledger: Ledger,
    budget: str,
    request_id: str,
    n: int | None = None,
    max_physical_batch: int | None = None,
    source: Source | None = None,
) -> PrivateTraining:
    """Return a private training of the model, planned; it is paid for when its first batch is asked for.

    model          -- nn.Linear and elementwise activations in nn.Sequential, input of shape (B, d); others are refused by name.
    dataset        -- a TensorDataset or a tuple of tensors, first axis the rows.
    epsilon, delta -- the target, for one row, zero-out neighbours.
    clip_norm      -- largest L2 length of one row's gradient; > 0.
    batch_size     -- expected rows in a batch; the update divides by it.
    ledger         -- where the block is reserved, under the unique `request_id`, from the `budget` of that name.
    n              -- declared public number of rows; the data set's length by default (zeroing a row does not change it).
    max_physical_batch -- most rows held at once; larger draws take further micro-batches. Changes memory and speed only.
    source         -- randomness; the operating system's by default.
    Raises UnsupportedModel, ConfigError.
    """
    tensors = dataset.tensors if isinstance(dataset, torch.utils.data.TensorDataset) else dataset
    if not (isinstance(tensors, tuple) and tensors and all(isinstance(t, Tensor) for t in tensors)):
        raise ConfigError(f"dataset must be a TensorDataset or a tuple of tensors, got {type(dataset).__name__}.")
    plan = Plan.solve(
        epsilon=epsilon,
        delta=delta,
        n=len(tensors[0]) if n is None else n,
        batch_size=batch_size,
        epochs=epochs,
        clip_norm=clip_norm,
        parameters=trainable_size(model),
    )

    source = OsSource.from_os() if source is None else source

    def pay() -> Reservation:
        return ledger.reserve(plan.block, dataset=budget, request_id=request_id, purpose=purpose_of(source))

    return PrivateTraining(model, optimizer, tensors, plan, pay=pay, source=source, max_physical_batch=max_physical_batch)


def trainable_size(model: nn.Module) -> int:
    """Return the number of trainable values: the dimension of what is noised."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _padded(rows: Tensor, size: int) -> Tensor:
    padding: Any = rows.new_zeros((size - len(rows), *rows.shape[1:]))
    return torch.cat([rows, padding])
