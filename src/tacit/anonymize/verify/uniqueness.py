"""Population uniqueness: how many people of the population are unique in it, estimated from the released class sizes.

f_i classes have i rows; u classes, n rows in all; N people; pi = n / N. Sources: Dankar et al. 2012 (BMC Medical Informatics and
Decision Making 12:66); Zayatz 1991; Hoshino 2001 (Pitman); Chen & Keller-McNulty 1998 (slide negative binomial, SNB).
"""

import math
from collections import Counter
from collections.abc import Callable
from functools import cache

import numpy as np

from tacit.anonymize.verify.evidence import Evidence
from tacit.anonymize.verify.sizes import ALIKE

Sizes = Counter[int]


def population_uniqueness(evidence: Evidence, threshold: float, population_size: int, estimator: str) -> list[str]:
    """The estimated share of unique people is at most the threshold; nobody is, when no released row is alone in its class."""
    sizes = Counter(evidence.own)
    if population_size < max(evidence.rows, sum(evidence.own)):
        return [f"the population of {population_size} is smaller than the input of {evidence.rows} rows"]
    if not sizes[1]:
        return []
    people = estimate(sizes, population_size, estimator)
    if people is None:
        return [f"the estimator {estimator} of population uniqueness has no solution for this release"]
    above = not people / population_size <= threshold + ALIKE
    return [f"the share of people unique in the population, as {estimator} estimates it, is above its threshold"] if above else []


def estimate(sizes: Sizes, population: int, estimator: str) -> float | None:
    """Return the estimated number of unique people; None when the estimator's equations have no solution."""
    rows = sum(size * count for size, count in sizes.items())
    if estimator == "pitman":
        return pitman(sizes, population)
    if estimator == "zayatz":
        return zayatz(sizes, population)
    if estimator == "snb":
        return snb(sizes, population)
    if rows * 10 <= population:
        by_pitman = pitman(sizes, population)
        return zayatz(sizes, population) if by_pitman is None else by_pitman
    by_snb = snb(sizes, population)
    return zayatz(sizes, population) if by_snb is None else min(zayatz(sizes, population), by_snb)


def zayatz(sizes: Sizes, population: int) -> float:
    """uniques = f1 c / pi with c = f1 h(1) / sum f_i h(i), h(i) the chance to draw exactly one of i people.

    h(i) / h(1) = i (N-n)(N-n-1)...(N-n-i+2) / ((N-1)(N-2)...(N-i+1)).
    """
    rows = sum(size * count for size, count in sizes.items())
    total, ratio, at = 0.0, 1.0, 1
    for size in sorted(sizes):
        while at < size and ratio > 0.0:
            ratio *= (population - rows - at + 1) / (population - at)
            at += 1
        total += sizes[size] * size * ratio
    return sizes[1] * (sizes[1] / total) * population / rows


def pitman(sizes: Sizes, population: int) -> float | None:
    """Gamma(theta + 1) / Gamma(theta + alpha) N^alpha at the maximum of Pitman's likelihood, 0 < alpha < 1, theta > -alpha.

    The sums are written out, not as differences of digamma functions, which cancel where theta is large.
    """
    from scipy.special import poch, psi

    rows, classes = sum(size * count for size, count in sizes.items()), sizes.total()
    if classes in (1, rows):
        return None
    upward, all_rows = np.arange(1, classes), np.arange(1, rows)
    inner = sorted((size, count) for size, count in sizes.items() if size >= 2)

    def lack(log: float, alpha: float) -> float:
        above = math.exp(log)  # theta + alpha
        return float((1 / (above + (upward - 1) * alpha)).sum() - (1 / (above - alpha + all_rows)).sum())

    @cache
    def above_of(alpha: float) -> float:
        log = _root(lambda log: lack(log, alpha), -40.0, 40.0)
        return math.nan if log is None else math.exp(log)

    def second(log_rest: float) -> float:
        rest = math.exp(log_rest)  # 1 - alpha
        above = above_of(1 - rest)
        left = float((upward / (above + (upward - 1) * (1 - rest))).sum())
        return left - math.fsum(count * (1 / rest + float(psi(size - 1 + rest) - psi(1 + rest))) for size, count in inner)

    log_rest = _root(second, math.log(1e-12), math.log1p(-1e-9))
    if log_rest is None:
        return None
    alpha = 1 - math.exp(log_rest)
    return float(poch(above_of(alpha), 1 - alpha) * population**alpha)


def shlosser(sizes: Sizes, population: int) -> float:
    """Return Shlosser's estimate of the number of classes in the population."""
    rows = sum(size * count for size, count in sizes.items())
    pi = rows / population

    def total(term: Callable[[int], float]) -> float:
        return math.fsum(count * term(size) for size, count in sizes.items())

    first = total(lambda i: i * pi**2 * (1 - pi**2) ** (i - 1)) / total(lambda i: (1 - pi**2) ** i - (1 - pi) ** i)
    second = total(lambda i: (1 - pi) ** i) / total(lambda i: i * pi * (1 - pi) ** (i - 1))
    return sizes.total() + sizes[1] * first * second**2


def snb(sizes: Sizes, population: int) -> float | None:
    """K b^a, where (a, b) gives the f1 and f2 seen; None without f2 or a solution.

    For each b, f2 / f1 = a pi (1-b) (2 - (1-a) d) / (2 (1-d) (1-d + a d)), with d = (1-pi)(1-b), gives a; f1 then gives b. What
    is left of the first equation falls as b does, so two signs at the ends of (0, 1) mean one solution. b is searched for by
    log(-log b), so that neither end is out of reach.
    """
    rows = sum(size * count for size, count in sizes.items())
    if rows == population:
        return float(sizes[1])
    if not sizes[2]:
        return None
    pi, classes = rows / population, shlosser(sizes, population)

    def shape(not_b: float) -> float:
        d = (1 - pi) * not_b

        def excess(log_a: float) -> float:
            a = math.exp(log_a)
            seen = log_a + math.log(pi * not_b / 2) + math.log(2 - d + a * d) - math.log1p(-d) - math.log(1 - d + a * d)
            return seen - math.log(sizes[2] / sizes[1])

        log_a = _root(excess, -80.0, 80.0)
        return math.nan if log_a is None else math.exp(log_a)

    def first(place: float) -> float:
        log_b = -math.exp(place)
        a, d = shape(-math.expm1(log_b)), (1 - pi) * -math.expm1(log_b)
        power = a * (log_b - math.log1p(-d))  # of b / (1 - d)
        return math.log(classes) + math.log(pi) - math.log(sizes[1]) + power + math.log1p(a * d / (1 - d))

    place = _root(first, -25.0, 40.0)
    if place is None:
        return None
    log_b = -math.exp(place)
    return math.exp(math.log(classes) + shape(-math.expm1(log_b)) * log_b)


def _root(function: Callable[[float], float], low: float, high: float) -> float | None:
    """Return where a function crosses zero between two points; None when it has one sign, or no value, there."""
    from scipy.optimize import brentq

    at_low, at_high = function(low), function(high)
    if not at_low * at_high <= 0 or low == high:
        return None
    try:
        return float(brentq(function, low, high, xtol=1e-14, rtol=1e-14, maxiter=500))
    except (RuntimeError, ValueError):
        return None
