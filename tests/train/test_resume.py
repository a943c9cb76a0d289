"""Killed at any moment and resumed: never less charged than spent, no draw used twice, and the same weights where nothing was lost."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from simple_training import cross_entropy, priced
from tacit.errors import ConfigError, RunError
from tacit.noise.arithmetic import Library
from tacit.noise.keystream import Keystream
from tacit.noise.normal import Draws
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.train.clipping import AdaptiveClipping
from tacit.train.paying import Payment
from tacit.train.plan import Plan
from tacit.train.torch import checkpoint
from tacit.train.torch.adam import DPAdam
from tacit.train.torch.loop import fit
from tacit.train.torch.private import PrivateTraining
from tacit.train.trainer import Checkpoints

KEY = bytes(range(32))
EVERY = 4


@lru_cache
def plan_of(mechanism: str) -> Plan:
    """Return a plan of 12 steps, a checkpoint every 4 and two intervals to spare."""
    choice: dict[str, Any] = {"mechanism": mechanism}
    if mechanism == "poisson":
        return priced(60, 15, steps=12, noise=4.0, every=EVERY, spare=2 * EVERY)
    if mechanism == "adaptive":
        clipping = AdaptiveClipping(clip_norm=1.0, quantile=0.5, learning_rate=0.2)
        choice = {"clipping": clipping}
    if mechanism in ("shuffle", "balls-in-bins"):
        choice = {"sampling": mechanism}
    if mechanism == "banded":
        choice["bands"] = 2
    return Plan.solve(
        epsilon=6,
        delta=1e-5,
        n=60,
        batch_size=15,
        epochs=3,
        clip_norm=1.0,
        parameters=40,
        checkpoint_every=EVERY,
        spare_steps=8,
        **choice,
    )


@pytest.fixture(autouse=True)
def _enough(ledger: Ledger) -> None:
    ledger.grant("people", epsilon=100, delta=1e-3)


class Killed(BaseException):
    """Stands for the death of the process."""


class Scaled(torch.optim.Optimizer):
    """Sign descent whose state is no tensor: a whole number, a float, a text and None."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr, "note": "kept", "none": None, "pair": (1, 2.5)})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state[parameter]
                    state["count"], state["rate"] = state.get("count", 0) + 1, state.get("rate", 1.0) * 0.9
                    parameter.data -= group["lr"] * state["rate"] * parameter.grad


OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.5),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.5, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.05, amsgrad=True),
    "dp-adam": lambda p: DPAdam(p, plan=plan_of("poisson"), lr=0.05),
    "scaled": lambda p: Scaled(p, lr=0.3),
}


class HeardDraws(Draws):
    """Notes the values that it hands out."""

    def __init__(self, stream: Keystream, noise: list[bytes], *, by: Library) -> None:
        super().__init__(stream, by=by)
        self._noise = noise

    def normal(self, count: int, *, spread: float = 1.0, out: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        values = super().normal(count, spread=spread, out=out)
        if len(values) > 1:  # a vector's: single numbers, of a clip norm's bits, can be alike by chance
            self._noise.append(values.tobytes())
        return values


class Heard(SeededSource):
    """A test source that is listened to: every vector of normal values it hands out."""

    def __init__(self, seed: int, noise: list[bytes]) -> None:
        super().__init__(seed)
        self._noise = noise

    def draws(self, *, by: Library = "numpy") -> Draws:
        return HeardDraws(self._stream(), self._noise, by=by)


@dataclass(kw_only=True)
class Run:
    """One run of a training, killed or not."""

    weights: list[Tensor] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    noise: list[bytes] = field(default_factory=list)


def run(
    ledger: Ledger,
    *,
    mechanism: str = "poisson",
    optimizer: str = "momentum",
    path: Path | None = None,
    stop: int | None = None,
    average: float | None = None,
    request: str = "one",
    seed: int = 3,
) -> Run:
    """Train a small network with dropout from a fixed start; at `stop` the process dies, after the step's checkpoint is written."""
    torch.manual_seed(1)
    rows = torch.rand(60, 3, generator=torch.Generator().manual_seed(5)) * 2 - 1
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Dropout(0.2), nn.Linear(5, 2))
    chosen, a_plan, done = OPTIMIZERS[optimizer](model.parameters()), plan_of(mechanism), Run()
    source = Heard(seed, done.noise)
    payment = Payment(ledger=ledger, budget="people", request_id=request, purpose="test")
    kept = None if path is None else Checkpoints(path=path, key=KEY)
    private = PrivateTraining(
        model, chosen, (rows, (rows[:, 0] > 0).long()), a_plan, pay=payment, source=source, checkpoints=kept
    )

    def on_step(step: int, _steps: int) -> None:
        done.steps.append(step)
        if step == stop:
            raise Killed

    schedule = torch.optim.lr_scheduler.StepLR(chosen, step_size=3, gamma=0.7)
    with contextlib.suppress(Killed):
        fit(private, lambda model, x, y: cross_entropy(model(x), y), average=average, scheduler=schedule, on_step=on_step)
    done.weights = [one.detach().clone() for one in model.parameters()]
    return done


