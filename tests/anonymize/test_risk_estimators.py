"""Estimators of population uniques against their definitions (fractions, sums, likelihoods) and against simulated populations.

The simulations have fixed seeds: they fail only when the code or numpy's generators change.
"""

import math
import types
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln

from tacit.anonymize import risk_estimators
from tacit.anonymize.risk_estimators import (
    SampledSizes,
    pitman_parameters,
    pitman_uniques,
    population_uniques,
    shlosser_classes,
    snb_shape,
    snb_uniques,
    zayatz_uniques,
)
from tacit.errors import ConfigError, DataError

SIZES = np.array([1] * 40 + [2] * 17 + [3] * 9 + [4] * 2 + [7, 7, 30])


def pitman_population(people: int, theta: float, alpha: float, seed: int) -> NDArray[np.int64]:
    """Return the class of each of some people, one after the other: a new class with chance (theta + alpha u) / (theta + i)."""
    rng = np.random.default_rng(seed)
    coins, picks, keeps = rng.random(people), rng.random(people), rng.random((people, 40))
    owner = np.zeros(people, dtype=np.int64)
    sizes: list[int] = []
    for i in range(people):
        if coins[i] * (i + theta) < theta + alpha * len(sizes):
            owner[i] = len(sizes)
            sizes.append(1)
            continue
        for attempt in range(40):  # join a class with chance proportional to its size - alpha
            chosen = int(owner[int((picks[i] + attempt * 0.618034) % 1.0 * i)])
            if keeps[i, attempt] < (sizes[chosen] - alpha) / sizes[chosen]:
                break
        owner[i] = chosen
        sizes[chosen] += 1
    return owner


def slide_population(classes: int, shape: float, success: float, seed: int) -> NDArray[np.int64]:
    sizes = 1 + np.random.default_rng(seed).negative_binomial(shape, success, classes)
    return np.repeat(np.arange(classes), sizes)


def drawn(population: NDArray[np.int64], fraction: float, seed: int) -> tuple[NDArray[np.int64], int]:
    """Return the class sizes of a simple random sample, and the people of the population that are unique in it."""
    chosen = np.random.default_rng(seed).permutation(population)[: int(fraction * len(population))]
    sizes = np.bincount(chosen)
    return sizes[sizes > 0], int((np.bincount(population) == 1).sum())


@pytest.mark.parametrize("people", [len(SIZES) * 3, 200, 1000, 10_000])
def test_zayatz_is_its_hypergeometric_definition(people: int) -> None:
    n = int(SIZES.sum())
    people = max(people, n)
    h = {i: Fraction(i * math.comb(people - i, n - 1), math.comb(people, n)) for i in set(SIZES.tolist())}
    alone = SIZES.tolist().count(1)
    c = alone * h[1] / sum(h[i] for i in SIZES.tolist())
    assert zayatz_uniques(SampledSizes.of(SIZES, people)) == pytest.approx(float(alone * c / Fraction(n, people)), rel=1e-12)


def test_shlosser_is_its_sum() -> None:
    people, n = 700, int(SIZES.sum())
    pi = Fraction(n, people)
    f = {i: SIZES.tolist().count(i) for i in set(SIZES.tolist())}
    first = sum(i * pi**2 * (1 - pi**2) ** (i - 1) * f[i] for i in f) / sum((1 - pi) ** i * ((1 + pi) ** i - 1) * f[i] for i in f)
    second = sum((1 - pi) ** i * f[i] for i in f) / sum(i * pi * (1 - pi) ** (i - 1) * f[i] for i in f)
    assert shlosser_classes(SampledSizes.of(SIZES, people)) == pytest.approx(
        float(len(SIZES) + f[1] * first * second**2), rel=1e-12
    )


