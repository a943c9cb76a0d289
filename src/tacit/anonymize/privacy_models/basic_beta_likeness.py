"""Basic beta-likeness: no value is much more frequent in a class than in the whole table."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.comparison import at_most
from tacit.anonymize.privacy_models.frequencies import all_by_class, histogram_of, rows_by_class
from tacit.anonymize.privacy_models.parameters import check_column, check_number


@dataclass(frozen=True, slots=True)
class BasicBetaLikeness:
    """In every class no value's frequency exceeds its frequency in the whole input by more than beta times the latter.

    column -- the sensitive column; beta -- number > 0. (p - q) / q <= beta for each value in the class, p its frequency there and
    q in the whole input, suppressed rows included; decided in whole numbers, beta as the decimal it is written as.
    Source: Cao & Karras 2012 (PVLDB 5(11)), basic beta-likeness.
    A value rarer than 1 / (1 + beta) may make up a whole class: use enhanced beta-likeness against that.

    Not monotonic under suppression: a class that holds can merge with a suppressed one full of one value, and fail with it.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = False

    column: str
    beta: float

    def __post_init__(self) -> None:
        check_column(self.column, "basic beta-likeness")
        check_number("beta", self.beta, "(0, inf)", why="it is the largest relative gain in the belief in a value. Try 1 to 4.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        return gain_at_most(self.beta, classes, self.column)

    def to_json(self) -> dict[str, Any]:
        return {"model": "basic-beta-likeness", "column": self.column, "beta": self.beta}

    def __str__(self) -> str:
        return f"basic {self.beta:g}-likeness of {self.column!r}"


def gain_at_most(beta: float, classes: Classes, column: str) -> NDArray[np.bool_]:
    """Return for each class whether (c/n - C/N) / (C/N) <= beta for all its values: c N - C n <= beta C n in whole numbers."""
    histogram = histogram_of(classes, column)
    rows, totals = rows_by_class(histogram, len(classes))[histogram.class_of], histogram.totals[histogram.values]
    share = totals * rows
    small = at_most(histogram.counts * histogram.totals.sum() - share, beta, share)
    return all_by_class(histogram, small, len(classes))
