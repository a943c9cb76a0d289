import math
from statistics import NormalDist

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.evaluate.intervals import (
    auc_with_interval,
    clopper_pearson,
    clopper_pearson_high,
    clopper_pearson_low,
    newcombe_difference,
    newcombe_paired,
)
from tacit.models.wilson import wilson


def binomial_tail(successes: int, n: int, p: float) -> float:
    return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(successes, n + 1))


@pytest.mark.parametrize(("successes", "n", "confidence"), [(1, 10, 0.95), (7, 10, 0.975), (10, 10, 0.99), (40, 60, 1 - 5e-7)])
def test_the_lower_bound_is_where_the_binomial_tail_equals_the_error(successes: int, n: int, confidence: float) -> None:
    low = clopper_pearson_low(successes, n, confidence)
    assert binomial_tail(successes, n, low) == pytest.approx(1 - confidence, rel=1e-6)


def test_bounds_at_the_ends_are_zero_and_one_and_mirror_each_other() -> None:
    assert clopper_pearson_low(0, 20, 0.95) == 0.0
    assert clopper_pearson_high(20, 20, 0.95) == 1.0
    assert clopper_pearson_high(0, 20, 0.95) == pytest.approx(1 - 0.05 ** (1 / 20), rel=1e-12)
    assert clopper_pearson(3, 20, 0.95) == pytest.approx((clopper_pearson_low(3, 20, 0.975), clopper_pearson_high(3, 20, 0.975)))


# Newcombe 1998, Statistics in Medicine 17, 857, Table I: 81 of 263 and 15 of 148, by method 3 (score) and 5 (exact)
@pytest.mark.parametrize(
    ("successes", "n", "score", "exact"),
    [(81, 263, (0.2553, 0.3662), (0.2527, 0.3676)), (15, 148, (0.0624, 0.1605), (0.0578, 0.1617))],
)
def test_intervals_for_a_share_equal_newcombes_table(
    successes: int, n: int, score: tuple[float, float], exact: tuple[float, float]
) -> None:
    assert wilson(successes / n, n, 0.95) == pytest.approx(score, abs=5e-5)
    assert clopper_pearson(successes, n, 0.95) == pytest.approx(exact, abs=5e-5)


# Newcombe 1998, Statistics in Medicine 17, 873, Table II, method 10: 56/70 - 48/80
def test_the_difference_of_independent_shares_equals_newcombes_table() -> None:
    assert newcombe_difference(56, 70, 48, 80, 0.95) == pytest.approx((0.0524, 0.3339), abs=5e-5)


# (both, first only, second only, neither): the published tests of the R package contingencytables, which implements
# Fagerland, Lydersen & Laake 2017 (data of Cavo et al. 2012); Altman 2000, "Statistics with confidence", p. 52;
# Newcombe 1998, Statistics in Medicine 17, 2635, Table III, method 10
@pytest.mark.parametrize(
    ("cells", "interval", "digits"),
    [
        ((59, 6, 16, 80), (-0.1186, -0.0046), 5e-5),
        ((14, 5, 0, 22), (0.011, 0.226), 6e-4),
        ((36, 12, 2, 0), (0.0569, 0.3404), 5e-5),
    ],
)
def test_the_paired_difference_equals_published_examples(
    cells: tuple[int, int, int, int], interval: tuple[float, float], digits: float
) -> None:
    assert newcombe_paired(*cells, 0.95) == pytest.approx(interval, abs=digits)


def test_the_paired_difference_of_equal_models_contains_zero_and_margins_of_zero_do_no_harm() -> None:
    low, high = newcombe_paired(100, 0, 0, 0, 0.95)
    assert low < 0 < high
    assert newcombe_paired(0, 5, 0, 0, 0.95)[1] == 1.0


def test_the_paired_interval_covers_the_truth() -> None:
    """Seeded. Coverage of a 95% interval over 1,000 samples lies above 0.929 but for one seed in 700."""
    rng, truth = np.random.default_rng(5), np.array([0.60, 0.10, 0.06, 0.24])
    tables = rng.multinomial(300, truth, size=1000)
    covered = []
    for both, first_only, second_only, neither in tables.tolist():
        low, high = newcombe_paired(both, first_only, second_only, neither, 0.95)
        covered.append(low <= truth[1] - truth[2] <= high)
    assert np.mean(covered) >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 1000)


def test_auc_counts_pairs_and_half_of_the_ties() -> None:
    positives, negatives = np.array([3.0, 1.0, 2.0, 2.0]), np.array([0.0, 2.0, 2.5])
    pairs = np.mean([(p > n) + (p == n) / 2 for p in positives for n in negatives])
    assert auc_with_interval(positives, negatives, 0.95)[0] == pytest.approx(pairs)


@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_auc_interval_is_wilson_at_delongs_effective_sample_size_with_a_cap(spread: float) -> None:
    rng = np.random.default_rng(1)
    positives, negatives = rng.normal(1, spread, 30), rng.normal(0, 1, 40)
    wins = np.array([[(p > n) + (p == n) / 2 for n in negatives] for p in positives])
    area = wins.mean()
    variance = wins.mean(axis=1).var(ddof=1) / 30 + wins.mean(axis=0).var(ddof=1) / 40
    expected = wilson(area, min(area * (1 - area) / variance, 3 * 30 * 40 / 71), 0.9)
    found, interval = auc_with_interval(positives, negatives, 0.9)
    assert found == pytest.approx(area)
    assert interval == pytest.approx(expected)


def test_a_perfect_auc_still_has_a_width() -> None:
    area, (low, high) = auc_with_interval(np.arange(10.0) + 100, np.arange(20.0), 0.95)
    assert (area, high) == (1.0, 1.0)
    assert low == pytest.approx(wilson(1.0, 10, 0.95)[0])
    assert auc_with_interval(np.array([1.0]), np.array([0.0]), 0.95)[1][0] < 0.3


@pytest.mark.parametrize(("m", "n", "area"), [(50, 50, 0.5), (30, 200, 0.75), (100, 60, 0.9), (40, 40, 0.97)])
def test_the_auc_interval_covers_the_truth(m: int, n: int, area: float) -> None:
    """Seeded. Coverage over 1,000 binormal samples lies above 0.929 but for one seed in 700."""
    rng, shift = np.random.default_rng(m), math.sqrt(2) * NormalDist().inv_cdf(area)
    intervals = [auc_with_interval(rng.normal(shift, 1, m), rng.normal(0, 1, n), 0.95)[1] for _ in range(1000)]
    assert np.mean([low <= area <= high for low, high in intervals]) >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 1000)


@pytest.mark.parametrize("confidence", [0.0, 1.0, float("nan"), 95])
def test_a_confidence_outside_0_and_1_is_refused(confidence: float) -> None:
    with pytest.raises(ConfigError, match="confidence must lie between 0 and 1"):
        wilson(0.5, 10, confidence)
    with pytest.raises(ConfigError, match="confidence must lie between 0 and 1"):
        clopper_pearson_low(5, 10, confidence)
