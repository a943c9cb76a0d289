"""The exact law of a mechanism whose report is a function of one 64-bit word, found from outside by asking it about words."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NoReturn

import mpmath
import numpy as np
from numpy.typing import NDArray

ALL_WORDS = 1 << 64
_FIRST_LOOK = 1 << 13


class ChosenWords:
    """A source that hands out given words, so that a test can ask what a mechanism makes of each."""

    private = False
    name = "chosen"

    def __init__(self, words: object) -> None:
        self._words = np.asarray(words, dtype=np.uint64).ravel()

    def uniform_words(self, count: int) -> NDArray[np.uint64]:
        assert count == len(self._words)
        return self._words

    def normal(self, count: int, **_: Any) -> NDArray[np.float64]:
        raise AssertionError("no normal values are chosen here")

    def draws(self, **_: Any) -> NoReturn:
        raise AssertionError("no normal values are chosen here")


def law(answer: Callable[[NDArray[np.uint64]], NDArray[Any]]) -> dict[int, Fraction]:
    """Return each report's probability. answer -- the report for each of several words; constant between its jumps.

    Jumps are found by bisection between 2^13 evenly spread words; a report rarer than 2^-13 between equal ones would be missed.
    """
    looks = [ALL_WORDS * i // _FIRST_LOOK for i in range(_FIRST_LOOK)] + [ALL_WORDS - 1]
    reports = [int(one) for one in answer(np.array(looks, dtype=np.uint64))]
    found: dict[int, Fraction] = {}
    start = 0
    for (low, before), (high, after) in zip(
        zip(looks, reports, strict=True), zip(looks[1:], reports[1:], strict=False), strict=False
    ):
        while before != after:
            jump = _jump(answer, low, high, before)
            found[before] = found.get(before, Fraction(0)) + Fraction(jump - start, ALL_WORDS)
            start = low = jump
            before = int(answer(np.array([jump], dtype=np.uint64))[0])
    found[reports[-1]] = found.get(reports[-1], Fraction(0)) + Fraction(ALL_WORDS - start, ALL_WORDS)
    assert sum(found.values()) == 1
    return found


def _jump(answer: Callable[[NDArray[np.uint64]], NDArray[Any]], low: int, high: int, before: int) -> int:
    """Return the first word after low, up to high, whose report is not `before`."""
    while high - low > 1:
        middle = (low + high) // 2
        if int(answer(np.array([middle], dtype=np.uint64))[0]) == before:
            low = middle
        else:
            high = middle
    return high


def largest_ratio(laws: list[dict[int, Fraction]]) -> Fraction:
    """Return the largest ratio of two people's probabilities of one report, over all pairs of laws and all reports."""
    reports = set().union(*laws)
    return max(one[report] / other[report] for one in laws for other in laws for report in reports)


def within(ratio: Fraction, epsilon: float) -> bool:
    """Return whether ratio <= e^epsilon, at 60 digits: finer than any ratio of words."""
    with mpmath.workdps(60):
        return bool(mpmath.mpf(ratio.numerator) / ratio.denominator <= mpmath.exp(mpmath.mpf(epsilon)))