def same(one: Run, other: Run) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.weights, other.weights, strict=True))


CASES = [("poisson", name) for name in OPTIMIZERS] + [
    (mechanism, "momentum") for mechanism in ("banded", "blt", "tree", "shuffle", "balls-in-bins", "adaptive")
]


@pytest.mark.parametrize(("mechanism", "optimizer"), CASES)
def test_killed_at_a_checkpoint_it_ends_with_the_weights_of_an_uninterrupted_run(
    ledger: Ledger, tmp_path: Path, mechanism: str, optimizer: str
) -> None:
    """Bit for bit: weights, optimizer, schedule, sampler, noise, clip norm, dropout and the average all go on where they were."""
    common: dict[str, Any] = {"mechanism": mechanism, "optimizer": optimizer, "average": 0.8}
    whole = run(ledger, request="whole", path=tmp_path / "whole", **common)
    first = run(ledger, path=tmp_path / "c", stop=8, **common)
    second = run(ledger, path=tmp_path / "c", **common)
    assert second.steps == [9, 10, 11, 12]
    assert not same(first, whole)
    assert same(second, whole)
    assert len(first.noise) >= 8
    assert first.noise + second.noise == whole.noise
    assert not set(first.noise) & set(second.noise)


@pytest.mark.parametrize("mechanism", ["poisson", "banded", "blt", "shuffle"])
def test_no_draw_is_used_twice_even_by_a_source_that_repeats(ledger: Ledger, tmp_path: Path, mechanism: str) -> None:
    """Killed between checkpoints, twice at the same place: the lost steps are replayed with noise of their own, each time."""
    spent = None
    runs = []
    for stop in (6, 6, None):
        runs.append(run(ledger, mechanism=mechanism, path=tmp_path / "c", stop=stop))
        spent = ledger.spent("people") if spent is None else spent
        assert ledger.spent("people") == spent, "paid once"
    drawn = [one for each in runs for one in each.noise]
    assert len(drawn) == len(set(drawn)) == 6 + 2 + 8
    assert [each.steps[0] for each in runs] == [1, 5, 5]
    assert runs[-1].steps[-1] == 12, "two lost intervals are what the spare steps pay for"


def test_killed_before_its_first_checkpoint_it_starts_anew_with_other_noise(ledger: Ledger, tmp_path: Path) -> None:
    first, second = (run(ledger, path=tmp_path / "c", stop=stop) for stop in (2, None))
    assert second.steps == list(range(1, 13))
    assert len(second.noise) >= 12
    assert not set(first.noise) & set(second.noise)


def test_a_lost_checkpoint_costs_steps_and_never_a_draw_and_ends_a_run_of_correlated_noise(
    ledger: Ledger, tmp_path: Path
) -> None:
    first = run(ledger, path=tmp_path / "c", stop=5)
    (tmp_path / "c").unlink()
    second = run(ledger, path=tmp_path / "c")
    assert second.steps[0] == 1
    assert not set(first.noise) & set(second.noise)
    run(ledger, mechanism="blt", path=tmp_path / "d", stop=5, request="two")
    (tmp_path / "d").unlink()
    with pytest.raises(RunError, match="checkpoint is gone"):
        run(ledger, mechanism="blt", path=tmp_path / "d", request="two")


