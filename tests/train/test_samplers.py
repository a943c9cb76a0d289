"""Poisson sampling: independent draws at the stated rate, with words of the secure source."""

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.noise.source import OsSource, SeededSource
from tacit.train.samplers import PoissonSampler, physical_size


def draws(probability: float, steps: int, size: int) -> np.ndarray:
    sampler = PoissonSampler(size=size, probability=probability, source=OsSource.from_os())
    drawn = np.zeros((steps, size), dtype=bool)
    for step in range(steps):
        drawn[step, sampler.draw()] = True
    return drawn


def test_each_row_is_drawn_at_the_stated_rate_and_batch_sizes_vary_as_poisson_sampling_does() -> None:
    """1e6 coins: a rate off by 1% of itself is seen; fails by chance with probability < 1e-9 (6.2 standard deviations)."""
    probability, steps, size = 0.2, 1000, 1000
    drawn = draws(probability, steps, size)
    deviation = np.sqrt(probability * (1 - probability) / drawn.size)
    assert abs(drawn.mean() - probability) < 6.2 * deviation
    assert abs(drawn.mean() - probability * 1.02) > 6.2 * deviation, "a rate 2% too high would be seen"
    sizes = drawn.sum(axis=1)
    variance = size * probability * (1 - probability)
    # var of a sample variance of 1000 nearly normal sizes: 2/999; 6.2 deviations. A fixed batch size has variance 0.
    assert abs(sizes.var() / variance - 1) < 6.2 * np.sqrt(2 / 999)


def test_rows_are_drawn_independently_of_one_another() -> None:
    drawn = draws(0.3, 4000, 60).astype(float)
    correlations = np.corrcoef(drawn.T)[np.triu_indices(60, 1)]
    assert np.abs(correlations).max() < 6.5 / np.sqrt(4000)  # 1770 pairs: chance < 2e-7


def test_probability_one_draws_everyone_and_an_empty_table_nobody() -> None:
    assert len(PoissonSampler(size=9, probability=1.0, source=SeededSource(1)).draw()) == 9
    assert len(PoissonSampler(size=0, probability=0.5, source=SeededSource(1)).draw()) == 0


@pytest.mark.parametrize("probability", [0.0, -0.1, 1.0001, float("nan")])
def test_a_probability_out_of_range_is_refused(probability: float) -> None:
    with pytest.raises(ConfigError, match="probability"):
        PoissonSampler(size=3, probability=probability, source=SeededSource(1))


def test_a_micro_batch_is_rarely_exceeded_and_obeys_its_limit() -> None:
    for expected in (1, 10, 100, 5000):
        size = physical_size(expected)
        assert size % 8 == 0
        assert size >= expected + 5 * np.sqrt(expected)
    assert physical_size(1000, limit=64) == 64
    with pytest.raises(ConfigError):
        physical_size(10, limit=0)