@pytest.mark.parametrize(("shape", "success", "fraction"), [(0.5, 0.2, 0.1), (3.0, 0.6, 0.3), (0.9, 0.05, 0.02), (8.0, 0.9, 0.7)])
def test_t11_snb_recovers_the_distribution_whose_expected_counts_it_is_given(
    shape: float, success: float, fraction: float
) -> None:
    """Expected f1 and f2 by summing over the class sizes of the population, one by one: not the closed forms that are solved."""
    size = np.arange(1, 4000, dtype=np.float64)
    others = size - 1  # a negative binomial number of them
    chance = np.exp(
        gammaln(shape + others) - gammaln(shape) - gammaln(size) + shape * math.log(success) + others * math.log1p(-success)
    )
    assert chance.sum() == pytest.approx(1, abs=1e-12)
    alone = 1000 * (chance * size * fraction * (1 - fraction) ** (size - 1)).sum()
    pairs = 1000 * (chance[1:] * size[1:] * others[1:] / 2 * fraction**2 * (1 - fraction) ** (size[1:] - 2)).sum()
    assert snb_shape(1000.0, fraction, alone, pairs) == pytest.approx((shape, math.log(success)), rel=1e-6)


@pytest.mark.parametrize(("shape", "log_success", "fraction"), [(0.05, -25.0, 0.9), (0.01, -90.0, 0.5), (0.02, -2e3, 0.99)])
def test_t11_snb_finds_a_success_probability_as_small_as_there_is(shape: float, log_success: float, fraction: float) -> None:
    """The same sums: a sample sees classes of a few people only, however large the mean class is; b^(1/20) is then .29 and not 0."""
    others = np.arange(4000, dtype=np.float64)
    chance = np.exp(gammaln(shape + others) - gammaln(shape) - gammaln(others + 1) + shape * log_success)
    seen = fraction * (1 - fraction) ** others
    alone = 1000 * (chance * (1 + others) * seen).sum()
    pairs = 1000 * (chance[1:] * (1 + others[1:]) * others[1:] / 2 * fraction * seen[:-1]).sum()
    found = snb_shape(1000.0, fraction, alone, pairs)
    assert found == pytest.approx((shape, log_success), rel=1e-4)
    assert found[0] * found[1] == pytest.approx(shape * log_success, rel=1e-9)  # of the uniques K b^a


def excess_in_digits(place: float, ratio: float, fraction: float) -> mpmath.mpf:
    """Return log(f1 / (K pi)) for b = exp(-exp(place)) and the a that makes f2 / f1 the ratio, in 60 digits."""
    log_b = -mpmath.exp(place)
    rare = -mpmath.expm1(log_b)
    d = (1 - fraction) * rare
    square, line = fraction * rare * d, fraction * rare * (2 - d) - 2 * ratio * (1 - d) * d
    a = (mpmath.sqrt(line**2 + 8 * square * ratio * (1 - d) ** 2) - line) / (2 * square)
    assert abs(a * fraction * rare * (2 - (1 - a) * d) / (2 * (1 - d) * (1 - d + a * d)) / ratio - 1) < 1e-12
    return a * (log_b - mpmath.log(1 - d)) + mpmath.log1p(a * d / (1 - d))


