"""Probabilities as whole numbers of 64-bit words, so that a bound on their ratio holds exactly and not up to rounding.

A word W is uniform on 0 .. 2^64 - 1, so "W < c" has probability c / 2^64 exactly. The chance of a lie is rounded up to the
next word: every ratio of two reports' probabilities then is at most e^epsilon, never a rounding error above it. What is
lost is at most one word in 2^64 of truthfulness, and estimators divide by the rounded probabilities.
"""

import math
from decimal import Context, Decimal
from fractions import Fraction
from numbers import Real

from tacit.errors import ConfigError

ALL_WORDS = 1 << 64

LEAST_EPSILON, LARGEST_EPSILON = 2.0**-10, 40.0
"""Below, a report says nothing a million people could add up; above, a lie is rarer than 64-bit words can draw."""


def checked_epsilon(epsilon: float) -> float:
    """Return epsilon as a float. Raises ConfigError unless 2^-10 <= epsilon <= 40."""
    number = not isinstance(epsilon, bool) and isinstance(epsilon, Real)
    if not (number and math.isfinite(epsilon) and LEAST_EPSILON <= epsilon <= LARGEST_EPSILON):
        raise ConfigError(
            f"the epsilon of a local report must be a finite number from {LEAST_EPSILON:.3g} to {LARGEST_EPSILON:g}, got {epsilon!r}: "
            "it bounds how much likelier one value makes a report than another. Common choices lie between 0.5 and 8."
        )
    return float(epsilon)


def exp_below(epsilon: float) -> Fraction:
    """Return a fraction at most e^epsilon and within 1e-45 of it, relatively; 0 <= epsilon <= 40.

    Decimal's exp is correctly rounded (General Decimal Arithmetic, operation exp), at 50 digits here.
    """
    digits = Context(prec=50)
    return Fraction(digits.exp(Decimal(epsilon))) * (1 - Fraction(1, 10**48))


def lie_words(ratio: Fraction, others: int = 1) -> int:
    """Return the words that each of `others` lies gets: the fewest with (2^64 - others * words) / words <= ratio.

    ratio -- how much likelier the truth may be than one lie; >= 1; others -- number of lies; >= 1.
    """
    return math.ceil(ALL_WORDS / (ratio + others))


def truth_words(odds: Fraction) -> int:
    """Return the most words with words / (2^64 - words) <= odds; odds > 0."""
    return math.floor(ALL_WORDS * odds / (1 + odds))
