"""The accuracy bench's private statistics of channels: right where noise is small, bounded in every row, and charged."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tacit import Ledger

CHANNELS = 2 * 81


@pytest.fixture
def preparation(handcrafted: Callable[[str], Any]) -> Any:
    return handcrafted("preparation")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as one:
        one.grant("images", epsilon=100.0, delta=1e-3)
        yield one


def some_rows(n: int) -> Tensor:
    """Rows whose channels have means of -1 to 1 and deviations of 0.5 to 2, smaller in higher orders as in a scattering."""
    generator = torch.Generator().manual_seed(0)
    means, spread = torch.linspace(-1, 1, CHANNELS), torch.linspace(0.5, 2, CHANNELS)
    values = torch.randn(n, CHANNELS, 2, 2, generator=generator) * spread[:, None, None] + means[:, None, None]
    return values / by_hand((1.0, 12.0, 100.0))[:, None, None]


def by_hand(values: tuple[float, float, float]) -> Tensor:
    return torch.tensor(([values[0]] + [values[1]] * 16 + [values[2]] * 64) * 2)


def channels(module: Any, *, epsilon: float, most: tuple[float, float] = (40.0, 120.0)) -> Any:
    return module.Channels(epsilon=epsilon, weights=(1.0, 12.0, 100.0), most=most, least=0.05, deviations=(1.0, 1.0, 0.35))


def test_channels_get_the_deviations_asked_for(preparation: Any, ledger: Ledger) -> None:
    """At epsilon 50 (noise multiplier below 0.25) a mean square is off by 0.0022, the least variance being 0.25: a deviation by 0.5%, and 80,000
    values sample it to 0.3%. By chance no estimate is 6% off: more than 9 of its deviations, below 1e-15 for all 162 channels.
    """
    rows = some_rows(20_000)
    shift, factor = channels(preparation, epsilon=50.0).measure(rows, ledger)
    prepared = (rows - shift) * factor
    assert float(prepared.mean(dim=(0, 2, 3)).abs().max()) < 0.06
    expected = by_hand((1.0, 1.0, 0.35))
    torch.testing.assert_close(prepared.std(dim=(0, 2, 3)), expected, rtol=0.06, atol=0)
    assert 0 < ledger.spent("images").epsilon <= 50.0


def test_one_row_adds_no_more_than_it_is_clipped_to(preparation: Any) -> None:
    """Rows of any size: the sum that is released has length at most sqrt(2) for one of them, which is what its noise is for."""
    one = channels(preparation, epsilon=1.0, most=(2.0, 3.0))
    for size in (1e-3, 1.0, 1e6):
        moments = torch.cat(one._moments(size * some_rows(5), by_hand(one.weights)), dim=1)
        assert float(moments.norm(dim=1).max()) <= 2**0.5 * (1 + 1e-6)


def test_noise_larger_than_a_variance_leaves_it_at_the_least(preparation: Any, ledger: Ledger) -> None:
    """Ten rows at epsilon 0.05: the noise of a mean square is some hundred times what it is; half the channels would come out negative."""
    shift, factor = channels(preparation, epsilon=0.05).measure(some_rows(10), ledger)
    assert bool(shift.isfinite().all())
    assert bool((factor.flatten() <= by_hand((1.0, 1.0, 0.35)) * by_hand((1.0, 12.0, 100.0)) / 0.05**0.5 * 1.001).all())
    assert float((factor.flatten() / by_hand((1.0, 1.0, 0.35)) / by_hand((1.0, 12.0, 100.0)) * 0.05**0.5).max()) > 0.999
