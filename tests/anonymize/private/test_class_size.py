"""The smallest safe class: by the theorem's own words in exact fractions, and by the law of the release itself."""

import math
from fractions import Fraction

import pytest
from mpmath import exp, mp, mpf

from tacit.anonymize.private.class_size import rate_words, smallest_class, tail
from tacit.errors import ConfigError
from tacit.privacy.local.words import ALL_WORDS

CASES = [(1.0, 1e-5, None), (1.0, 1e-6, 0.1), (2.0, 1e-2, None), (0.5, 1e-3, 0.2), (0.1, 1e-2, None), (1.0, 0.3, None)]


def theorem_delta(k: int, epsilon: float, words: int, most: int) -> Fraction:
    """Li, Qardaji & Su 2011, Theorem 5, word for word: max over n >= ceil(k / gamma - 1) of the sum over j > gamma n; n to `most`."""
    yes, no = words >> 52, (1 << 12) - (words >> 52)
    with mp.workdps(60):
        gamma = Fraction(str((exp(mpf(epsilon)) - 1 + mpf(yes) / 4096) / exp(mpf(epsilon))))
    worst = Fraction(0)
    for n in range(math.ceil(k / gamma - 1), most):
        total = sum(math.comb(n, j) * yes**j * no ** (n - j) for j in range(math.floor(gamma * n) + 1, n + 1))
        worst = max(worst, Fraction(total, 4096**n))
    return worst


@pytest.mark.parametrize(("epsilon", "delta", "given"), CASES)
def test_it_is_the_theorems_smallest_k_in_exact_fractions(epsilon: float, delta: float, given: float | None) -> None:
    """A rate of 12 bits keeps the fractions short; beyond three times the first n Chernoff's bound is far below delta."""
    words = rate_words(epsilon, given) >> 52 << 52
    k = smallest_class(epsilon, delta, words)
    most = 3 * math.ceil(k / (1 - (1 - words / ALL_WORDS) * math.exp(-epsilon))) + 20
    assert theorem_delta(k, epsilon, words, most) <= Fraction(delta)
    if k > 1:
        assert theorem_delta(k - 1, epsilon, words, most) > Fraction(delta)


def released(m: int, k: int, rate: mpf) -> list[mpf]:
    """The law of what a class of m rows shows: how many were sampled if at least k, else nothing (place 0)."""
    chances = [mpf(math.comb(m, j)) * rate**j * (1 - rate) ** (m - j) for j in range(m + 1)]
    return [sum(chances[:k], mpf(0)), *chances[k:]]


@pytest.mark.parametrize(("epsilon", "delta", "given"), [(1.0, 1e-5, 0.3), (0.5, 1e-3, 0.2), (2.0, 1e-1, None)])
def test_the_release_itself_is_private_at_this_k_in_both_directions(epsilon: float, delta: float, given: float | None) -> None:
    words = rate_words(epsilon, given)
    k = smallest_class(epsilon, delta, words)
    with mp.workdps(40):
        rate, worst, loose = mpf(words) / ALL_WORDS, mpf(0), mpf(0)
        for m in range(1, 4 * k + 20):
            for size, found in ((k, "worst"), (max(1, k // 2), "loose")):
                one, other = released(m, size, rate), released(m - 1, size, rate)
                other += [mpf(0)] * (len(one) - len(other))
                gaps = [
                    sum(max(mpf(0), a - exp(mpf(epsilon)) * b) for a, b in zip(*pair, strict=True))
                    for pair in ((one, other), (other, one))
                ]
                if found == "worst":
                    worst = max(worst, *gaps)
                else:
                    loose = max(loose, *gaps)
        assert worst <= delta
        assert loose > delta  # half the size is not private


def test_a_rate_one_word_too_large_is_refused_because_a_lone_row_would_show() -> None:
    """P(nothing | no row) / P(nothing | one row, k = 1) = 1 / (1 - rate) must not pass e^epsilon."""
    words = rate_words(1.0, None)
    with mp.workdps(60):
        assert 1 / (1 - mpf(words) / ALL_WORDS) <= exp(mpf(1)) < 1 / (1 - mpf(words + 1) / ALL_WORDS)
    for rate in (0.6322, 1.0, 0.0, -0.1, math.nan, math.inf):
        with pytest.raises(ConfigError, match="sampling rate"):
            rate_words(1.0, rate)


@pytest.mark.parametrize(
    ("rows", "least", "rate"),
    [(30, 25, Fraction(5, 8)), (200, 60, Fraction(1, 8)), (7, 7, Fraction(1, 2)), (3, 1, Fraction(1, 16))],
)
def test_a_tail_is_at_least_exact_and_hardly_more(rows: int, least: int, rate: Fraction) -> None:
    exact = sum(math.comb(rows, j) * rate**j * (1 - rate) ** (rows - j) for j in range(least, rows + 1))
    found = Fraction(tail(rows, least, rate))
    assert exact <= found <= exact * (1 + Fraction(1, 10**25))


@pytest.mark.parametrize("epsilon", [0.0, -1.0, 11.0, math.nan, 1e-9, True])
def test_an_epsilon_out_of_range_is_refused(epsilon: float) -> None:
    with pytest.raises(ConfigError, match="epsilon"):
        rate_words(epsilon, None)


def test_less_delta_needs_larger_classes_and_a_smaller_rate_smaller_ones() -> None:
    full, tenth = rate_words(1.0, None), rate_words(1.0, 0.1)
    assert smallest_class(1.0, 1e-4, full) < smallest_class(1.0, 1e-6, full)
    assert smallest_class(1.0, 1e-6, tenth) < smallest_class(1.0, 1e-6, full)
    with pytest.raises(ConfigError):
        smallest_class(1.0, 0.0, full)
