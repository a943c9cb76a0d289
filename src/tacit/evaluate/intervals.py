"""Intervals for shares, for differences of shares and for the area under an ROC curve."""

import math

import numpy as np
from numpy.typing import NDArray

from tacit.evaluate.inputs import confidence_level
from tacit.models.wilson import Interval, wilson


def clopper_pearson_low(successes: int, n: int, confidence: float) -> float:
    """Return a one-sided lower bound for a probability: the truth is at least this with probability >= confidence.

    successes -- 0 .. n, of n >= 1 independent trials.
    Source: Clopper & Pearson 1934, Biometrika 26, 404; exact for every n.
    """
    from scipy.special import betaincinv

    alpha = 1 - confidence_level(confidence)
    return 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, alpha))


def clopper_pearson_high(successes: int, n: int, confidence: float) -> float:
    """Return a one-sided upper bound for a probability: the truth is at most this with probability >= confidence."""
    return 1 - clopper_pearson_low(n - successes, n, confidence)


def clopper_pearson(successes: int, n: int, confidence: float) -> Interval:
    """Return a two-sided interval for a probability, the error split equally between the sides."""
    side = 1 - (1 - confidence) / 2
    return clopper_pearson_low(successes, n, side), clopper_pearson_high(successes, n, side)


def newcombe_difference(first: int, n_first: int, second: int, n_second: int, confidence: float) -> Interval:
    """Return an interval for p_first - p_second from two independent samples.

    Source: Newcombe 1998, Statistics in Medicine 17, 873, method 10 (Wilson limits, squared and added).
    """
    p1, p2 = first / n_first, second / n_second
    return _square_and_add(p1, wilson(p1, n_first, confidence), p2, wilson(p2, n_second, confidence), correlation=0.0)


def newcombe_paired(both: int, first_only: int, second_only: int, neither: int, confidence: float) -> Interval:
    """Return an interval for p_first - p_second when both were observed on the same rows.

    both, first_only, second_only, neither -- the four cells of the 2 x 2 table; at least one row.
    Source: Newcombe 1998, Statistics in Medicine 17, 2635, method 10 (Wilson limits with a corrected phi coefficient).
    """
    n = both + first_only + second_only + neither
    first, second = both + first_only, both + second_only
    margins = float(first) * (n - first) * second * (n - second)
    cross = float(both) * neither - float(first_only) * second_only
    if cross > 0:
        cross = max(cross - n / 2, 0.0)
    phi = cross / math.sqrt(margins) if margins else 0.0
    p1, p2 = first / n, second / n
    return _square_and_add(p1, wilson(p1, n, confidence), p2, wilson(p2, n, confidence), correlation=phi)


def _square_and_add(p1: float, limits1: Interval, p2: float, limits2: Interval, *, correlation: float) -> Interval:
    below, above = p1 - limits1[0], limits2[1] - p2
    low = p1 - p2 - math.sqrt(max(0.0, below**2 - 2 * correlation * below * above + above**2))
    above, below = limits1[1] - p1, p2 - limits2[0]
    high = p1 - p2 + math.sqrt(max(0.0, above**2 - 2 * correlation * above * below + below**2))
    return max(-1.0, low), min(1.0, high)


def auc_with_interval(
    positives: NDArray[np.float64], negatives: NDArray[np.float64], confidence: float
) -> tuple[float, Interval]:
    """Return P(positive > negative) + P(equal) / 2 and its interval.

    positives, negatives -- scores, shapes (m,) and (n,), both non-empty and finite.
    Source: variance by DeLong et al. 1988, Biometrics 44, 837; turned into an effective sample size for a Wilson
    interval, which stays inside [0, 1] and keeps a width at 0 and 1. DeLong's variance comes out too small near the
    ends, so the effective size is never more than that of two equal distributions, 3mn / (m + n + 1); where the
    variance is 0 it is min(m, n), the smallest possible (Birnbaum & Klose 1957, Ann. Math. Stat. 28, 933).
    Approximate, on the wide side: the tests measure its coverage.
    """
    over = _share_beaten(positives, negatives)
    under = _share_beaten(negatives, positives)
    area, m, n = float(over.mean()), len(positives), len(negatives)
    variance = float(over.var(ddof=1) / m + under.var(ddof=1) / n) if min(m, n) > 1 else 0.0
    size = min(area * (1 - area) / variance, 3 * m * n / (m + n + 1)) if variance > 0 else float(min(m, n))
    return area, wilson(area, size, confidence)


def _share_beaten(scores: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each score the share of others below it, ties counting half; O((m + n) log n)."""
    ordered = np.sort(others)
    ranks = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return ranks / (2 * len(others))