@pytest.mark.parametrize("ratio", [1e-4, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("fraction", [1e-4, 0.1, 0.6, 0.999])
def test_t11_the_equations_of_snb_have_one_solution_or_none(ratio: float, fraction: float) -> None:
    """What is left of the first equation falls all the way from b = 1 to b = 0, so whichever root is looked for is the same."""
    with mpmath.workdps(60):
        values = [excess_in_digits(place / 2, ratio, fraction) for place in range(-44, 16)]
        assert all(after < before for before, after in pairwise(values))


def test_t11_the_residual_that_multiplies_where_the_derivation_divides_is_seen() -> None:
    """Planted: f2 with (1 - d)^(a + 2) in the numerator would give other expected pairs than the sums above."""
    a, b, pi = 0.5, 0.2, 0.1
    d = (1 - pi) * (1 - b)
    right = a * b**a * pi**2 * (1 - b) * (2 - (1 - a) * d) / (2 * (1 - d) ** (a + 2))
    wrong = right * (1 - d) ** (2 * (a + 2))
    alone = pi * (b / (1 - d)) ** a * (1 + a * d / (1 - d))
    assert snb_shape(1.0, pi, alone, right) == pytest.approx((a, math.log(b)), rel=1e-9)
    assert snb_shape(1.0, pi, alone, wrong) != pytest.approx((a, math.log(b)), rel=0.1)


def test_pitman_solves_its_two_equations_and_has_the_greatest_likelihood() -> None:
    """The equations summed term by term; the likelihood climbed by a general optimizer that knows neither."""
    sizes, _ = drawn(pitman_population(8_000, 60.0, 0.5, seed=2), 0.1, seed=3)
    theta, alpha = pitman_parameters(SampledSizes.of(sizes, 8_000))
    u, n = len(sizes), int(sizes.sum())
    i = np.arange(1, u)
    assert (1 / (theta + i * alpha)).sum() == pytest.approx((1 / (theta + np.arange(1, n))).sum(), rel=1e-10)
    inside = sum((1 / (np.arange(1, size) - alpha)).sum() for size in sizes)
    assert (i / (theta + i * alpha)).sum() == pytest.approx(inside, rel=1e-10)

    def minus_log_likelihood(point: NDArray[np.float64]) -> float:
        t, a = point
        if not (0 < a < 1 and t > -a):
            return math.inf
        every = sum(np.log(np.arange(1, size) - a).sum() for size in sizes)
        return float(np.log(t + np.arange(1, n)).sum() - np.log(t + i * a).sum() - every)

    best = minimize(
        minus_log_likelihood,
        np.array([30.0, 0.3]),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000},
    )
    assert (theta, alpha) == pytest.approx(tuple(best.x), rel=1e-4)


@pytest.mark.parametrize("fraction", [0.02, 0.05, 0.1])
def test_pitman_finds_the_uniques_of_a_population_of_its_kind(fraction: float) -> None:
    sizes, uniques = drawn(pitman_population(50_000, 150.0, 0.6, seed=1), fraction, seed=4)
    sample = SampledSizes.of(sizes, 50_000)
    assert pitman_uniques(sample) == pytest.approx(uniques, rel=0.15)
    assert population_uniques(sizes, 50_000) == pitman_uniques(sample)  # Dankar's choice up to pi = 0.1
    assert zayatz_uniques(sample) != pytest.approx(uniques, rel=0.15)


@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.7])
def test_t11_snb_finds_the_uniques_of_a_population_of_its_kind(fraction: float) -> None:
    population = slide_population(20_000, 0.5, 0.2, seed=1)
    sizes, uniques = drawn(population, fraction, seed=2)
    sample = SampledSizes.of(sizes, len(population))
    assert shlosser_classes(sample) == pytest.approx(20_000, rel=0.05)
    assert snb_uniques(sample) == pytest.approx(uniques, rel=0.15)
    assert population_uniques(sizes, len(population)) == min(snb_uniques(sample), zayatz_uniques(sample))


def estimates(module: Any) -> list[float]:
    """Return one figure of each estimator, from a module that has them."""
    sample = module.SampledSizes.of(SIZES, 700)
    return [
        module.zayatz_uniques(sample),
        module.shlosser_classes(sample),
        *module.snb_shape(1000.0, 0.3, 200.0, 60.0),
        *module.pitman_parameters(sample),
        module.pitman_uniques(sample),
        module.population_uniques(SIZES, 700),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("people - rows - steps, 0.0", "people - rows - steps - 1, 0.0"),  # off by one in the hypergeometric
        ("(1 - pi**2) ** i - (1 - pi) ** i", "(1 - pi) ** i * (1 + pi) ** i - 1"),  # T11: ARX's parenthesis
        (
            "constant = 2 * pairs / alone * (1 - d) ** 2",
            "constant = 2 * pairs / alone / (1 - d) ** 2",
        ),  # T11: multiplied for divided
        ("log_success - math.log1p(-d)", "log_success + math.log1p(-d)"),
        ("high += 8.0", "return math.nan, math.nan"),  # only where b is not small
        ("digamma(1 - alpha)", "digamma(2 - alpha)"),  # a term of each class left out
        ("u - 1 + shift / alpha", "u + shift / alpha"),  # one class too many
        ("math.lgamma(theta + alpha)", "math.lgamma(theta + 1 + alpha)"),
        ("if sample.fraction <= 0.1 else", "if sample.fraction > 0.1 else"),  # the wrong one chosen
    ],
)
def test_a_planted_defect_changes_the_figure_that_the_definitions_confirm(old: str, new: str) -> None:
    text = Path(str(risk_estimators.__file__)).read_text(encoding="utf-8")
    assert text.count(old) == 1
    broken = types.ModuleType(risk_estimators.__name__)
    exec(compile(text.replace(old, new), "planted", "exec"), broken.__dict__)  # noqa: S102 - our own source
    right = estimates(risk_estimators)
    try:
        wrong = estimates(broken)
    except ValueError:  # the logarithm of what can no longer be a chance
        return
    assert wrong != pytest.approx(right, rel=1e-6, nan_ok=True)


