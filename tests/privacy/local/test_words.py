import random
from fractions import Fraction

import mpmath
import pytest

from tacit.privacy.local.words import ALL_WORDS, exp_below, lie_words, truth_words

RANDOM = random.Random(5)
EPSILONS = [2.0**-10, 0.5, 1.0, 8.0, 40.0, *(RANDOM.uniform(0, 40) for _ in range(50))]


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_lower_bound_of_the_exponential_is_one_and_close(epsilon: float) -> None:
    """mpmath at 80 digits."""
    with mpmath.workdps(80):
        bound = exp_below(epsilon)
        share = mpmath.mpf(bound.numerator) / bound.denominator / mpmath.exp(mpmath.mpf(epsilon))
        assert 1 - mpmath.mpf(10) ** -45 < share <= 1


@pytest.mark.parametrize("others", [1, 2, 1000])
@pytest.mark.parametrize("epsilon", EPSILONS[:8])
def test_a_lie_has_the_fewest_words_that_keep_the_ratio(epsilon: float, others: int) -> None:
    ratio = exp_below(epsilon)
    words = lie_words(ratio, others)
    assert Fraction(ALL_WORDS - others * words, words) <= ratio < Fraction(ALL_WORDS - others * (words - 1), words - 1)


@pytest.mark.parametrize("epsilon", EPSILONS[:8])
def test_the_truth_has_the_most_words_that_keep_the_odds(epsilon: float) -> None:
    odds = exp_below(epsilon)
    words = truth_words(odds)
    assert Fraction(words, ALL_WORDS - words) <= odds < Fraction(words + 1, ALL_WORDS - words - 1)
