"""What a batch leaves behind: nothing, as soon as it is added, whatever the loop still holds."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from simple_training import plan
from tacit.noise.source import Zeros
from tacit.train.torch.engine import Engine
from tacit.train.torch.tape import Tape


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Only what is let go of is freed: cycles would wait for the collector, each with a batch's gradients."""
    gc.disable()
    yield
    gc.enable()


def test_nothing_of_a_batch_outlives_it(without_collector: None, monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    engine = Engine(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(4, 4, steps=2), Zeros())
    kept: list[Any] = []
    receive = Tape.receive

    def watched(tape: Tape, record: Any) -> None:
        kept.extend(weakref.ref(one) for one in vars(record).values() if isinstance(one, Tensor))
        receive(tape, record)

    monkeypatch.setattr(Tape, "receive", watched)
    engine.start(torch.ones(4, dtype=torch.bool))
    kept.clear()
    losses = model(torch.ones(4, 6)).square().sum(dim=1)
    kept.clear()  # what the trace's probe left
    engine.accumulate(losses)
    assert len(kept) >= 4
    assert [one() for one in kept if one() is not None] == []  # the loss is still held here


def test_the_probe_looks_at_few_gradients_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven gradients of a large layer at once would be most of what an attach takes."""
    monkeypatch.setattr("tacit.train.torch.engine._LOOKED", 40)
    model = nn.Linear(6, 5)
    engine = Engine(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(4, 4, steps=2), Zeros())
    seen: list[tuple[int, ...]] = []

    def look(gradients: Tensor) -> Tensor:
        seen.append(tuple(gradients.shape))
        lengths: Tensor = gradients.norm(dim=1)
        return lengths

    engine.trace(torch.ones(7, 6))
    found, _ = engine.examine(torch.ones(7, dtype=torch.bool), lambda: model(torch.ones(7, 6)).sum(dim=1), look)
    assert max(rows * values for rows, values in seen) <= 40
    assert {name: len(lengths) for name, lengths in found.items()} == {"weight": 7, "bias": 7}
