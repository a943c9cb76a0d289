import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from tacit.errors import ConfigError, PrivacyError, ShapeError
from tacit.noise import GridVector, OsSource, SeededSource, Zeros, grid_step
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
    noise = SeededSource(7).rounded_normal(1000, scale=3.0, step=total.step)
    assert np.array_equal(released.units, before + noise)
    assert np.array_equal(total.units, before)
    assert (released.step, released.clip_norm) == (total.step, 2.0)


def test_without_noise_the_total_comes_back() -> None:
    total = GridVector.from_sum(np.arange(5.0), 1.0)
    assert np.array_equal(Gaussian(noise_multiplier=3.0).release(total, Zeros()).units, total.units)


def test_every_release_has_noise_of_its_own() -> None:
    total, source = zeros_on_grid(100, 1.0), OsSource.from_os()
    first, second = (Gaussian(noise_multiplier=1.0).release(total, source).units for _ in range(2))
    assert not np.any(first == second) or np.mean(first == second) < 0.1  # chance of ten equal units: under 1e-20


def test_threads_share_the_work_and_change_nothing_else() -> None:
    total, gaussian = zeros_on_grid(200_000, 1.0), Gaussian(noise_multiplier=1.0)
    one, two = (gaussian.release(total, SeededSource(3), threads=threads) for threads in (1, 2))
    assert np.array_equal(one.units, two.units)
    with pytest.raises(ConfigError, match="threads"):
        gaussian.release(total, SeededSource(3), threads=0)


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
