"""Zero-gradient runs: what is left of an update is its noise, whose deviation is noise x clip norm / expected batch in every mode.

A deviation estimated from n normal draws is itself off by 1 / sqrt(2 n) of its value (one standard deviation): at 250,000
draws 0.141%, so that missing 1% by chance is 7 deviations, probability 2e-12 a case; rounding to bfloat16 adds 0.0002% to it.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from simple_training import plan, training
from tacit.noise.source import OsSource
from tacit.privacy.ledger import Ledger
from tacit.train.clipping import AutomaticClipping, Clipping, FlatClipping, PerLayerClipping

NOISE, BATCH, DRAWS = 1.3, 20, 250_000
CLIP_NORMS = [0.1, 0.5, 2.0]
MODES: dict[str, dict[str, Any]] = {
    "one micro-batch": {},
    "several micro-batches": {"max_physical_batch": 7},
    "empty draws": {"rows": 0},
    "bfloat16 parameters": {"dtype": torch.bfloat16},
    "float64 parameters": {"dtype": torch.float64},
}
CLIPPINGS: dict[str, Callable[[float], Clipping]] = {
    "flat": lambda norm: FlatClipping(clip_norm=norm),
    "per layer": lambda norm: PerLayerClipping(clip_norm=norm),
    "automatic": lambda norm: AutomaticClipping(clip_norm=norm),
}


def update_without_gradients(
    ledger: Ledger,
    clip_norm: float,
    *,
    rows: int = 40,
    dtype: torch.dtype = torch.float32,
    clipping: Clipping | None = None,
    **more: Any,
) -> Tensor:
    """Return the one update of a model of 250,000 weights whose inputs, and so gradients, are zero."""
    model = nn.Sequential(nn.Linear(500, DRAWS // 500, bias=False, dtype=dtype))
    a_plan = replace(plan(40, BATCH, clip_norm=clip_norm, noise=NOISE), clipping=clipping)
    private, _ = training(model, (torch.zeros(rows, 500, dtype=dtype),), a_plan, ledger, OsSource.from_os(), **more)
    for (x,) in private.batches():
        private.backward(private.model(x).sum(dim=1))
    (gradient,) = (parameter.grad for parameter in model.parameters())
    assert gradient is not None
    return gradient.double().flatten()


def assert_deviation(update: Tensor, clip_norm: float) -> None:
    assert float(update.square().mean().sqrt()) == pytest.approx(NOISE * clip_norm / BATCH, rel=0.01)
    assert abs(float(update.mean())) < 7 * NOISE * clip_norm / BATCH / math.sqrt(DRAWS)  # by chance with probability 3e-12


@pytest.mark.parametrize("clip_norm", CLIP_NORMS)
@pytest.mark.parametrize("mode", MODES)
def test_the_noise_of_an_update_has_the_stated_deviation(mode: str, clip_norm: float, ledger: Ledger) -> None:
    update = update_without_gradients(ledger, clip_norm, **MODES[mode])
    assert_deviation(update, clip_norm)
    with pytest.raises(AssertionError):
        assert_deviation(update * 1.03, clip_norm)  # an error of 3% is seen


@pytest.mark.parametrize("clip_norm", CLIP_NORMS)
@pytest.mark.parametrize("clipping", [name for name in CLIPPINGS if name != "flat"])
def test_every_way_of_clipping_has_the_same_noise(clipping: str, clip_norm: float, ledger: Ledger) -> None:
    assert_deviation(update_without_gradients(ledger, clip_norm, clipping=CLIPPINGS[clipping](clip_norm)), clip_norm)
