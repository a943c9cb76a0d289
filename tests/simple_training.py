"""Small pieces the training tests share: plans of a true price, a source without noise, an ordinary reservation."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tacit.noise.arithmetic import Library
from tacit.noise.keystream import Keystream
from tacit.noise.normal import Draws, memory_for
from tacit.noise.source import SeededSource, Source
from tacit.privacy.events import PoissonSampled
from tacit.privacy.ledger import Ledger, Reservation
from tacit.privacy.mechanisms.gaussian import Gaussian
from tacit.privacy.pricing import price
from tacit.train.plan import Plan
from tacit.train.torch.private import PrivateTraining

CHEAP = 50.0
"""A noise multiplier whose price fits every budget of the tests."""


LARGEST = 10**6
"""Values of the largest model that these plans train."""


class Silence(Draws):
    """Values of zero in place of normal ones."""

    def normal(self, count: int, *, spread: float = 1.0, out: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        values = memory_for(count, spread, out)
        values.fill(0.0)
        return values


class Still(SeededSource):
    """Draws batches as its seed says, and noise of zero: what is tested is the arithmetic, under a plan that has its true price."""

    def draws(self, *, by: Library = "numpy") -> Draws:
        return Silence(Keystream(bytearray(32)), by=by)


def plan(
    n: int, batch_size: int, *, steps: int = 1, clip_norm: float = 1.0, noise: float = CHEAP, every: int = 1, spare: int = 0
) -> Plan:
    """Return a plan at its price, at delta 1e-6."""
    event = PoissonSampled(probability=batch_size / n, event=Gaussian(noise_multiplier=noise).event())
    block = price(event, steps=steps, spare_steps=spare, checkpoint_every=every, delta=1e-6, draws=LARGEST)
    return Plan(n=n, batch_size=batch_size, clip_norm=clip_norm, block=block, parameters=LARGEST)


def priced(n: int, batch_size: int, *, steps: int, noise: float = 1.0, every: int = 1, spare: int = 0) -> Plan:
    """Return a plan whose noise is to be seen, for models of up to a hundred values."""
    event = PoissonSampled(probability=batch_size / n, event=Gaussian(noise_multiplier=noise).event())
    block = price(event, steps=steps, spare_steps=spare, checkpoint_every=every, delta=1e-6, draws=100)
    return Plan(n=n, batch_size=batch_size, clip_norm=1.0, block=block, parameters=100)


def claiming(a_plan: Plan, epsilon: float) -> Plan:
    """Return the plan with a block that claims this epsilon, whatever it costs."""
    block = replace(a_plan.block, guarantee=replace(a_plan.guarantee, epsilon=epsilon))
    return replace(a_plan, block=block)


def training(
    model: nn.Module,
    tensors: tuple[Tensor, ...],
    a_plan: Plan,
    ledger: Ledger,
    source: Source,
    *,
    learning_rate: float = 1.0,
    max_physical_batch: int | None = None,
    name: str = "r",
) -> tuple[PrivateTraining, torch.optim.Optimizer]:
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)

    def pay() -> Reservation:
        return ledger.reserve(a_plan.block, dataset="people", request_id=name, purpose="test")

    return PrivateTraining(
        model, optimizer, tensors, a_plan, pay=pay, source=source, max_physical_batch=max_physical_batch
    ), optimizer


def one_at_a_time(
    model: nn.Module, rows: Tensor, targets: Tensor, loss: Callable[[Tensor, Tensor], Tensor], clip_norm: float
) -> dict[str, Tensor]:
    """Return the sum of clipped gradients, each from its own backward pass over its own row: slow and obvious."""
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    sums = {name: torch.zeros_like(one, dtype=torch.float64) for name, one in trained.items()}
    for row, target in zip(rows, targets, strict=True):
        gradients = torch.autograd.grad(loss(model(row[None]), target[None]).sum(), list(trained.values()))
        length = torch.sqrt(sum((g.double().square().sum() for g in gradients), start=torch.zeros((), dtype=torch.float64)))
        factor = min(1.0, clip_norm / max(float(length), 1e-300))
        for name, gradient in zip(trained, gradients, strict=True):
            sums[name] += gradient.double() * factor
    return sums


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    return nn.functional.cross_entropy(output, target, reduction="none")
