"""Delta-disclosure privacy: no value's frequency in a class is far from its frequency in the whole table, either way."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.comparison import TOLERANCE
from tacit.anonymize.privacy_models.frequencies import all_by_class, histogram_of, rows_by_class
from tacit.anonymize.privacy_models.parameters import check_choice, check_column, check_number


@dataclass(frozen=True, slots=True)
class DeltaDisclosure:
    """In every class |log(p / q)| < delta, strictly, for each value that occurs there.

    column -- the sensitive column; delta -- number > 0, in units of the logarithm; base -- of the logarithm: 2 (bits, as ARX
    counts) or "e" (nats, as pycanon does); it has no default, since the same data give other numbers. p is a value's frequency
    in the class, q in the whole input, suppressed rows included. A class within 1e-9 of equality fails: the bound is strict.
    Source: Brickell & Shmatikov 2008 (KDD), delta-disclosure privacy; read for the values present in the class
    only, as both tools do (for an absent value the logarithm has no bound).

    Not monotonic under suppression: a class that holds can merge with a suppressed one full of one value, and fail with it.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = False

    column: str
    delta: float
    base: Literal[2, "e"]

    def __post_init__(self) -> None:
        check_column(self.column, "delta-disclosure")
        check_number("delta", self.delta, "(0, inf)", why="it bounds a logarithm of a ratio of frequencies. Try 1 with base 2.")
        check_choice("base", self.base, (2, "e"), why="delta means another bound with each. Take 2 to compare with ARX.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        histogram, count = histogram_of(classes, self.column), len(classes)
        p = histogram.counts / rows_by_class(histogram, count)[histogram.class_of]
        q = (histogram.totals / histogram.totals.sum())[histogram.values]
        unit = math.log(2.0) if self.base == 2 else 1.0
        near = np.abs(np.log(p / q)) / unit < self.delta - TOLERANCE
        return all_by_class(histogram, near, count)

    def to_json(self) -> dict[str, Any]:
        return {"model": "delta-disclosure", "column": self.column, "delta": self.delta, "base": self.base}

    def __str__(self) -> str:
        return f"{self.delta:g}-disclosure privacy (logarithm to base {self.base}) of {self.column!r}"
