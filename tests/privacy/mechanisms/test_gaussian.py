import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from noise.libraries import LIBRARIES
from tacit.errors import ConfigError, PrivacyError, ShapeError
from tacit.noise import GridVector, OsSource, SeededSource, Zeros, grid_step
from tacit.noise.arithmetic import Library
from tacit.noise.keystream import Keystream
from tacit.privacy import Gaussian, GaussianEvent


def zeros_on_grid(d: int, clip_norm: float) -> GridVector:
    return GridVector.from_sum(np.zeros(d), clip_norm)


def largest_cdf_gap(values: NDArray[np.float64], scale: float) -> float:
    ordered = norm.cdf(np.sort(values), scale=scale)
    steps = np.arange(len(values) + 1) / len(values)
    return float(max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1])))


def test_the_noise_has_the_stated_scale_in_clip_norms() -> None:
    """Fails by chance with probability <= 1e-9 (Dvoretzky-Kiefer-Wolfowitz-Massart, any n); the grid adds under 1e-6."""
    n, chance = 100_000, 1e-9
    noise = Gaussian(noise_multiplier=1.5).release(zeros_on_grid(n, 2.0), OsSource.from_os()).values
    bound = math.sqrt(math.log(2 / chance) / (2 * n)) + 1e-6  # 0.0103
    assert largest_cdf_gap(noise, scale=3.0) <= bound
    for planted in (3.0 * 1.10, 1.5, 3.0 / 1.10):  # 10 % off either way, clip norm forgotten
        assert largest_cdf_gap(noise, scale=planted) > bound


def test_a_release_is_the_total_plus_noise_on_the_same_grid_and_leaves_the_total_alone() -> None:
    total = GridVector.from_sum(np.linspace(-50.0, 50.0, 1000), 2.0)
    before = total.units.copy()
    released = Gaussian(noise_multiplier=1.5).release(total, SeededSource(7))
    noise = SeededSource(7).normal(1000, spread=3.0 / total.step)
    assert np.array_equal(released.units, before + np.rint(noise))
    assert np.array_equal(total.units, before)
    assert (released.step, released.clip_norm) == (total.step, 2.0)


def test_without_noise_the_total_comes_back() -> None:
    total = GridVector.from_sum(np.arange(5.0), 1.0)
    assert np.array_equal(Gaussian(noise_multiplier=3.0).release(total, Zeros()).units, total.units)


def test_every_release_has_noise_of_its_own() -> None:
    total, source = zeros_on_grid(100, 1.0), OsSource.from_os()
    first, second = (Gaussian(noise_multiplier=1.0).release(total, source).units for _ in range(2))
    assert not np.any(first == second) or np.mean(first == second) < 0.1  # chance of ten equal units: under 1e-20


@pytest.mark.parametrize("by", LIBRARIES)
def test_a_vector_released_in_pieces_has_noise_of_one_release_piece_after_piece(by: Library) -> None:
    lengths, gaussian, source = [200, 1, 300_000, 7], Gaussian(noise_multiplier=1.5), SeededSource(7)
    pieces = [GridVector.from_sum(np.linspace(-5.0, 5.0, one), 2.0, dimension=10**6) for one in lengths]
    before, memory = [piece.units.copy() for piece in pieces], np.empty(300_000)
    released = []
    for one in gaussian.releases(iter(pieces), source, memory, by=by):
        assert np.shares_memory(one.units, memory)
        assert (one.step, one.clip_norm) == (pieces[0].step, 2.0)
        released.append(one.units.copy())
    with SeededSource(7).draws(by=by) as draws:
        noise = [np.rint(draws.normal(length, spread=3.0 / pieces[0].step)) for length in lengths]
    for units, total, own, piece in zip(released, before, noise, pieces, strict=True):
        assert np.array_equal(units, total + own)
        assert np.array_equal(piece.units, total)
    taken = SeededSource(7)
    taken.normal(1)
    assert np.array_equal(source.normal(5), taken.normal(5)), "one release of the source"


@pytest.mark.parametrize("by", LIBRARIES)
def test_a_release_in_pieces_ends_and_erases_its_key_when_a_piece_is_refused(
    by: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[bytearray] = []

    class Recorded(Keystream):
        def __init__(self, key: bytearray) -> None:
            super().__init__(key)
            keys.append(key)

    monkeypatch.setattr("tacit.noise.source.Keystream", Recorded)
    good = GridVector.from_sum(np.zeros(4), 1.0)
    coarse = GridVector(units=np.zeros(4), step=2 * good.step, clip_norm=1.0)
    released = Gaussian(noise_multiplier=1.0).releases([good, coarse, good], OsSource.from_os(), np.empty(4), by=by)
    next(released)
    assert any(keys[0])
    with pytest.raises(PrivacyError, match="too coarse"):
        next(released)
    assert keys == [bytearray(32)]
    assert list(released) == []


@pytest.mark.parametrize("by", LIBRARIES)
def test_either_library_gives_the_stated_scale(by: Library) -> None:
    """Fails by chance with probability <= 1e-9, as above."""
    n = 100_000
    noise = Gaussian(noise_multiplier=1.5).release(zeros_on_grid(n, 2.0), OsSource.from_os(), by=by).values
    assert largest_cdf_gap(noise, scale=3.0) <= math.sqrt(math.log(2 / 1e-9) / (2 * n)) + 1e-6
    with pytest.raises(ConfigError, match="got 'jax'"):
        Gaussian(noise_multiplier=1.5).release(zeros_on_grid(5, 2.0), SeededSource(1), by="jax")  # type: ignore[arg-type]


def test_the_noise_multiplier_scales_noise_and_event_together() -> None:
    total = zeros_on_grid(1000, 1.0)
    small, large = (Gaussian(noise_multiplier=noise).release(total, SeededSource(1)).values for noise in (1.0, 4.0))
    assert np.std(large) == pytest.approx(4 * np.std(small), rel=1e-3)
    assert Gaussian(noise_multiplier=4).event() == GaussianEvent(noise_multiplier=4.0)


def test_a_grid_too_coarse_for_the_sensitivity_proof_is_refused() -> None:
    step = grid_step(1.0, 4)
    right = GridVector(units=np.zeros(4), step=step, clip_norm=1.0)
    coarse = GridVector(units=np.zeros(4), step=2 * step, clip_norm=1.0)
    Gaussian(noise_multiplier=1.0).release(right, Zeros())
    with pytest.raises(PrivacyError, match="too coarse"):
        Gaussian(noise_multiplier=1.0).release(coarse, Zeros())


def test_an_empty_total_is_refused() -> None:
    with pytest.raises(ShapeError):
        Gaussian(noise_multiplier=1.0).release(GridVector(units=np.zeros(0), step=0.25, clip_norm=1.0), Zeros())


@pytest.mark.parametrize("noise", [0, -1.0, math.inf, math.nan, "1", True])
def test_a_mechanism_without_noise_cannot_exist(noise: Any) -> None:
    with pytest.raises(ConfigError):
        Gaussian(noise_multiplier=noise)
