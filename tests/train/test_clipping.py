"""Ways to clip: no gradient is longer than stated, non-finite ones vanish, and the quantile is private."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.noise.grid import clip_target
from tacit.noise.source import OsSource, SeededSource, Zeros
from tacit.train.clipping import AdaptiveClipping, AutomaticClipping, FlatClipping, PerLayerClipping, QuantileTracker

LENGTHS = np.array([0.0, 1e-320, 1e-9, 0.3, 1.0, 2.0, 1e9, 1e300, np.inf, np.nan])
FINITE = np.isfinite(LENGTHS)


@pytest.mark.parametrize("clip_norm", [0.1, 0.5, 2.0, 1e-30])
def test_no_gradient_is_longer_than_the_clip_norm_and_what_is_not_finite_vanishes(clip_norm: float) -> None:
    for factors in (
        FlatClipping(clip_norm=clip_norm).factors(LENGTHS),
        AutomaticClipping(clip_norm=clip_norm).factors(LENGTHS),
        AdaptiveClipping(clip_norm=clip_norm, least=1e-31).factors(LENGTHS, clip_norm=clip_norm),
    ):
        assert np.isfinite(factors).all()
        assert (factors[~FINITE] == 0).all()
        assert (factors[FINITE] * LENGTHS[FINITE] <= clip_target(clip_norm) * (1 + 1e-15)).all()


def test_flat_leaves_short_gradients_whole_and_automatic_treats_all_alike() -> None:
    assert FlatClipping(clip_norm=2.0).factors(np.array([0.0, 1.9])).tolist() == [1.0, 1.0]
    lengths = np.array([0.1, 1.0, 50.0])
    scaled = AutomaticClipping(clip_norm=2.0, gamma=0.01).factors(lengths) * lengths
    assert scaled == pytest.approx(clip_target(2.0) * lengths / (lengths + 0.01))


@pytest.mark.parametrize("clip_norm", [1.0, 0.1, 3.7, 1e-5])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_layers_together_are_never_longer_than_the_whole(clip_norm: float, count: int) -> None:
    norms = PerLayerClipping(clip_norm=clip_norm).split([str(one) for one in range(count)])
    assert sum(Fraction(norm) ** 2 for norm in norms.values()) <= Fraction(clip_norm) ** 2
    assert sum(norm**2 for norm in norms.values()) == pytest.approx(clip_norm**2, rel=1e-12)
    factors = PerLayerClipping(clip_norm=clip_norm).factors(LENGTHS, layers=count)
    assert (factors[FINITE] * LENGTHS[FINITE] <= norms["0"]).all()
    assert (factors[~FINITE] == 0).all()


def test_the_clip_norm_follows_the_quantile() -> None:
    """Without noise it settles where the stated share of the gradients is whole: 0.7 of lengths uniform on (0, 4)."""
    clipping = AdaptiveClipping(clip_norm=0.1, quantile=0.7, learning_rate=0.5)
    tracker = QuantileTracker(clipping, batch_size=1000, source=Zeros())
    lengths = np.linspace(0.0, 4.0, 1000)
    for _ in range(300):
        tracker.update(lengths)
    assert tracker.clip_norm == pytest.approx(2.8, rel=0.02)


def test_the_share_is_centred_and_divided_by_the_expected_batch_whatever_was_drawn() -> None:
    clipping = AdaptiveClipping(clip_norm=1.0, quantile=0.5, learning_rate=1.0)
    for whole, clipped in ((3, 0), (0, 5), (2, 2), (0, 0)):
        tracker = QuantileTracker(clipping, batch_size=10, source=Zeros())
        lengths = np.concatenate([np.zeros(whole), np.full(clipped, np.nan)])
        assert tracker.update(lengths) == pytest.approx(np.exp(-((whole - clipped) / 2 / 10)), rel=1e-12)


def test_one_unit_moves_the_bits_by_a_half_and_their_noise_has_the_stated_deviation() -> None:
    """log(clip norm) of 2,000 updates: deviation within 10% (6.3 deviations of its error, mean 6.2 of its own: chance under 1e-9 each)."""
    clipping = AdaptiveClipping(clip_norm=1.0, quantile=0.5, learning_rate=1.0, bit_noise=2.0)
    source = OsSource.from_os()
    moves = [np.log(QuantileTracker(clipping, batch_size=10, source=source).update(np.zeros(4))) for _ in range(2000)]
    assert np.std(moves) == pytest.approx(2.0 / 10, rel=0.1)
    assert np.mean(moves) == pytest.approx(-0.2, abs=6.2 * 0.2 / np.sqrt(2000))
    assert AdaptiveClipping(clip_norm=1.0).noise_of_bits(100) == 5.0


def test_the_clip_norm_stays_within_its_bounds_and_can_be_restored() -> None:
    clipping = AdaptiveClipping(clip_norm=1.0, learning_rate=1e9, least=0.5, most=2.0)
    tracker = QuantileTracker(clipping, batch_size=10, source=SeededSource(1))
    for _ in range(20):
        assert 0.5 <= tracker.update(np.ones(3)) <= 2.0
    other = QuantileTracker(clipping, batch_size=10, source=SeededSource(1))
    other.restore(tracker.state())
    assert other.clip_norm == tracker.clip_norm
    for state in ({}, {"clip_norm": np.array([3.0])}, {"clip_norm": np.array([np.nan])}, {"clip_norm": np.zeros(2)}):
        with pytest.raises(ConfigError, match="not the state"):
            other.restore(state)


@pytest.mark.parametrize("clip_norm", [0, -1.0, float("nan"), float("inf"), "1", True, None])
@pytest.mark.parametrize("kind", [FlatClipping, PerLayerClipping, AutomaticClipping, AdaptiveClipping])
def test_a_clip_norm_that_is_none_is_refused(kind: Any, clip_norm: Any) -> None:
    with pytest.raises(ConfigError, match="clip_norm"):
        kind(clip_norm=clip_norm)


@pytest.mark.parametrize(
    "change",
    [
        {"quantile": 0.0},
        {"quantile": 1.0},
        {"learning_rate": 0.0},
        {"bit_noise": 0.0},
        {"least": 2.0},
        {"most": 0.5},
        {"most": np.inf},
    ],
)
def test_adaptive_settings_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        AdaptiveClipping(clip_norm=1.0, **change)


def test_other_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="gamma"):
        AutomaticClipping(clip_norm=1.0, gamma=0.0)
    for layers in ([], ["a", "a"]):
        with pytest.raises(ConfigError, match="names of their own"):
            PerLayerClipping(clip_norm=1.0).split(layers)
