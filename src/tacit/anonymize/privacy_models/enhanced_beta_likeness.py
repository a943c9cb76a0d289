"""Enhanced beta-likeness: basic beta-likeness that also keeps rare values from filling a class."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.basic_beta_likeness import gain_at_most
from tacit.anonymize.privacy_models.comparison import TOLERANCE
from tacit.anonymize.privacy_models.frequencies import all_by_class, histogram_of, rows_by_class
from tacit.anonymize.privacy_models.parameters import check_column, check_number


@dataclass(frozen=True, slots=True)
class EnhancedBetaLikeness:
    """Basic beta-likeness that also keeps rare values from filling a class.

    column -- the sensitive column; beta -- number > 0. (p - q) / q <= min(beta, -ln q) for each value in the class, p its
    frequency there and q in the whole input, suppressed rows included. Against beta it is decided in whole numbers, against
    -ln q within 1e-9. With it p <= q (1 - ln q) < 1 for every value that is not the only one.
    Source: Cao & Karras 2012 (PVLDB 5(11)), enhanced beta-likeness.

    Not monotonic under suppression: a class that holds can merge with a suppressed one full of one value, and fail with it.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = False

    column: str
    beta: float

    def __post_init__(self) -> None:
        check_column(self.column, "enhanced beta-likeness")
        check_number("beta", self.beta, "(0, inf)", why="it is the largest relative gain in the belief in a value. Try 1 to 4.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        histogram, count = histogram_of(classes, self.column), len(classes)
        p = histogram.counts / rows_by_class(histogram, count)[histogram.class_of]
        q = (histogram.totals / histogram.totals.sum())[histogram.values]
        rare = (p - q) / q <= -np.log(q) + TOLERANCE
        return gain_at_most(self.beta, classes, self.column) & all_by_class(histogram, rare, count)

    def to_json(self) -> dict[str, Any]:
        return {"model": "enhanced-beta-likeness", "column": self.column, "beta": self.beta}

    def __str__(self) -> str:
        return f"enhanced {self.beta:g}-likeness of {self.column!r}"
