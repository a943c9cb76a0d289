"""The estimators of population uniqueness against other methods: fractions, the likelihood itself, the equations themselves."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from tacit.anonymize.risk_estimators import population_uniques
from tacit.anonymize.verify.uniqueness import Sizes, estimate, pitman, shlosser, snb, zayatz

TABLES: list[Sizes] = [Counter({1: 30, 2: 12, 3: 5, 8: 2}), Counter({1: 5, 2: 3, 4: 1}), Counter({1: 50, 2: 10, 3: 4})]


def zayatz_in_fractions(sizes: Sizes, people: int) -> Fraction:
    rows = sum(size * count for size, count in sizes.items())
    one = {i: Fraction(i * math.comb(people - i, rows - 1), math.comb(people, rows)) for i in sizes}
    return sizes[1] * one[1] * sizes[1] / sum(sizes[i] * one[i] for i in sizes) * Fraction(people, rows)


@pytest.mark.parametrize("sizes", TABLES, ids=str)
@pytest.mark.parametrize("people", [120, 500, 9000])
def test_zayatz_as_in_whole_numbers(sizes: Sizes, people: int) -> None:
    assert zayatz(sizes, people) == pytest.approx(float(zayatz_in_fractions(sizes, people)), rel=1e-12)


def log_likelihood(sizes: Sizes, theta: float, alpha: float) -> float:
    """Pitman's sampling formula without its constants (Hoshino 2001)."""
    rows, classes = sum(size * count for size, count in sizes.items()), sizes.total()
    value = sum(math.log(theta + i * alpha) for i in range(1, classes)) - sum(math.log(theta + i) for i in range(1, rows))
    return value + sum(count * sum(math.log(i - alpha) for i in range(1, size)) for size, count in sizes.items())


INSIDE: list[Sizes] = [TABLES[0], Counter({1: 40, 2: 8, 3: 3, 9: 2}), Counter({1: 9, 5: 1, 20: 1})]


@pytest.mark.parametrize("sizes", INSIDE, ids=str)
def test_pitman_takes_the_parameters_of_greatest_likelihood(sizes: Sizes) -> None:
    """By Nelder-Mead on the likelihood, which knows nothing of its derivatives; good to about 1e-6."""
    from scipy.optimize import minimize

    def cost(x: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
        alpha = 1 / (1 + math.exp(-x[1]))
        return -log_likelihood(sizes, math.exp(x[0]) - alpha, alpha)

    best = minimize(cost, np.array([1.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 4000}).x
    alpha = 1 / (1 + math.exp(-best[1]))
    theta = math.exp(best[0]) - alpha
    uniques = math.exp(math.lgamma(theta + 1) - math.lgamma(theta + alpha) + alpha * math.log(5000))
    assert pitman(sizes, 5000) == pytest.approx(uniques, rel=1e-5)


def test_pitman_has_no_answer_where_the_likelihood_grows_towards_alpha_zero() -> None:
    sizes = TABLES[1]
    grid = [max(log_likelihood(sizes, theta / 10, alpha) for theta in range(1, 400)) for alpha in (1e-6, 0.01, 0.1, 0.3, 0.9)]
    assert grid == sorted(grid, reverse=True)
    assert pitman(sizes, 5000) is None


@pytest.mark.parametrize("people", [120, 200, 500])
def test_snb_gives_the_counts_that_were_seen(people: int) -> None:
    """On a line of b through the answer, the equation of f1 gives a, and then that of f2 holds."""
    sizes = TABLES[0]
    rows = sum(size * count for size, count in sizes.items())
    pi, classes, uniques = rows / people, shlosser(sizes, people), snb(sizes, people)
    assert uniques is not None
    least = math.inf
    for b in np.linspace(1e-4, 1 - 1e-4, 200_001):
        a = math.log(uniques / classes) / math.log(b)
        d = (1 - pi) * (1 - b)
        one = classes * pi * (b / (1 - d)) ** a * (1 + a * d / (1 - d))
        two = classes * a * b**a * pi**2 * (1 - b) * (2 - (1 - a) * d) / (2 * (1 - d) ** (a + 2))
        least = min(least, abs(one / sizes[1] - 1) + abs(two / sizes[2] - 1))
    assert least < 1e-3


def test_estimators_agree_with_those_of_the_models_on_random_samples() -> None:
    r = np.random.default_rng(2)
    compared = 0
    for _ in range(40):
        sizes = np.concatenate([r.geometric(r.uniform(0.3, 0.8), size=30), [1]])
        people = int(sizes.sum() * r.choice([1.05, 1.5, 4, 12, 100]))
        for name in ("dankar", "pitman", "zayatz", "snb"):
            theirs = population_uniques(sizes, people, estimator=name)
            mine = estimate(Counter(sizes.tolist()), people, name)
            assert (mine is None) is math.isnan(theirs)
            if mine is not None:
                assert abs(mine - theirs) < 4e-10 * people
                compared += 1
    assert compared > 100


@pytest.mark.parametrize(
    ("sizes", "people"), [({1: 42, 2: 2, 7: 87}, 727), ({1: 44, 2: 1, 8: 25}, 697), ({1: 12, 2: 1, 9: 57}, 1508)]
)
def test_snb_agrees_where_b_is_tiny(sizes: dict[int, int], people: int) -> None:
    """Few pairs beside many rows alone make b smaller than exp(-18); both must look there, and find the same."""
    classes = np.repeat(list(sizes), list(sizes.values()))
    theirs, mine = population_uniques(classes, people, estimator="snb"), snb(Counter(sizes), people)
    assert mine is not None
    assert mine == pytest.approx(theirs, rel=1e-9)


def test_a_sample_that_is_the_population_has_its_own_uniques() -> None:
    assert estimate(Counter({1: 3, 2: 1}), 5, "dankar") == 3.0
    assert estimate(Counter({1: 3}), 3, "snb") == 3.0
    assert pitman(Counter({1: 3}), 30) is None