@pytest.mark.data
@pytest.mark.parametrize(
    # Adult's class sizes given to ARX 3.9.2's own estimator classes (aacd487, solver accuracy 1e-6); its SNB finds no solution
    ("columns", "people", "zayatz", "pitman"),
    [
        (["age", "sex", "race"], 1_000_000, 47.12243227175689, 93.14510820279077),
        (["age", "sex", "race"], 310_000_000, 1346.6389805715255, 95.50617414880489),
        (["age", "sex", "race", "marital-status", "education"], 1_000_000, 20511.658945759973, 16527.631811082327),
        (["age", "sex", "race", "marital-status", "education"], 310_000_000, 3472691.345057089, 235207.6448921491),
    ],
)
def test_pitman_and_zayatz_find_on_adult_what_arx_finds(
    adult: pa.Table, columns: list[str], people: int, zayatz: float, pitman: float
) -> None:
    sizes = adult.group_by(columns).aggregate([([], "count_all")]).column("count_all").to_numpy()
    assert population_uniques(sizes, people, estimator="zayatz") == pytest.approx(zayatz, rel=1e-12)
    assert population_uniques(sizes, people, estimator="pitman") == pytest.approx(pitman, rel=1e-8)
    assert population_uniques(sizes, people) == population_uniques(sizes, people, estimator="pitman")
    assert population_uniques(sizes, people, estimator="snb") > 0


def test_dankar_falls_back_to_zayatz_where_the_other_has_no_solution() -> None:
    flat = np.array([1] * 10 + [2] * 10)  # no maximum with alpha > 0
    assert math.isnan(population_uniques(flat, 1000, estimator="pitman"))
    assert population_uniques(flat, 1000) == population_uniques(flat, 1000, estimator="zayatz")
    no_pairs = np.array([1] * 10 + [5] * 10)
    assert math.isnan(population_uniques(no_pairs, 200, estimator="snb"))
    assert population_uniques(no_pairs, 200) == population_uniques(no_pairs, 200, estimator="zayatz")


def test_a_sample_that_is_the_population_has_its_own_uniques() -> None:
    n = int(SIZES.sum())
    for estimator in ("zayatz", "snb", "dankar"):
        assert population_uniques(SIZES, n, estimator=estimator) == pytest.approx(40, rel=1e-12)


def test_without_a_row_alone_nobody_is_taken_to_be_unique() -> None:
    for estimator in ("pitman", "zayatz", "snb", "dankar"):
        assert population_uniques(np.array([2, 3, 9]), 1000, estimator=estimator) == 0


def test_rows_alone_only_have_no_solution_but_zayatz() -> None:
    alone = np.ones(20, dtype=np.int64)
    assert math.isnan(population_uniques(alone, 1000, estimator="pitman"))
    assert population_uniques(alone, 1000) == pytest.approx(1000)


def test_no_estimate_is_made_of_nothing_or_of_more_rows_than_people() -> None:
    with pytest.raises(DataError, match="at least one row"):
        population_uniques(np.array([], dtype=np.int64), 10)
    with pytest.raises(DataError, match="no more rows than people"):
        population_uniques(np.array([5, 6]), 10)
    with pytest.raises(ConfigError, match="must be one of"):
        population_uniques(np.array([1]), 10, estimator="guess")  # type: ignore[arg-type]
