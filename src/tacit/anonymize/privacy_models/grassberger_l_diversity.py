"""Grassberger's l-diversity: entropy l-diversity that does not hold a small class's bias against it."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.comparison import TOLERANCE
from tacit.anonymize.privacy_models.frequencies import entropy_by_class, histogram_of, values_by_class
from tacit.anonymize.privacy_models.parameters import check_column, check_number


@dataclass(frozen=True, slots=True)
class GrassbergerLDiversity:
    """Entropy l-diversity, with the entropy behind a class estimated from its few rows.

    column -- the sensitive column; l -- number > 1. A class holds at least l values, and G(|E|) - sum c G(c) / |E| >= ln l
    (within 1e-9) over the counts c of its values, where G(1) = -(Euler's constant) - ln 2 and
    G(2j) = G(2j + 1) = G(1) + the sum of 2 / (2i - 1) for i = 1..j.
    It accepts more classes than entropy l-diversity: it judges the distribution that a class was drawn from.
    Source: Grassberger 2003, arXiv:physics/0307138v2 (the estimator); Stammler, Katzenbeisser & Hamacher 2016, PSD 2016, LNCS
    9867, pages 135-146 (as l-diversity).

    Not monotonic under suppression: a class that holds can merge with a larger one that is suppressed, and fail with it.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = False

    column: str
    l: float  # noqa: E741 (the field's own name)

    def __post_init__(self) -> None:
        check_column(self.column, "Grassberger's l-diversity")
        check_number("l", self.l, "(1, inf)", why="one value in a class gives it away. Common choices are 2 to 5.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        histogram, count = histogram_of(classes, self.column), len(classes)
        entropy = entropy_by_class(histogram, count, _corrected_log)
        return (values_by_class(histogram, count) >= self.l) & (entropy >= math.log(self.l) - TOLERANCE)

    def to_json(self) -> dict[str, Any]:
        return {"model": "grassberger-l-diversity", "column": self.column, "l": self.l}

    def __str__(self) -> str:
        return f"entropy {self.l:g}-diversity (Grassberger's estimate) of {self.column!r}"


def _corrected_log(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return G of each count >= 1: the sum in closed form, digamma(floor(c / 2) + 1/2) + ln 2 (Abramowitz & Stegun 6.3.4)."""
    from scipy.special import digamma

    return np.asarray(digamma(counts // 2 + 0.5) + math.log(2.0))
