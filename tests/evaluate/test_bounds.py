import math
from functools import lru_cache

import numpy as np
import pytest
from scipy import stats

from tacit.errors import ConfigError
from tacit.evaluate.bounds import epsilon_ceiling, epsilon_lower_bound, one_run_lower_bound, one_run_p_value, runs_needed
from tacit.privacy.guarantee import Guarantee

ALLOWED = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)
"""False claims at 95% that 1,000 audits may show: alpha + 3 standard errors."""


def many_runs(tp: int, fp: int, n: int = 1000, *, delta: float = 0.0, confidence: float = 0.95) -> float:
    return epsilon_lower_bound(true_positives=tp, present=n, false_positives=fp, absent=n, delta=delta, confidence=confidence)


def test_700_against_100_of_1000_prove_the_golden_epsilon() -> None:
    # ln(beta.ppf(.025, 700, 301) / beta.ppf(.975, 101, 900)), scipy.stats.beta; the anchor's 1.71819
    assert many_runs(700, 100) == pytest.approx(1.71819, abs=5e-6)
    expected = math.log(stats.beta.ppf(0.025, 700, 301) / stats.beta.ppf(0.975, 101, 900))
    assert many_runs(700, 100) == pytest.approx(expected, rel=1e-9)


def test_500_right_of_500_a_side_prove_the_published_epsilon_at_99_percent() -> None:
    # Jagielski, Ullman & Oprea 2020, arXiv:2006.07709: 500 runs a side at 99% prove at most 4.54
    assert many_runs(500, 0, 500, confidence=0.99) == pytest.approx(4.54, abs=5e-3)


def test_misses_prove_as_much_as_hits_when_they_are_the_rare_side() -> None:
    # TNR 0.3 against FNR 0: the mirror image of TPR 0.3 against FPR 0
    assert many_runs(1000, 700) == pytest.approx(many_runs(300, 0), rel=1e-9)
    assert many_runs(300, 0) > 4


def test_nothing_is_proved_by_chance_by_the_wrong_sign_or_by_delta_alone() -> None:
    assert many_runs(510, 490) == 0.0
    assert many_runs(100, 700) == 0.0
    assert many_runs(0, 0) == 0.0
    assert many_runs(700, 100, delta=0.65) == 0.0


def test_delta_lowers_the_bound_and_confidence_too() -> None:
    assert many_runs(700, 100, delta=0.1) < many_runs(700, 100)
    assert many_runs(700, 100, confidence=0.99) < many_runs(700, 100)


def test_the_ceiling_has_its_closed_form_and_1000_runs_prove_epsilon_4_at_one_in_a_million() -> None:
    x = (1e-6 / 2) ** (1 / 1000)  # alpha / 2 to the 1 / n: every guess right on each side
    ceiling = epsilon_ceiling(present=1000, absent=1000, delta=0, confidence=1 - 1e-6)
    assert ceiling == pytest.approx(math.log(x / (1 - x)), rel=1e-9)
    assert ceiling == pytest.approx(4.22575, abs=5e-6)
    assert epsilon_ceiling(present=1000, absent=1000, delta=1e-5, confidence=1 - 1e-6) > 4


@pytest.mark.parametrize(("epsilon", "delta"), [(0.0, 0.0), (3.0, 1e-5), (4.0, 0.0), (8.0, 1e-5)])
def test_the_runs_needed_are_the_fewest_whose_ceiling_lies_above_the_claim(epsilon: float, delta: float) -> None:
    claim = Guarantee(epsilon=epsilon, delta=delta)
    n = runs_needed(claim, confidence=1 - 1e-6)
    assert epsilon_ceiling(present=n, absent=n, delta=delta, confidence=1 - 1e-6) > epsilon
    assert n == 1 or epsilon_ceiling(present=n - 1, absent=n - 1, delta=delta, confidence=1 - 1e-6) <= epsilon
    assert runs_needed(claim, confidence=0.95) < n


def one_run(m: int, r: int, v: int, *, delta: float = 0.0, confidence: float = 0.95) -> float:
    return one_run_lower_bound(canaries=m, guesses=r, correct=v, delta=delta, confidence=confidence)


def p_by_definition(m: int, r: int, v: int, epsilon: float, delta: float) -> float:
    """The p-value term by term, from scipy's binomial distribution."""
    counts = stats.binom(r, 1 / (1 + math.exp(-epsilon)))
    below = counts.cdf(np.arange(-1, v))  # P[Bin <= k] for k = -1 .. v - 1
    alpha = max(((below[v] - below[v - i]) / i for i in range(1, v + 1)), default=0.0)
    return min(1.0, float(counts.sf(v - 1)) + 2 * m * delta * alpha)


def test_a_thousand_right_guesses_in_one_run_prove_the_golden_epsilon() -> None:
    assert one_run(1000, 1000, 1000) == pytest.approx(5.80907, abs=5e-6)  # 0.95 = P[Bin(1000, q) < 1000]: q = 0.05^(1/1000)


