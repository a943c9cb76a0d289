"""Small pieces the training tests share: a plan without the cost of calibrating one, and a free reservation."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tacit.noise.source import Source
from tacit.privacy.block import Block
from tacit.privacy.events import PoissonSampled
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger import Ledger, Reservation
from tacit.privacy.mechanisms.gaussian import Gaussian
from tacit.privacy.pricing import price
from tacit.train.plan import _SOLVED, Plan
from tacit.train.torch.private import PrivateTraining

QUIET = 1e-9
"""A noise multiplier too small to see in float32."""


def plan(
    n: int, batch_size: int, *, steps: int = 1, clip_norm: float = 1.0, noise: float = QUIET, every: int = 1, spare: int = 0
) -> Plan:
    """Return a plan whose price is made up: what is tested is the arithmetic, not the accounting."""
    event = PoissonSampled(probability=batch_size / n, event=Gaussian(noise_multiplier=noise).event())
    promise = Guarantee(epsilon=1.0, delta=1e-5)
    block = Block(event=event, steps=steps, spare_steps=spare, checkpoint_every=every, guarantee=promise)
    made_up = Plan(n=n, batch_size=batch_size, clip_norm=clip_norm, block=block, parameters=10**6)
    _SOLVED.add(made_up)  # else it would be refused: it claims less than it costs
    return made_up


def priced(n: int, batch_size: int, *, steps: int, noise: float = 1.0, every: int = 1, spare: int = 0) -> Plan:
    """Return a plan whose block has its true price, at delta 1e-6."""
    event = PoissonSampled(probability=batch_size / n, event=Gaussian(noise_multiplier=noise).event())
    block = price(event, steps=steps, spare_steps=spare, checkpoint_every=every, delta=1e-6, draws=100)
    return Plan(n=n, batch_size=batch_size, clip_norm=1.0, block=block, parameters=100)


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
    sums = {name: torch.zeros_like(p, dtype=torch.float64) for name, p in model.named_parameters()}
    for row, target in zip(rows, targets, strict=True):
        gradients = torch.autograd.grad(loss(model(row[None]), target[None]).sum(), list(model.parameters()))
        length = torch.sqrt(sum((g.double().square().sum() for g in gradients), start=torch.zeros((), dtype=torch.float64)))
        factor = min(1.0, clip_norm / max(float(length), 1e-300))
        for (name, _), gradient in zip(model.named_parameters(), gradients, strict=True):
            sums[name] += gradient.double() * factor
    return sums


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    return nn.functional.cross_entropy(output, target, reduction="none")
