"""Entropy l-diversity: the values of a class are as uncertain as l equally frequent ones."""

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
class EntropyLDiversity:
    """The entropy of a sensitive column in every class is at least that of l equally frequent values.

    column -- the sensitive column; l -- number > 1. A class holds at least l values, and -sum p ln p >= ln l (within 1e-9)
    over the frequencies p of its values; a missing value is one of them.
    Source: Machanavajjhala et al. 2007 (ACM TKDD 1(1):3), Definition 4.1.

    Not monotonic under suppression: a class that holds can merge with a larger one that is suppressed, and fail with it.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = False

    column: str
    l: float  # noqa: E741 (the field's own name)

    def __post_init__(self) -> None:
        check_column(self.column, "entropy l-diversity")
        check_number("l", self.l, "(1, inf)", why="one value in a class gives it away. Common choices are 2 to 5.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        histogram, count = histogram_of(classes, self.column), len(classes)
        entropy = entropy_by_class(histogram, count, np.log)
        return (values_by_class(histogram, count) >= self.l) & (entropy >= math.log(self.l) - TOLERANCE)

    def to_json(self) -> dict[str, Any]:
        return {"model": "entropy-l-diversity", "column": self.column, "l": self.l}

    def __str__(self) -> str:
        return f"entropy {self.l:g}-diversity of {self.column!r}"
