"""Recursive (c,l)-diversity: the most frequent value is rare enough, also when l - 2 others have been ruled out."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes, Histogram
from tacit.anonymize.privacy_models.comparison import at_least
from tacit.anonymize.privacy_models.frequencies import histogram_of, values_by_class
from tacit.anonymize.privacy_models.parameters import check_column, check_number, whole


@dataclass(frozen=True, slots=True)
class RecursiveLDiversity:
    """In every class the commonest value occurs less than c times as often as the l-th commonest and all rarer ones together.

    column -- the sensitive column; c -- number > 0; l -- whole number >= 2. With the counts of a class sorted downwards,
    r1 < c (r_l + ... + r_m), strictly, decided in whole numbers with c as the decimal it is written as. A class then holds at
    least l values.
    Source: Machanavajjhala et al. 2007 (ACM TKDD 1(1):3), Definition 4.2.

    Not monotonic under suppression: a class that holds can merge with a larger one that is suppressed, and fail with it.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = False

    column: str
    c: float
    l: int  # noqa: E741 (the field's own name)

    def __post_init__(self) -> None:
        check_column(self.column, "recursive l-diversity")
        check_number("c", self.c, "(0, inf)", why="it bounds the commonest value against the rarer ones. Try 2 to 4.")
        object.__setattr__(
            self,
            "l",
            whole("l", self.l, least=2, why="one value in a class gives it away for all its rows. Common choices are 2 to 5."),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        histogram = histogram_of(classes, self.column)
        most, rest = _commonest_and_rest(histogram, len(classes), self.l)
        enough = values_by_class(histogram, len(classes)) >= self.l
        return enough & ~at_least(most, self.c, rest)

    def to_json(self) -> dict[str, Any]:
        return {"model": "recursive-l-diversity", "column": self.column, "c": self.c, "l": self.l}

    def __str__(self) -> str:
        return f"recursive ({self.c:g},{self.l})-diversity of {self.column!r}"


def _commonest_and_rest(histogram: Histogram, classes: int, l: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # noqa: E741
    """Return of each class r1 and r_l + ... + r_m, both of shape (classes,)."""
    order = np.lexsort((-histogram.counts, histogram.class_of))
    owner, counts = histogram.class_of[order], histogram.counts[order]
    values = values_by_class(histogram, classes)
    rank = np.arange(len(owner)) - (np.cumsum(values) - values)[owner]
    most = np.zeros(classes, dtype=np.int64)
    most[owner[rank == 0]] = counts[rank == 0]
    rare = rank >= l - 1
    return most, np.bincount(owner[rare], weights=counts[rare], minlength=classes).astype(np.int64)