def test_a_checkpoint_is_there_before_anything_is_charged_and_gone_when_the_charge_is_refused(
    ledger: Ledger, tmp_path: Path
) -> None:
    rows = torch.zeros(60, 3)
    model = nn.Linear(3, 2)
    checkpoints = Checkpoints(path=tmp_path / "c", key=KEY)
    payment = Payment(ledger=ledger, budget="nobody's", request_id="one", purpose="test")
    private = PrivateTraining(
        model, torch.optim.SGD(model.parameters(), lr=1.0), (rows,), plan_of("poisson"), pay=payment, source=SeededSource(1),
        checkpoints=checkpoints,
    )  # fmt: skip
    with pytest.raises(Exception, match="budget"):
        next(private.batches())
    assert not checkpoints.path.exists()


@pytest.mark.parametrize("resumed", [False, True])
def test_batches_are_begun_once(resumed: bool, ledger: Ledger, tmp_path: Path) -> None:
    """A second entry would put the checkpoint's sampler and noise in place again, after steps that have used them."""
    if resumed:
        run(ledger, path=tmp_path / "secret", stop=EVERY)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Dropout(0.2), nn.Linear(5, 2))
    private = PrivateTraining(
        model,
        torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9),
        (rows := torch.rand(60, 3), (rows[:, 0] > 0).long()),
        plan_of("poisson"),
        pay=Payment(ledger=ledger, budget="people", request_id="one", purpose="test"),
        source=SeededSource(3),
        checkpoints=Checkpoints(path=tmp_path / "secret", key=KEY),
    )
    if resumed:
        for name in ("scheduler", "average"):
            private._keeper._loaded["kept"].pop(name, None)  # type: ignore[union-attr]
    began = private.step
    for x, y in private.batches():
        private.backward(cross_entropy(model(x), y))
        if private.step == began + 1:
            break
    claimed = max(one.claimed or 0 for one in ledger.entries())
    with pytest.raises(RunError, match="begun before"):
        next(private.batches())
    assert private.step == began + 1
    assert max(one.claimed or 0 for one in ledger.entries()) == claimed


def test_a_checkpoint_of_another_loop_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    run(ledger, path=tmp_path / "c", stop=8, average=0.8)
    with pytest.raises(RunError, match="average"):
        run(ledger, path=tmp_path / "c")
    with pytest.raises(RunError, match="another average"):
        run(ledger, path=tmp_path / "c", average=0.9)
    with pytest.raises(RunError, match="which here is a Adam"):
        run(ledger, path=tmp_path / "c", average=0.8, optimizer="adam")
    with pytest.raises(ConfigError, match="32 bytes"):
        Checkpoints(path=tmp_path / "c", key=b"short")


