"""The geometry of PrivUnit2: spherical caps, and how far drawn vectors can be from uniform on the sphere.

T = <V, u> is the height of a uniform V on the unit sphere of R^d over a fixed unit vector u. (1 + T) / 2 is Beta(a, a) with
a = (d - 1) / 2, so the cap {T >= h} has probability I_{(1-h)/2}(a, a), and T has density c (1 - t^2)^((d-3)/2) with
c = Gamma(d/2) / (sqrt(pi) Gamma((d-1)/2)). Source: Bhowmick et al. 2018, arXiv:1812.00984, section 4.1 and Lemma 4.1.

Drawn caps (bound `drawn_error`). V is a vector of d drawn normal values over its length, and whether it lies in the cap of u is
decided in float64. For every u the chance that it does is within s of the cap's exact probability:

1. With chance >= 1 - 2^-78 d the drawn values are ideal normal ones but for rounding (tacit.noise.normal): a pair's squared
   radius r^2 is off by at most 2^-50 (1 + r^2), its angle by 2^-49. With chance >= 1 - d 2^-35 all r >= 2^-17, and then every
   value is off by at most 2^-51 (1/r + r) + 2^-49 r, all together by at most sqrt(d) 2^-34 + 2^-48 |V| in L2.
2. P(|V| < l) <= (e l^2 / d)^(d/2) (Chernoff, chi-square), which is 2^-30 for l = sqrt(d 2^(-60/d) / e). Otherwise the
   direction is off by at most w = sqrt(d) 2^-34 / l + 2^-48. In two dimensions it is one pair's angle alone, unless both values
   come from different pairs; the bound covers both.
3. Comparing <V, u> with h |V| in float64 is off by at most (4 d + 16) 2^-53 |V| (Higham 2002, eq. 3.5), u's own length included.
4. So decisions differ only where the angle between V and u is within 1.01 w of the cap's, or T within w' = (4 d + 16) 2^-53 of h. The
   angle has density c sin^(d-2) <= c; T has density at most c for d >= 3 and at most c / sqrt(1 - (h + w')^2) for d = 2. The two
   bands have mass at most twice their half-width times that.

For d = 100 the bound is 5e-9. scipy's incomplete beta function gets a relative allowance of 2^-30, a hundred times the
difference from 40-digit arithmetic that the tests allow.
"""

import math

BETA_ALLOWANCE = 2.0**-30
"""Relative error granted to scipy's regularized incomplete beta function."""


def cap_probability(dimension: int, height: float) -> float:
    """Return the chance that a uniform unit vector of R^dimension lies in a cap: P(T >= height); 0 <= height < 1."""
    from scipy.special import betainc

    half = (dimension - 1) / 2
    return float(betainc(half, half, (1 - height) / 2))


def cap_height(dimension: int, probability: float) -> float:
    """Return the height whose cap has about this probability; 0 < probability <= 1/2."""
    from scipy.special import betaincinv

    half = (dimension - 1) / 2
    return max(0.0, 1 - 2 * float(betaincinv(half, half, probability)))


def largest_density(dimension: int) -> float:
    """Return c, the factor of the height's density."""
    return math.exp(math.lgamma(dimension / 2) - math.lgamma((dimension - 1) / 2)) / math.sqrt(math.pi)


def cap_moment(dimension: int, height: float) -> float:
    """Return E[T; T >= height] = c (1 - height^2)^((d-1)/2) / (d - 1). E[T; T < height] is its negative."""
    half = (dimension - 1) / 2
    return largest_density(dimension) * math.exp(half * math.log1p(-height * height)) / (dimension - 1)


def drawn_error(dimension: int, height: float) -> float:
    """Return s: how far the chance to draw a vector of a cap can be from the cap's probability, whatever its pole."""
    short = math.sqrt(dimension * 2.0 ** (-60 / dimension) / math.e)
    angle = math.sqrt(dimension) * 2.0**-34 / short + 2.0**-48
    level = (4 * dimension + 16) * 2.0**-53
    steep = 1.0 if dimension > 2 else 1 / math.sqrt(1 - (height + level) ** 2)
    return dimension * (2.0**-78 + 2.0**-35) + 2.0**-30 + 2 * largest_density(dimension) * (1.01 * angle + level * steep)
