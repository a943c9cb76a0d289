"""Average risk: over the released rows, the mean chance to pick the right row of a class is small."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.comparison import at_most
from tacit.anonymize.privacy_models.parameters import check_number


@dataclass(frozen=True, slots=True)
class AverageRisk:
    """The mean of 1 / |E| over the released rows, which is released classes / released rows, is at most a threshold.

    threshold -- 0 < threshold < 1; decided in whole numbers, as the decimal it is written as.
    Source: El Emam 2013 (Guide to the de-identification of personal health information), the prosecutor's average
    risk; ARX enforces it in the same way.

    A property of the release as a whole: classes are suppressed by size, smallest first and all of one size together, until it
    holds. So the verdict on a class depends on the others.
    Not monotonic: singletons may be all that had to go, and merged into pairs take all pairs with them.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ()

    threshold: float

    def __post_init__(self) -> None:
        check_number("threshold", self.threshold, "(0, 1)", why="it is a mean of chances to find a person. Try 0.1.")

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        sizes, counts = np.unique(classes.sizes, return_counts=True)
        larger = np.cumsum(counts[::-1])[::-1]
        rows = np.cumsum((sizes * counts)[::-1])[::-1]
        works = np.flatnonzero(at_most(larger, self.threshold, rows))
        return classes.sizes >= sizes[works[0]] if len(works) else np.zeros(len(classes), dtype=bool)

    def to_json(self) -> dict[str, Any]:
        return {"model": "average-risk", "threshold": self.threshold}

    def __str__(self) -> str:
        return f"average risk at most {self.threshold:g}"
