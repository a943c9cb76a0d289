"""How large a class of a random sample must be to hide one row: a tail of the binomial law, rounded outwards.

Rows of one class are sampled independently with probability b; how many, j of m, is released when j >= k. Zeroing a row of the
class changes m to m - 1. For j < m the probabilities' ratio is

    Bin(j; m, b) / Bin(j; m - 1, b) = (1 - b) m / (m - j),

which passes e^epsilon exactly when j > g m, g = 1 - (1 - b) e^-epsilon (and is infinite for j = m); and its inverse never passes
1 / (1 - b) <= e^epsilon when b <= 1 - e^-epsilon, and so neither does it for "fewer than k". So the release is (epsilon, delta)-private,
zero-out neighbours, with

    delta = max over m of  sum over j >= k, j > g m of Bin(j; m, b)

(the guarantee of strongly safe k-anonymization of Li, Qardaji & Su 2011, arXiv:1101.2604; there m starts at ceil(k / g - 1): for
smaller m the sum is over j >= k and grows with m).
The least j in the sum is some t >= k, and for one t the sum is largest at the largest m with g m < t, m_t = ceil(t / g) - 1. So

    delta(k) = max over t >= k of P(Bin(m_t, b) >= t),

and the smallest k is one more than the last t whose probability passes delta. As t > g m_t > b m_t, Chernoff's bound
exp(-m_t KL(g | b)) (Hoeffding 1963, doi:10.1080/01621459.1963.10500830, Theorem 1) says from where on none does.

Arithmetic: b is a whole number of 64-bit words, g a fraction rounded down, every sum and product a decimal of 50 digits rounded up.
"""

import math
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction

from tacit.errors import ConfigError
from tacit.privacy.accounting import check_delta
from tacit.privacy.local.words import ALL_WORDS, exp_below

LEAST_EPSILON, LARGEST_EPSILON = 2.0**-10, 10.0

_UP = Context(prec=50, rounding=ROUND_CEILING)


def rate_words(epsilon: float, rate: float | None) -> int:
    """Return the chance to be sampled in words of 2^64, rounded down: the rate, or the largest that epsilon allows, 1 - e^-epsilon.

    Raises ConfigError when epsilon is not from 2^-10 to 10, or the rate not > 0 or larger than epsilon allows.
    """
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not LEAST_EPSILON <= epsilon <= LARGEST_EPSILON:
        raise ConfigError(
            f"epsilon must be a number from {LEAST_EPSILON:.3g} to {LARGEST_EPSILON:g}, got {epsilon!r}: it fixes how many rows may be sampled. "
            "Common choices lie between 0.5 and 3."
        )
    most = math.floor(ALL_WORDS * (1 - 1 / exp_below(epsilon)))
    if rate is None:
        return most
    words = math.floor(ALL_WORDS * Fraction(rate)) if isinstance(rate, int | float) and 0 < rate < 1 else 0
    if not 0 < words <= most:
        raise ConfigError(
            f"the sampling rate must be > 0 and at most 1 - e^-epsilon = {most / ALL_WORDS:.6g}, got {rate!r}: each row is left out often enough "
            "to hide that it is there. Use a smaller rate, or a larger epsilon."
        )
    return words


def smallest_class(epsilon: float, delta: float, words: int) -> int:
    """Return the smallest k for which classes of k sampled rows or more are (epsilon, delta)-private to release.

    words -- chance to be sampled, in words of 2^64: from `rate_words`. Never below the exact answer.
    """
    check_delta(delta)
    rate = Fraction(words, ALL_WORDS)
    share = 1 - (1 - rate) / exp_below(epsilon)
    t = _beyond(share, rate, delta)
    while t and tail(_rows(t, share), t, rate) <= Decimal(delta):
        t -= 1
    return t + 1


def tail(rows: int, least: int, rate: Fraction) -> Decimal:
    """Return P(Bin(rows, rate) >= least), rounded up; least > rate * rows."""
    up = _UP
    chance = up.divide(Decimal(rate.numerator), Decimal(rate.denominator))
    other = up.divide(Decimal(rate.denominator - rate.numerator), Decimal(rate.denominator))
    odds = up.divide(Decimal(rate.numerator), Decimal(rate.denominator - rate.numerator))
    ways = up.create_decimal(math.comb(rows, least))
    term = up.multiply(ways, up.multiply(_power(chance, least), _power(other, rows - least)))
    total = term
    for hits in range(least, rows):
        term = up.multiply(term, up.multiply(odds, up.divide(Decimal(rows - hits), Decimal(hits + 1))))
        if term < total.scaleb(-30):
            return up.add(total, up.multiply(term, Decimal(rows)))  # terms fall from here on
        total = up.add(total, term)
    return total


def _rows(t: int, share: Fraction) -> int:
    """Return m_t, the largest m with share * m < t."""
    return math.ceil(t / share) - 1


def _beyond(share: Fraction, rate: Fraction, delta: float) -> int:
    """Return a t from which on Chernoff's bound is at most delta."""
    g, b = float(share), float(rate)
    loss = g * math.log(g / b) + (
        float(1 - share) * (math.log(float(1 - share)) - math.log(float(1 - rate))) if share < 1 else 0.0
    )
    needed = math.log(1 / delta) / loss * (1 + 1e-6) + 2
    return math.ceil(share * math.ceil(needed)) + 2


def _power(value: Decimal, exponent: int) -> Decimal:
    """Return value^exponent, rounded up; 0 < value <= 1, exponent >= 0."""
    result = Decimal(1)
    for bit in bin(exponent)[2:]:
        result = _UP.multiply(result, result)
        if bit == "1":
            result = _UP.multiply(result, value)
    return result
