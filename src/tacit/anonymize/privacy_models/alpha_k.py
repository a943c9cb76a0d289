"""(alpha,k)-anonymity: classes of k rows in which no sensitive value is too common."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.comparison import at_most
from tacit.anonymize.privacy_models.frequencies import all_by_class, histogram_of, rows_by_class
from tacit.anonymize.privacy_models.parameters import check_column, check_number, whole


@dataclass(frozen=True, slots=True)
class AlphaKAnonymity:
    """Every class has at least k rows, and no sensitive value makes up more than a share alpha of them.

    column -- the sensitive column; alpha -- 0 < alpha < 1; k -- whole number >= 2. Decided in whole numbers, alpha as the decimal
    it is written as: 1 row of 10 meets 0.1. It holds for every value of the column, a missing one included.
    Source: Wong, Li, Fu & Wang 2006 (KDD), (alpha, k)-anonymity for every sensitive value (their general model).

    Not monotonic under suppression: a class that holds can merge with a suppressed one full of one value, and fail with it.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = False

    column: str
    alpha: float
    k: int

    def __post_init__(self) -> None:
        check_column(self.column, "(alpha,k)-anonymity")
        check_number("alpha", self.alpha, "(0, 1)", why="it is the largest share of a class that one value may be. Try 0.5.")
        object.__setattr__(
            self, "k", whole("k", self.k, least=2, why="a class of one row hides nobody. Common choices are 5 to 20.")
        )

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        histogram = histogram_of(classes, self.column)
        rows = rows_by_class(histogram, len(classes))
        rare = at_most(histogram.counts, self.alpha, rows[histogram.class_of])
        return (classes.sizes >= self.k) & all_by_class(histogram, rare, len(classes))

    def to_json(self) -> dict[str, Any]:
        return {"model": "alpha-k", "column": self.column, "alpha": self.alpha, "k": self.k}

    def __str__(self) -> str:
        return f"({self.alpha:g},{self.k})-anonymity of {self.column!r}"
