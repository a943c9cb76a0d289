"""What a batch leaves behind, and what it holds while it runs: nothing that the plain step would have let go of."""

import gc
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from simple_training import plan
from tacit.noise.source import Zeros
from tacit.train.torch.budget import Budget
from tacit.train.torch.convolution import Convolution, Method
from tacit.train.torch.engine import Engine
from tacit.train.torch.memory import return_freed
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


def test_a_models_output_is_held_by_the_loop_alone(without_collector: None) -> None:
    """Logits are a fifth of a language model's step: the loss keeps what it needs of them, the engine where they lie in the graph."""
    model = nn.Linear(6, 5)
    engine = Engine(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(4, 4, steps=2), Zeros())
    engine.start(torch.ones(4, dtype=torch.bool))
    output = model(torch.ones(4, 6))
    logits = StorageWeakRef(output.untyped_storage())
    losses = torch.nn.functional.cross_entropy(output, torch.zeros(4, dtype=torch.long), reduction="none")
    del output
    assert logits.expired()
    engine.accumulate(losses)
    assert float(engine.without_noise()["bias"].abs().max()) > 0.1


def test_coupling_is_tried_with_one_gradient_at_a_time(without_collector: None, monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Linear(6, 5)
    engine = Engine(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(4, 4, steps=2), Zeros())
    engine.trace(torch.ones(7, 6))
    grad, held, alive = torch.autograd.grad, list[Any](), list[int]()

    def watched(*args: Any, **kwargs: Any) -> Any:
        alive.append(sum(one() is not None for one in held))
        found = grad(*args, **kwargs)
        held.extend(weakref.ref(one) for one in found)
        return found

    monkeypatch.setattr(torch.autograd, "grad", watched)
    engine.start(torch.ones(4, dtype=torch.bool))
    engine.accumulate(model(torch.ones(4, 6)).square().sum(dim=1))
    assert alive == [0, 0, 0]


def test_the_first_batch_is_planned_from_what_the_probe_saw() -> None:
    """Served as they arrive, late layers would take the budget and early ones keep input and output gradient, which are larger."""
    early, late = (
        Convolution.of(
            torch.empty(7, c, s, s),
            torch.empty(7, c, s, s),
            kernel=(3, 3),
            stride=(1, 1),
            padding=(1, 1),
            dilation=(1, 1),
            groups=1,
        )
        for c, s in ((64, 32), (128, 16))
    )
    budget = Budget(40 << 20)
    budget.start(64)
    assert [budget.method("late", late, 64), budget.method("early", early, 64)] == [Method.KEEP, Method.DROP]
    probed = Budget(40 << 20)
    probed.start(7)
    for name, one in (("late", late), ("early", early)):
        probed.method(name, one, 7)
    probed.start(64)
    assert probed.method("late", late, 64) is not Method.KEEP
    assert probed.method("early", early, 64) is Method.KEEP


@pytest.mark.parametrize(("records", "expected"), [(0, 3), (1, 3), (2, 1), (3, 1), (4, 0)])
def test_large_convolutions_give_back_what_lies_free(monkeypatch: pytest.MonkeyPatch, records: int, expected: int) -> None:
    """Three records of equal size, and a limit one byte below so many of them: two together pass the limit, and the third begins anew."""
    returned: list[int] = []
    model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1), nn.Flatten())
    engine = Engine(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(7, 7, steps=2), Zeros())
    x = torch.randn(7, 2, 4, 4)
    engine.trace(x)
    monkeypatch.setattr("tacit.train.torch.tape.HELD", max(0, records * 2 * x.nbytes - 1))
    monkeypatch.setattr("tacit.train.torch.tape.return_freed", lambda: returned.append(1))
    engine.start(torch.ones(7, dtype=torch.bool))
    engine.accumulate(model(x).square().sum(dim=1))
    assert len(returned) == expected


def test_an_attach_returns_what_it_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once after each of the fifteen traced runs, and once after the probe."""
    returned: list[str] = []
    for place in ("engine", "trace"):
        monkeypatch.setattr(f"tacit.train.torch.{place}.return_freed", lambda place=place: returned.append(place))
    model = nn.Linear(6, 5)
    engine = Engine(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(4, 4, steps=2), Zeros())
    engine.trace(torch.ones(7, 6))
    assert returned == ["trace"] * 15 + ["engine"]


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="resident memory is read from /proc, and glibc alone keeps what is freed"
)
def test_freed_memory_goes_back_to_the_system() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096

    del (block := [torch.empty((32 << 20) - (1 << 16), dtype=torch.uint8)])[:]  # from here on smaller blocks are kept
    assert block == []
    pieces: list[Tensor | None] = [torch.ones(1 << 17) for _ in range(256)]  # of half a mebibyte
    full = resident()
    pieces[:] = [one if number % 16 == 0 else None for number, one in enumerate(pieces)]
    return_freed()
    assert resident() < full - (100 << 20)
    assert sum(one is not None for one in pieces) == 16
