"""The exponential mechanism: its price against all worst pairs, its weights by exact fractions, its choices by counting."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import erf, erfc, exp, log, mp, mpf, sqrt, tanh
from numpy.typing import NDArray

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.source import OsSource, SeededSource
from tacit.privacy.events import GaussianEvent
from tacit.privacy.mechanisms.exponential import LARGEST_EPSILON, LEAST_EPSILON, PARTS, REACH, Exponential, _below


def gaussian_delta(noise: float, epsilon: mpf) -> mpf:
    """Balle & Wang 2018, arXiv:1805.06530, Theorem 8."""
    s = mpf(noise)

    def tail(z: mpf) -> mpf:
        return erfc(-z / sqrt(2)) / 2

    return tail(1 / (2 * s) - epsilon * s) - exp(epsilon) * tail(-1 / (2 * s) - epsilon * s)


def worst_deltas(range_: float, at: mpf, ends: int) -> list[mpf]:
    """Hockey-stick divergences, both directions, of the two-point laws whose log-ratio is t or t - range, for t in [0, range].

    From the definition, with p / q = e^t and (1 - p) / (1 - q) = e^(t - range); the claim's own formulas are not used.
    """
    found = []
    for place in range(1, ends):
        t = mpf(range_) * place / ends
        q = (1 - exp(t - range_)) / (exp(t) - exp(t - range_))
        first, second = (q * exp(t), 1 - q * exp(t)), (q, 1 - q)
        for one, other in ((first, second), (second, first)):
            found.append(sum(max(mpf(0), a - exp(at) * b) for a, b in zip(one, other, strict=True)))
    return found


@pytest.mark.parametrize("range_", [0.01, 0.3, 1.0, 4.0])
def test_no_pair_of_laws_of_this_range_is_easier_to_tell_apart_than_the_gaussian_it_is_priced_as(range_: float) -> None:
    noise = Exponential(epsilon=range_).event().noise_multiplier
    with mp.workdps(40):
        for place in range(25):
            at = mpf(range_) * place / 20  # beyond the range too
            assert max(worst_deltas(range_, at, 24)) <= gaussian_delta(noise, at)
        # and the price is tight: a thousandth less, and the symmetric pair is too easy at epsilon 0
        assert max(worst_deltas(range_, mpf(0), 24)) > gaussian_delta(noise * 1.001, mpf(0))


@pytest.mark.parametrize("range_", [2.0**-20, 0.01, 1.0, 8.0, 40.0])
def test_the_price_is_where_total_variation_is_that_of_a_coin(range_: float) -> None:
    """At epsilon 0 the symmetric pair has total variation tanh(range / 4), the Gaussian erf(mu / (2 sqrt 2))."""
    with mp.workdps(60):
        mu = 1 / mpf(Exponential(epsilon=range_).event().noise_multiplier)
        difference = (
            erfc(mu / (2 * sqrt(2))) / (1 - tanh(mpf(range_) / 4))
            if range_ > 1
            else tanh(mpf(range_) / 4) / erf(mu / (2 * sqrt(2)))
        )
        assert 1 - mpf(1e-6) <= difference <= 1  # dearer than exact, by rounding alone


@pytest.mark.parametrize("noise", [0.2, 1.0, 50.0, 1e4])
def test_a_choice_bought_for_a_release_costs_no_more_than_it(noise: float) -> None:
    choice = Exponential.costing(GaussianEvent(noise_multiplier=noise))
    assert noise <= choice.event().noise_multiplier <= noise * (1 + 1e-8)


def exact_range(choice: Exponential, scores: list[float], others: list[float], sensitivity: float) -> Fraction:
    """e to the range of the log-ratio of two laws of choices, from their weights, without rounding."""
    one, other = choice._weights(scores, sensitivity), choice._weights(others, sensitivity)
    ratios = [Fraction(a, sum(one)) / Fraction(b, sum(other)) for a, b in zip(one, other, strict=True)]
    return max(ratios) / min(ratios)


MOVES = st.lists(st.tuples(st.floats(-200, 200), st.floats(-1, 1)), min_size=1, max_size=6)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(MOVES, st.floats(2.0**-20, 8.0), st.floats(1e-3, 1e3))
def test_the_weights_themselves_keep_the_range(moves: list[tuple[float, float]], epsilon: float, sensitivity: float) -> None:
    """Also where scores are cut off at the least weight. Scores that move twice as far break it: see below."""
    scores = [score * sensitivity for score, _ in moves]
    others = [(score + move) * sensitivity for score, move in moves]
    with mp.workdps(50):
        found = exact_range(Exponential(epsilon=epsilon), scores, others, sensitivity)
        assert log(mpf(found.numerator) / mpf(found.denominator)) <= mpf(epsilon)


def test_the_range_is_used_up_and_passed_by_half_the_sensitivity() -> None:
    with mp.workdps(50):
        for sensitivity, least, most in ((1.0, 0.995, 1.0), (0.5, 1.99, 2.0)):
            found = exact_range(Exponential(epsilon=1.0), [5.0, 5.0], [4.0, 6.0], sensitivity)
            assert least < log(mpf(found.numerator) / mpf(found.denominator)) <= most


def test_float_errors_and_rounding_stay_within_the_range() -> None:
    """Two scores moved apart by a sensitivity and the float errors allowed for, each across one more whole step."""
    step, far = 1 / PARTS, 1 + 2.0**-12 + 2.0**-13
    scores = [0.9 * step, 0.1 * step]
    with mp.workdps(50):
        found = exact_range(Exponential(epsilon=1.0), scores, [scores[0] + far, scores[1] - far], 1.0)
        assert 1 - mpf(1e-8) < log(mpf(found.numerator) / mpf(found.denominator)) <= 1


def frequencies(choice: Exponential, sensitivity: float, n: int) -> NDArray[np.float64]:
    source = OsSource.from_os()
    drawn = Counter(choice.choose([0.0, 1.0, 2.0], sensitivity=sensitivity, source=source) for _ in range(n))
    return np.array([drawn[place] / n for place in range(3)])


def test_choices_come_with_the_stated_chances() -> None:
    """Fails by chance with probability <= 1e-9: Hoeffding for each of three shares."""
    n, chance = 3000, 1e-9
    bound = math.sqrt(math.log(6 / chance) / (2 * n))  # 0.061
    weights = np.exp(2.0 * PARTS / REACH * np.arange(3))  # epsilon 4, sensitivity 1
    expected = weights / weights.sum()
    assert np.abs(frequencies(Exponential(epsilon=4.0), 1.0, n) - expected).max() <= bound
    for wrong in (frequencies(Exponential(epsilon=4.0), 2.0, n), np.array([0.0, 0.0, 1.0])):  # half the rate; the exact maximum
        assert np.abs(wrong - expected).max() > bound


class Words(SeededSource):
    """A source whose words are given."""

    def __init__(self, *values: int) -> None:
        super().__init__(0)
        self.values = list(values)

    def uniform_words(self, count: int) -> NDArray[np.uint64]:
        taken, self.values = self.values[:count], self.values[count:]
        return np.array(taken, dtype=np.uint64)


def test_a_number_below_an_end_has_no_bias() -> None:
    """2^128 = 1 mod 3, so the one word pair beyond the last multiple of 3 is drawn again."""
    everything = (1 << 64) - 1
    assert _below(3, Words(everything, everything, 5, 0)) == 2
    assert [_below(3, Words(value, 0)) for value in range(6)] == [0, 1, 2, 0, 1, 2]


def test_equal_scores_and_one_candidate_are_fine_and_far_ones_are_never_nothing() -> None:
    choice = Exponential(epsilon=1.0)
    assert choice.choose([7.0], sensitivity=1.0, source=SeededSource(0)) == 0
    assert len(set(choice._weights([3.0, 3.0, 3.0], 1.0))) == 1
    assert min(choice._weights([0.0, 1e9], 1.0)) >= 1 << 99


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf, LEAST_EPSILON / 2, LARGEST_EPSILON * 2, True])
def test_an_epsilon_out_of_range_is_refused(epsilon: float) -> None:
    with pytest.raises(ConfigError):
        Exponential(epsilon=epsilon)


@pytest.mark.parametrize("sensitivity", [0.0, -1.0, math.nan, math.inf])
def test_a_sensitivity_out_of_range_is_refused(sensitivity: float) -> None:
    with pytest.raises(ConfigError, match="sensitivity"):
        Exponential(epsilon=1.0).choose([1.0], sensitivity=sensitivity, source=SeededSource(0))


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, 1e30])
def test_a_score_that_no_number_of_steps_holds_is_refused(score: float) -> None:
    with pytest.raises(PrivacyError, match="nothing was chosen"):
        Exponential(epsilon=1.0).choose([1.0, score], sensitivity=1.0, source=SeededSource(0))
    with pytest.raises(ConfigError, match="candidates"):
        Exponential(epsilon=1.0).choose([], sensitivity=1.0, source=SeededSource(0))
