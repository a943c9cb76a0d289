"""The most that any attack can achieve against a guarantee (Kairouz, Oh & Viswanath 2015, arXiv:1311.0776, Theorem 2.1)."""

import math

import numpy as np
from numpy.typing import NDArray

from tacit.privacy.guarantee import Guarantee


def attack_limit(guarantee: Guarantee, false_positive_rate: float) -> float:
    """Return the largest true-positive rate of any test for one unit's presence at this false-positive rate.

    Both inequalities of the definition, read both ways: min(e^eps f + delta, 1 - e^-eps (1 - delta - f)), at most 1.
    """
    up, down = math.exp(min(guarantee.epsilon, 700.0)), math.exp(-guarantee.epsilon)
    f = false_positive_rate
    return min(1.0, up * f + guarantee.delta, 1 - down * (1 - guarantee.delta - f))


def advantage_limit(guarantee: Guarantee) -> float:
    """Return the largest true-positive minus false-positive rate: (e^eps - 1 + 2 delta) / (e^eps + 1)."""
    half = math.tanh(guarantee.epsilon / 2)
    return half + guarantee.delta * (1 - half)


def auc_limit(guarantee: Guarantee) -> float:
    """Return the largest area under an ROC curve: that of `attack_limit`, made of straight pieces."""
    corner = (1 - guarantee.delta) / (1 + math.exp(min(guarantee.epsilon, 700.0)))
    corners = [0.0, corner, 1 - guarantee.delta, 1.0]
    heights = [attack_limit(guarantee, f) for f in corners]
    return float(np.trapezoid(heights, corners))


def limit_curve(guarantee: Guarantee, rates: NDArray[np.float64]) -> list[list[float]]:
    """Return [[false-positive rate, largest true-positive rate], ...] for a plot."""
    return [[float(f), attack_limit(guarantee, float(f))] for f in rates]
