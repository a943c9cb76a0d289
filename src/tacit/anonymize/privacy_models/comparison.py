"""Counts against a share, decided exactly; and how far a rounded measure may miss its threshold.

A class that meets a model with equality passes, one row further fails. Where a model compares counts, nothing is rounded; where
it takes logarithms or sums many fractions, TOLERANCE stands for the rounding.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-9
"""A measure in floating point meets its threshold when it misses it by no more than this; a strict one must clear it by more."""


def at_most(left: NDArray[np.int64], share: float, right: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return left <= share * right, elementwise and exactly, with share read as the decimal number it is written as.

    left, right -- whole numbers of one shape, of any sign. 1 <= 0.1 * 10 holds, as it would not always with a rounded 0.1.
    """
    wanted = Fraction(str(share))
    product = float(share) * right
    gap = left - product
    result = np.asarray(gap <= 0)
    close = np.abs(gap) <= 1e-9 * (np.abs(left) + np.abs(product))
    if close.any():
        result[close] = _exactly_at_most(left[close], wanted, right[close])
    return result


def at_least(left: NDArray[np.int64], share: float, right: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return left >= share * right, elementwise and exactly."""
    return at_most(-left, share, -right)


def _exactly_at_most(left: NDArray[np.int64], share: Fraction, right: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Compare in int64 while the products fit, else in Python's whole numbers."""
    largest = max(int(np.abs(left).max()) * share.denominator, int(np.abs(right).max()) * abs(share.numerator))
    if largest < 2**62:
        return np.asarray(left * share.denominator <= right * share.numerator)
    return np.asarray(left.astype(object) * share.denominator <= right.astype(object) * share.numerator, dtype=np.bool_)
