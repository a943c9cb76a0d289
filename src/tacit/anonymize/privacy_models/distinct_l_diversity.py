"""Distinct l-diversity: no class holds fewer than l values."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.frequencies import histogram_of, values_by_class
from tacit.anonymize.privacy_models.parameters import check_column, whole


@dataclass(frozen=True, slots=True)
class DistinctLDiversity:
    """Every class holds at least l different values of a sensitive column.

    column -- the sensitive column; l -- whole number >= 2. A missing value counts as a value of its own.
    Source: Machanavajjhala et al. 2007 (ACM TKDD 1(1):3); named so by Li et al. 2007 (ICDE).
    It counts values, not rows: 99 rows of one disease and one of another are 2-diverse.

    Monotonic: raising a level merges classes, and a merged class holds the values of all its parts.
    """

    monotonic: ClassVar[bool] = True
    contextual: ClassVar[bool] = False

    column: str
    l: int  # noqa: E741 (the field's own name)

    def __post_init__(self) -> None:
        check_column(self.column, "distinct l-diversity")
        object.__setattr__(
            self,
            "l",
            whole("l", self.l, least=2, why="one value in a class gives it away for all its rows. Common choices are 2 to 5."),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        return np.asarray(values_by_class(histogram_of(classes, self.column), len(classes)) >= self.l)

    def to_json(self) -> dict[str, Any]:
        return {"model": "distinct-l-diversity", "column": self.column, "l": self.l}

    def __str__(self) -> str:
        return f"distinct {self.l}-diversity of {self.column!r}"
