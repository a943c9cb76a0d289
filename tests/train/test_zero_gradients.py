"""Zero-gradient runs: what is left of an update is its noise, whose deviation is noise x clip norm / expected batch in every mode.

A deviation estimated from n normal draws is itself off by 1 / sqrt(2 n) of its value (one standard deviation): at 250,000
draws 0.141%, so that missing 1% by chance is 7 deviations, probability 2e-12 a case; rounding to bfloat16 adds 0.0002% to it. All cases
together, below 150 updates, fail by chance with probability below 1e-9. Fast tests take the clip norm in the middle, slow ones all.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import toeplitz
from torch import Tensor, nn

from simple_training import LARGEST, plan
from tacit.noise.source import OsSource
from tacit.privacy.events import PoissonSampled
from tacit.privacy.ledger import Ledger
from tacit.privacy.pricing import price
from tacit.privacy.strategies import Strategy, Tree
from tacit.train.clipping import AdaptiveClipping, AutomaticClipping, PerLayerClipping
from tacit.train.paying import Payment
from tacit.train.plan import Plan
from tacit.train.torch.private import PrivateTraining
from train.test_processes import launched

NOISE, UNITS, BATCH, DRAWS = 1.3, 40, 20, 250_000
CLIP_NORMS = [pytest.param(0.1, marks=pytest.mark.slow), 0.5, pytest.param(2.0, marks=pytest.mark.slow)]
ALL_NOISE = {"adaptive": (NOISE**-2 - 2.0**-2) ** -0.5}
"""The bits of adaptive clipping, with noise of a twentieth of the batch on a sensitivity of 1/2, cost as much as a release with noise
multiplier 2: the sum has what is left of the price. Andrew et al. 2021, Theorem 1."""
MODES: dict[str, dict[str, Any]] = {
    "one micro-batch": {},
    "several micro-batches": {"max_physical_batch": 7},
    "empty draws": {"rows": 0},
    "bfloat16 parameters": {"dtype": torch.bfloat16},
    "float64 parameters": {"dtype": torch.float64},
    "autocast": {"autocast": True},
    "augmentations": {"augmentations": 3},
    "users": {"rows_per_user": 2},
    "users in several micro-batches": {"rows_per_user": 3, "max_physical_batch": 9},
    "users with augmentations": {"rows_per_user": 2, "augmentations": 2},
}
CLIPPINGS = {"per layer": PerLayerClipping, "automatic": AutomaticClipping, "adaptive": AdaptiveClipping}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "shuffled batches": {"sampling": "shuffle"},
    "balls in bins": {"sampling": "balls-in-bins"},
    "banded, cyclic Poisson": {"mechanism": "banded", "bands": 2},
    "banded, shuffled": {"mechanism": "banded", "bands": 2, "sampling": "shuffle"},
    "blt": {"mechanism": "blt", "buffers": 2},
    "tree": {"mechanism": "tree"},
}


def updates_without_gradients(
    ledger: Ledger,
    a_plan: Plan,
    *,
    rows: int = UNITS,
    dtype: torch.dtype = torch.float32,
    autocast: bool = False,
    rows_per_user: int | None = None,
    **more: Any,
) -> Iterator[Tensor]:
    """Yield the updates of two layers with 250,000 weights whose inputs, and so gradients, are zero."""
    width = DRAWS // 1000
    model = nn.Sequential(*(nn.Linear(*shape, bias=False, dtype=dtype) for shape in ((500, width), (width, 500))))
    if rows_per_user is not None:
        unit: dict[str, Any] = {"steps": 1, "spare_steps": 0, "checkpoint_every": 1, "delta": 1e-6, "draws": LARGEST}
        assert isinstance(a_plan.block.event, PoissonSampled)
        block = price(a_plan.block.event, unit="user_id", **unit)
        a_plan = replace(a_plan, block=block, rows_per_user=rows_per_user)
        more["owners"] = np.arange(rows) // 2
    pay = Payment(ledger=ledger, budget="people", request_id="r", purpose="test")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    tensors = (torch.zeros(rows, 500, dtype=dtype),)
    private = PrivateTraining(model, optimizer, tensors, a_plan, pay=pay, source=OsSource.from_os(), **more)
    before = 0
    for (x,) in private.batches():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            losses = private.model(x).sum(dim=1).float()
        private.backward(losses)
        if private.step > before:
            before = private.step
            yield torch.cat([one.grad.double().flatten() for one in model.parameters() if one.grad is not None])
            optimizer.step()


def assert_deviation(update: Tensor, deviation: float) -> None:
    assert update.numel() >= 200_000
    assert float(update.square().mean().sqrt()) == pytest.approx(deviation, rel=0.01)
    assert abs(float(update.mean())) < 7 * deviation / math.sqrt(update.numel())  # by chance with probability 3e-12
    assert float(update.square().mean().sqrt()) != pytest.approx(deviation * 1.03, rel=0.01), "an error of 3% is seen"


@pytest.mark.parametrize("clip_norm", CLIP_NORMS)
@pytest.mark.parametrize("mode", MODES)
def test_the_noise_of_an_update_has_the_stated_deviation(mode: str, clip_norm: float, ledger: Ledger) -> None:
    a_plan = plan(UNITS, BATCH, clip_norm=clip_norm, noise=NOISE)
    (update,) = updates_without_gradients(ledger, a_plan, **MODES[mode])
    assert_deviation(update, NOISE * clip_norm / BATCH)


@pytest.mark.parametrize("clip_norm", CLIP_NORMS)
@pytest.mark.parametrize("clipping", CLIPPINGS)
def test_every_way_of_clipping_has_the_noise_that_was_priced(clipping: str, clip_norm: float, ledger: Ledger) -> None:
    a_plan = plan(UNITS, BATCH, clip_norm=clip_norm, noise=NOISE)
    (update,) = updates_without_gradients(ledger, replace(a_plan, clipping=CLIPPINGS[clipping](clip_norm=clip_norm)))
    assert_deviation(update, ALL_NOISE.get(clipping, NOISE) * clip_norm / BATCH)


def step_deviations(strategy: Strategy, steps: int) -> NDArray[np.float64]:
    """Return the deviation of each step's noise, in raw draws, from dense matrices: C^-1, or for a tree least squares from C's noisy rows."""
    if not isinstance(strategy, Tree):
        inverse = np.linalg.inv(toeplitz(strategy.column(steps), np.zeros(steps)))
        return np.asarray(np.linalg.norm(inverse, axis=1))
    nodes = sorted(
        (start + 2**level - 1, start, level) for level in range(strategy.height + 1) for start in range(0, steps, 2**level)
    )
    nodes = [one for one in nodes if one[0] < steps]
    matrix = np.array([[start <= step < start + 2**level for step in range(steps)] for _, start, level in nodes], dtype=float)
    prefixes = np.zeros((steps + 1, len(nodes)))
    for step in range(steps):
        drawn = sum(last <= step for last, *_ in nodes)
        prefixes[step + 1, :drawn] = np.ones(step + 1) @ np.linalg.pinv(matrix[:drawn, : step + 1])
    return np.asarray(np.linalg.norm(np.diff(prefixes, axis=0), axis=1))


@pytest.mark.parametrize("clip_norm", CLIP_NORMS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_step_of_every_mechanism_has_the_noise_of_its_strategy(protocol: str, clip_norm: float, ledger: Ledger) -> None:
    settings: dict[str, Any] = {"n": UNITS, "batch_size": BATCH, "epochs": 2.5, "clip_norm": clip_norm, "parameters": DRAWS}
    a_plan = Plan.solve(epsilon=5.0, delta=1e-5, **settings, **PROTOCOLS[protocol])
    expected = step_deviations(a_plan.strategy, a_plan.steps) * a_plan.noise_multiplier * clip_norm / BATCH
    measured = list(updates_without_gradients(ledger, a_plan))
    assert len(measured) == len(expected) == 5
    for update, deviation in zip(measured, expected, strict=True):
        assert_deviation(update, deviation)


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_two_processes_have_the_noise_of_one_at_every_clip_norm(tmp_path: Path) -> None:
    """The one in the middle is a fast test: test_processes.py::test_total_noise_is_that_of_one_process."""
    names = ("noise_small", "noise_large", "noise_cut_small", "noise_cut_large")
    assert launched(tmp_path, names) == [0, 0]
    for name, clip_norm in zip(names, (0.1, 2.0) * 2, strict=True):
        first, second = (torch.load(tmp_path / f"{name}.{rank}.pt", weights_only=False) for rank in range(2))
        assert torch.equal(first["updates"], second["updates"])
        assert_deviation(first["updates"].flatten(), first["noise"] * clip_norm)
