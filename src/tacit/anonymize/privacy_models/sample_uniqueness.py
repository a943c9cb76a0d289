"""Sample uniqueness: few released rows are alone in their class."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.comparison import at_most
from tacit.anonymize.privacy_models.parameters import check_number


@dataclass(frozen=True, slots=True)
class SampleUniqueness:
    """The share of released rows that are alone in their class is at most a threshold.

    threshold -- 0 <= threshold < 1; decided in whole numbers, as the decimal it is written as.
    Source: Skinner & Elliot 2002 (JRSS B 64(4)), sample uniques; the rows of classes of one row / all rows.

    A property of the release as a whole: when it fails, all rows that are alone are suppressed. So the verdict on a class
    depends on the others.
    Monotonic by itself, and not beside another model, hence not called so: a row alone that k-map suppresses may no longer be
    suppressed one level up, and then too many are alone.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ()

    threshold: float

    def __post_init__(self) -> None:
        check_number("threshold", self.threshold, "[0, 1)", why="it is the share of rows alone in their class. Try 0.01.")

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        alone = classes.sizes == 1
        few = at_most(np.array([alone.sum()]), self.threshold, np.array([classes.sizes.sum()]))[0]
        return np.ones(len(classes), dtype=bool) if few else ~alone

    def to_json(self) -> dict[str, Any]:
        return {"model": "sample-uniqueness", "threshold": self.threshold}

    def __str__(self) -> str:
        return f"sample uniqueness at most {self.threshold:g}"
