"""tacit as a contestant: clipping alone, the whole private step, and the same with Poisson draws padded to a fixed shape."""

import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from peers.contest import Attach, Case, Step, main
from peers.models import Spec, losses
from tacit.noise.source import OsSource
from tacit.privacy.ledger import Ledger
from tacit.train import Plan, PrivateTraining, make_private
from tacit.train.torch.engine import Engine

TERMS: dict[str, Any] = {"epsilon": 8.0, "delta": 1e-5, "clip_norm": 1.0}
STEPS = 200  # more than are ever measured
WARM = 5  # the engine probes the losses of its first four batches, and of one in 32 after that
_folder = tempfile.TemporaryDirectory(prefix="tacit-bench-")
_engines: list[Engine] = []
_trainings: list[PrivateTraining] = []


def attach(_variant: str) -> Attach:
    return lambda case, kind: _clipping(case) if kind == "clipping" else _private(case, padded=kind == "padded")


def clipping(model: nn.Module, optimizer: torch.optim.Optimizer, batch: int, each: Callable[[], Tensor]) -> Step:
    """Forward, the one backward, and the update with the clipped mean: no noise, no sampler, every row real.

    each -- runs the model and returns the losses, shape (batch,). The division by the batch is left to the learning rate: in a private
    step it is part of the release, in a plain one of the loss.
    """
    engine = Engine(model, optimizer, _plan(model, batch), OsSource.from_os())
    _engines.append(engine)
    keep = torch.ones(batch, dtype=torch.bool, device=next(model.parameters()).device)
    for group in optimizer.param_groups:
        group["lr"] /= batch

    def step() -> None:
        engine.start(keep)
        engine.accumulate(each())
        sums = engine.without_noise()
        for name, parameter in engine.parameters.items():
            parameter.grad = sums[name].to(parameter.dtype)
        optimizer.step()

    return step


def _clipping(case: Case) -> Step:
    return clipping(case.model, case.optimizer, len(case.x), lambda: losses(case.model(case.x), case.y))


def _private(case: Case, *, padded: bool) -> Step:
    """The whole step as a user takes it. Without padding every draw is the whole data set, which has one batch of rows."""
    batch = case.spec.batch
    n = 20 * batch if padded else batch
    x, y = case.spec.rows(n) if padded else (case.x, case.y)
    private = make_private(
        case.model,
        case.optimizer,
        (x, y),
        batch_size=batch,
        epochs=STEPS * batch / n,
        ledger=_ledger(),
        budget="rows",
        request_id=f"run-{len(_trainings)}",
        max_physical_batch=None if padded else batch,
        **TERMS,
    )
    _trainings.append(private)
    batches = private.batches()

    def step() -> None:
        before = private.step
        while private.step == before:  # a draw takes several micro-batches
            x, y = next(batches)
            private.backward(losses(private.model(x), y))
            case.optimizer.step()

    return step


def _ledger() -> Ledger:
    path = Path(_folder.name) / f"{len(_trainings)}.sqlite"
    ledger = Ledger.open(path, key_folder=Path(_folder.name) / "keys")
    ledger.grant("rows", epsilon=100.0, delta=1e-3)
    return ledger


def _plan(model: nn.Module, batch: int) -> Plan:
    size = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return Plan.solve(**TERMS, n=batch, batch_size=batch, epochs=STEPS, parameters=size)


def ready(spec: Spec) -> None:
    """Price the plans, which is done once for a training, and load all that a step imports, by a tiny training."""
    _plan(spec.make(), spec.batch)
    tiny = Spec(name="tiny", batch=8, make=lambda: nn.Linear(1, 2), rows=lambda n: (torch.rand(n, 1), torch.randint(2, (n,))))
    model = nn.Sequential(tiny.make())
    x, y = tiny.rows(8)
    _private(Case(spec=tiny, model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), x=x, y=y), padded=False)()


def report() -> Any:
    """Return (parameter, operation, method) of every parameter, as the engine chose them on its last batch."""
    return _engines[-1].methods


if __name__ == "__main__":
    main(
        "peers.with_tacit",
        f"tacit {metadata.version('tacit')}",
        attach,
        kinds=("clipping", "noise", "padded"),
        ready=ready,
        report=report,
        warm=WARM,
    )
