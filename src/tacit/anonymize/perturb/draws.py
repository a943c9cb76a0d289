"""Random fractions and orders from a source's uniform words."""

import numpy as np
from numpy.typing import NDArray

from tacit.noise.source import Source


def fractions(count: int, source: Source) -> NDArray[np.float64]:
    """Return shape (count,): uniform multiples of 2^-53 in [0, 1)."""
    return (source.uniform_words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def random_order(count: int, source: Source) -> NDArray[np.int64]:
    """Return 0..count - 1 in random order; every order equally likely but for equal 64-bit words (chance count^2 / 2^65)."""
    return np.argsort(source.uniform_words(count), kind="stable").astype(np.int64)