def test_a_state_comes_back_as_it_was_and_what_could_run_is_refused() -> None:
    shared = torch.arange(3.0)
    state: dict[str, Any] = {
        "tensors": [shared, shared, shared[1:], torch.tensor(2, dtype=torch.int64), torch.tensor([True])],
        "arrays": (np.arange(4).reshape(2, 2), np.zeros((0, 3))),
        "plain": {1: None, "a": 1e-300, "b": float("inf"), "c": -7, "d": "text", "e": True, "f": []},
        "half": torch.tensor([0.5], dtype=torch.bfloat16),
    }
    back = checkpoint.unpacked(checkpoint.packed(state))
    assert back["plain"] == state["plain"]
    assert next(iter(back["plain"])) == 1
    assert isinstance(back["arrays"], tuple)
    assert isinstance(back["tensors"], list)
    for one, other in zip(back["tensors"], state["tensors"], strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    assert all(np.array_equal(a, b) for a, b in zip(back["arrays"], state["arrays"], strict=True))
    assert back["half"].dtype == torch.bfloat16
    for wrong in (lambda: 0, {1.5}, 1j, object()):
        with pytest.raises(ConfigError, match=r"state\['x'\]\[0\]"):
            checkpoint.packed({"x": [wrong]})


def test_tied_weights_are_kept_and_stay_tied(tmp_path: Path) -> None:
    embedding = nn.Embedding(4, 3)
    head = nn.Linear(3, 4, bias=False)
    head.weight = embedding.weight
    model = nn.ModuleList([embedding, head])
    checkpoint.save(tmp_path / "c", KEY, "one", {"model": model.state_dict()})
    kept = embedding.weight.detach().clone()
    with torch.no_grad():
        embedding.weight.zero_()
    model.load_state_dict(checkpoint.load(tmp_path / "c", KEY, "one")["model"])
    assert head.weight is embedding.weight
    assert torch.equal(embedding.weight, kept)


_CHILDREN = """
import os, sys, torch
from pathlib import Path
from torch import nn
sys.path[:0] = [{tests!r}]
from simple_training import cross_entropy, priced
from tacit.noise.source import OsSource
from tacit.privacy.ledger import Ledger
from tacit.train.paying import Payment
from tacit.train.torch.loop import fit
from tacit.train.torch.private import PrivateTraining
from tacit.train.trainer import Checkpoints
torch.set_num_threads(1)
here = Path({here!r})
torch.manual_seed(1)
rows = torch.rand(60, 3) * 2 - 1
plan = priced(60, 15, steps=400, noise=20.0, every=4, spare=400)
for _ in sys.stdin:
    if child := os.fork():  # before anything is opened, drawn or trained
        print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    else:
        break
else:
    sys.exit()
model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
with Ledger.open(here / "ledger.sqlite", key_folder=here / "keys") as ledger:
    payment = Payment(ledger=ledger, budget="people", request_id="one", purpose="test")
    private = PrivateTraining(model, torch.optim.Adam(model.parameters(), lr=0.1), (rows, (rows[:, 0] > 0).long()), plan,
        pay=payment, source=OsSource.from_os(), checkpoints=Checkpoints(path=here / "c", key=bytes(32)))
    with open(here / "released", "a") as book:
        backward = private.backward
        def noted(losses):
            book.write("r")
            book.flush()  # in the system's hands before the release exists
            backward(losses)
        private.backward = noted
        print("ready", os.getpid(), flush=True)
        fit(private, lambda model, x, y: cross_entropy(model(x), y), average=0.9)
os._exit(0)
"""
"""A process that has imported all it needs and, for every line it is sent, starts one that trains, says its number and its exit code."""


def assert_charged(folder: Path) -> None:
    released = (folder / "released").stat().st_size
    with Ledger.open(folder / "ledger.sqlite", key_folder=folder / "keys") as ledger:
        claimed = max((one.claimed or 0 for one in ledger.entries()), default=0)
        assert claimed >= released, "every release was counted before it was made"
    if (folder / "c").exists():
        kept = checkpoint.load(folder / "c", bytes(32), "one")
        assert 0 <= int(kept["training"]["step"][0]) <= released
        assert os.stat(folder / "c").st_mode & 0o777 == 0o600


@pytest.mark.parametrize("delays", [[0.0, 0.05, 0.15], pytest.param([0.013 * one for one in range(30)], marks=pytest.mark.slow)])
def test_kill_9_at_any_moment_never_leaves_less_charged_than_spent(tmp_path: Path, delays: list[float]) -> None:
    """Real processes, really killed, at moments that fall anywhere: in a step, in the ledger's sync, in the writing of a checkpoint.

    After each death every release is covered by a claimed step, and the checkpoint can be opened. On a fast machine the last delays outlive
    the training, which then ends by itself.
    """
    killed = 0
    fresh = [sys.executable, "-c", _CHILDREN.format(tests=str(Path(__file__).parents[1]), here=str(tmp_path))]
    with Ledger.open(tmp_path / "ledger.sqlite", key_folder=tmp_path / "keys") as ledger:
        ledger.grant("people", epsilon=50, delta=1e-4)
    with subprocess.Popen(fresh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        for delay in delays:
            parent.stdin.write("another\n")
            parent.stdin.flush()
            word, child = parent.stdout.readline().split()
            assert word == "ready", "it ended by itself"
            time.sleep(delay)
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
            word, code = parent.stdout.readline().split()
            assert word == "ended"
            assert_charged(tmp_path)
            if code == "0":
                break
            assert int(code) == -signal.SIGKILL
            killed += 1
    assert killed > len(delays) / 2
    left = [one.name for one in tmp_path.iterdir() if one.name.startswith(".c.")]
    opened = (tmp_path / "c").exists()  # a kill in the first write leaves nothing to open
    assert not (opened and left), "what a kill in mid-write leaves is removed when the checkpoint is next opened"
