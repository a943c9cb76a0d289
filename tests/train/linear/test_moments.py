"""Noisy moments: the sum by a slow loop, the sensitivity by hand, the solution by least squares."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.grid import clip_target
from tacit.train.linear.moments import Moments

Floats = NDArray[np.float64]


def one_row(moments: Moments, x: Floats, y: float) -> Floats:
    """The contribution of a row, entry by entry."""
    z = [*x.tolist(), 1.0]
    pairs = [z[i] * z[j] * (1.0 if i == j else math.sqrt(2)) for i in range(len(z)) for j in range(i, len(z))]
    v = np.array(pairs + [one * y for one in z])
    return v * min(1.0, moments.largest / float(np.linalg.norm(v)))


def rows(n: int, d: int, seed: int = 1) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    return generator.uniform(-1, 1, size=(n, d)), generator.uniform(-1, 1, size=n)


@pytest.mark.parametrize("row_norm", [0.5, 1.0, 2.0])
def test_the_total_is_the_sum_of_the_rows_one_at_a_time(row_norm: float) -> None:
    x, y = rows(5000, 3)  # two blocks
    moments = Moments(features=3, row_norm=row_norm)
    slow = np.sum([one_row(moments, a, b) for a, b in zip(x, y, strict=True)], axis=0)
    np.testing.assert_allclose(moments.total(x, y), slow, rtol=1e-10, atol=1e-9)
    assert len(slow) == moments.length == 10 + 4


@given(st.integers(1, 6), st.floats(0.1, 3), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_no_row_counts_for_more_than_the_noise_covers(d: int, row_norm: float, seed: int) -> None:
    moments = Moments(features=d, row_norm=row_norm)
    x, y = rows(8, d, seed)
    whole, zeroed = moments.total(x, y), moments.total(x[1:], y[1:])
    assert np.linalg.norm(whole - zeroed) <= clip_target(moments.clip_norm) * (1 + 1e-12)


def test_the_longest_row_uses_all_of_it_intercept_included() -> None:
    """By hand for d = 2 in a corner: z = (1, 1, 1), |z|^2 = 3, y = 1, so |v|^2 = 9 + 3 = 12."""
    moments = Moments(features=2, row_norm=math.sqrt(2))
    assert moments.largest == pytest.approx(math.sqrt(12))
    alone = moments.total(np.ones((1, 2)), np.ones(1))
    assert np.linalg.norm(alone) == pytest.approx(math.sqrt(12))
    assert alone[5] == pytest.approx(1.0)  # the count: gone when the row is zeroed


def test_without_noise_the_solution_is_least_squares() -> None:
    x, y = rows(500, 4)
    moments = Moments(features=4, row_norm=2.0)
    found = moments.coefficients(moments.total(x, y), noise=0.0)
    expected, *_ = np.linalg.lstsq(np.hstack([x, np.ones((500, 1))]), y, rcond=None)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_long_rows_weigh_less_and_a_linear_relation_stays() -> None:
    x, _ = rows(500, 4)
    moments = Moments(features=4, row_norm=0.3)
    found = moments.coefficients(moments.total(x, x @ [0.1, 0.2, 0.0, -0.1] + 0.3), noise=0.0)
    np.testing.assert_allclose(found, [0.1, 0.2, 0.0, -0.1, 0.3], atol=1e-10)


def test_the_ridge_keeps_every_eigenvalue_above_the_noise() -> None:
    """A column that is always 0 has no information; its coefficient stays small instead of exploding."""
    x, y = rows(500, 3)
    x[:, 2] = 0.0
    moments = Moments(features=3, row_norm=2.0)
    generator = np.random.default_rng(3)
    for _ in range(20):
        noisy = moments.total(x, y) + generator.normal(scale=5.0, size=moments.length)
        assert np.abs(moments.coefficients(noisy, noise=5.0)).max() < 3


def test_noise_moves_eigenvalues_no_further_than_the_ridge_assumes() -> None:
    """P(|E| > sqrt(2 m) + sqrt(2 ln(1 / 0.05))) <= 0.1 for both ends of the spectrum; of 200 draws more than 50 fail by chance
    with probability < 1e-9 (exact binomial tail)."""
    width, generator = 12, np.random.default_rng(5)
    bound = math.sqrt(2 * width) + math.sqrt(2 * math.log(20))
    over = 0
    for _ in range(200):
        stored = np.triu(generator.normal(size=(width, width)))
        noise = (stored + stored.T) / math.sqrt(2) + np.diag(np.diag(stored)) * (1 - math.sqrt(2))
        assert noise[0, 0] == pytest.approx(stored[0, 0])
        over += np.abs(np.linalg.eigvalsh(noise)).max() > bound
    assert over <= 50


@pytest.mark.parametrize("row_norm", [0.0, -1.0, math.nan, math.inf])
def test_a_row_norm_out_of_range_is_refused(row_norm: float) -> None:
    with pytest.raises(ConfigError, match="row_norm"):
        Moments(features=2, row_norm=row_norm)


def test_more_rows_than_float64_can_prove_are_refused() -> None:
    moments: Any = Moments(features=2, row_norm=1.0)
    moments.prove(10**8)
    with pytest.raises(PrivacyError, match="contributions"):
        moments.prove(10**10)