@pytest.mark.parametrize(
    ("m", "r", "v", "epsilon", "delta"),
    [
        (100, 40, 33, 1.0, 1e-3),
        (1000, 200, 180, 2.0, 1e-5),
        (50, 50, 50, 3.0, 1e-2),
        (30, 10, 1, 0.5, 1e-3),
        (30, 10, 0, 0.5, 0.0),
    ],
)
def test_the_one_run_p_value_is_its_definition(m: int, r: int, v: int, epsilon: float, delta: float) -> None:
    value = one_run_p_value(canaries=m, guesses=r, correct=v, epsilon=epsilon, delta=delta)
    assert value == pytest.approx(p_by_definition(m, r, v, epsilon, delta), rel=1e-8)


@pytest.mark.parametrize(("m", "r", "v", "delta"), [(1000, 200, 180, 1e-5), (1000, 200, 200, 1e-5), (100, 100, 80, 1e-4)])
def test_every_epsilon_up_to_the_one_run_bound_is_rejected_and_the_next_is_not(m: int, r: int, v: int, delta: float) -> None:
    bound = one_run(m, r, v, delta=delta)
    assert bound > 0
    assert all(p_by_definition(m, r, v, float(e), delta) <= 0.05 * (1 + 1e-9) for e in np.linspace(0, bound, 8))
    assert p_by_definition(m, r, v, bound + 1e-6, delta) > 0.05
    assert bound < one_run(m, r, v)


def test_more_canaries_cost_a_higher_delta_term() -> None:
    assert one_run(5000, 200, 180, delta=1e-4) < one_run(500, 200, 180, delta=1e-4)


@pytest.mark.parametrize(("m", "r", "v"), [(10, 11, 5), (10, 5, 6), (0, 0, 0), (10, 5, -1), (10, 2.5, 1)])
def test_impossible_counts_are_refused(m: int, r: int, v: int) -> None:
    with pytest.raises(ConfigError):
        one_run(m, r, v)


# Validity (R2): the probability that a 95% bound lies above the true epsilon. Each test is seeded, so it never
# flickers; with a fresh seed correct code would pass ALLOWED but for one seed in 700 (and far less where noted).


@pytest.mark.parametrize(
    ("epsilon", "delta", "tpr", "fpr"),
    [
        (0.0, 0.0, 0.3, 0.3),
        (1.0, 0.0, math.e / (1 + math.e), 1 / (1 + math.e)),  # randomized response: both inequalities are tight
        # Gaussian mu = 1, guess above 1: tight at epsilon 1/2, delta = Phi(0) - e^(1/2) Phi(-1) = 0.2384217
        (0.5, 0.2384217, 0.5, 0.158655),
    ],
)
def test_the_many_runs_bound_seldom_exceeds_the_truth(epsilon: float, delta: float, tpr: float, fpr: float) -> None:
    rng = np.random.default_rng(11)
    counts = zip(rng.binomial(400, tpr, 1000), rng.binomial(400, fpr, 1000), strict=True)
    false_claims = np.mean([many_runs(int(tp), int(fp), 400, delta=delta) > epsilon + 1e-6 for tp, fp in counts])
    assert false_claims <= ALLOWED


def test_choosing_the_threshold_on_the_same_scores_would_claim_too_much() -> None:
    """The planted fault of E1, at true epsilon 0: the test above can fail."""
    rng, n, audits = np.random.default_rng(12), 1000, 1000
    low = stats.beta.ppf(0.025, np.arange(1, n + 1), n - np.arange(1, n + 1) + 1)
    low, high = np.concatenate([[0.0], low]), 1 - np.concatenate([[0.0], low])[::-1]
    claims = 0
    for _ in range(audits):
        is_present = rng.permutation(2 * n) < n  # the order of 2n equally distributed scores
        tp, fp = np.cumsum(is_present), np.cumsum(~is_present)
        claims += bool(np.any((low[tp] > high[fp]) | (1 - high[fp] > 1 - low[tp])))
    assert claims / audits > ALLOWED


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
@pytest.mark.parametrize("delta", [0.0, 0.002])
def test_the_one_run_bound_seldom_exceeds_the_truth(epsilon: float, delta: float) -> None:
    """Randomized response that reveals each coin with probability delta: exactly (epsilon, delta)-DP."""
    rng = np.random.default_rng(13)
    right = delta + (1 - delta) / (1 + math.exp(-epsilon))
    bound = lru_cache(lambda v: one_run(500, 200, v, delta=delta))
    false_claims = np.mean([bound(int(v)) > epsilon + 1e-6 for v in rng.binomial(200, right, 1000)])
    assert false_claims <= ALLOWED


def test_choosing_the_number_of_guesses_afterwards_would_claim_too_much() -> None:
    """The planted fault of E1 for one run, at true epsilon 0: about 35% false claims instead of 5%."""
    rng, m = np.random.default_rng(14), 1000
    r = np.arange(1, m + 1)
    right = np.cumsum(rng.random((400, m)) < 0.5, axis=1)
    claims = np.mean([bool(np.any(stats.binom.sf(v - 1, r, 0.5) <= 0.05)) for v in right])
    assert claims > 0.25
