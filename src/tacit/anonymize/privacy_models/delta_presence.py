"""Delta-presence: from the release nobody of a known population can be told to be in it, or not to be."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.comparison import at_least, at_most
from tacit.anonymize.privacy_models.parameters import check_number
from tacit.errors import ConfigError


@dataclass(frozen=True, slots=True)
class DeltaPresence:
    """In every class the share of population rows that belong to the research subset lies in [d_min, d_max].

    d_min, d_max -- 0 <= d_min <= d_max <= 1, d_max > 0 and not both bounds idle. Decided in whole numbers, the bounds as the
    decimals they are written as.
    Source: Nergiz, Atzori & Clifton 2007 (SIGMOD), the definition of delta-presence.

    A class of the population without a row of the subset has the share 0 and fails when d_min > 0. It cannot be suppressed, for
    that nobody of it is in the release is then plain to see: a search refuses a recoding that has such a class. Rows of the
    subset in suppressed classes are outside the promise.

    Not monotonic under suppression: a class that holds can merge with a suppressed one wholly inside the subset, and fail.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = False
    columns: ClassVar[tuple[str, ...]] = ()

    d_min: float
    d_max: float

    def __post_init__(self) -> None:
        check_number("d_min", self.d_min, "[0, 1]", why="it is a probability to be in the release. 0 asks for no lower bound.")
        check_number("d_max", self.d_max, "(0, 1]", why="it is a probability to be in the release. Try 0.5.")
        if self.d_min > self.d_max or (self.d_min, self.d_max) == (0, 1):
            raise ConfigError(
                f"delta-presence needs d_min <= d_max, and not the whole range, got [{self.d_min:g}, {self.d_max:g}]: "
                "no class meets an empty range and every class the whole one. Write for example DeltaPresence(0, 0.5)."
            )

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        if classes.subset is None:
            raise ConfigError(
                f"{self} needs a research subset, and none was given: presence is being in the subset of a known population. "
                "Give the population as the table and the rows of the subset as `subset`."
            )
        return at_least(classes.subset, self.d_min, classes.sizes) & at_most(classes.subset, self.d_max, classes.sizes)

    def to_json(self) -> dict[str, Any]:
        return {"model": "delta-presence", "d_min": self.d_min, "d_max": self.d_max}

    def __str__(self) -> str:
        return f"({self.d_min:g},{self.d_max:g})-presence"
