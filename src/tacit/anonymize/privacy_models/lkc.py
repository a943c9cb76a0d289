"""LKC-privacy: nobody is singled out, and nothing inferred, by an attacker who knows at most L of the quasi-identifiers."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes, Histogram
from tacit.anonymize.coding import combine_codes
from tacit.anonymize.privacy_models.comparison import at_most
from tacit.anonymize.privacy_models.frequencies import histogram_of
from tacit.anonymize.privacy_models.parameters import check_column, check_number, whole


@dataclass(frozen=True, slots=True)
class LKCPrivacy:
    """Rows equal in any at most l quasi-identifiers are at least k, and no sensitive value makes up more than a share c of them.

    column -- the sensitive column; l -- whole number >= 1, quasi-identifiers an attacker knows; k -- whole number >= 2;
    c -- 0 < c <= 1, decided in whole numbers as the decimal it is written as. Every value of the column counts, missing included.
    Source: Mohammed, Fung, Hung & Lee 2009 (KDD), LKC-privacy.

    Only the subsets of exactly l quasi-identifiers (or of all, when there are fewer) are counted: the rows equal in fewer are
    unions of such groups, at least as many, with a confidence between theirs.
    The groups are made of released rows, so a class's verdict depends on which others are released. Not monotonic under
    suppression: a group within the confidence can merge with a suppressed one full of one value, and exceed it.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = True

    column: str
    l: int  # noqa: E741 (the field's own name)
    k: int
    c: float

    def __post_init__(self) -> None:
        check_column(self.column, "LKC-privacy")
        object.__setattr__(
            self, "l", whole("l", self.l, least=1, why="it is how many quasi-identifiers an attacker knows. Try 2 to 4.")
        )
        object.__setattr__(
            self, "k", whole("k", self.k, least=2, why="a group of one row hides nobody. Common choices are 5 to 20.")
        )
        check_number("c", self.c, "(0, 1]", why="it is the largest share of a group that one value may be. 1 asks for none.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        histogram = histogram_of(classes, self.column)
        held = np.ones(len(classes), dtype=bool)
        if not len(classes):
            return held
        for known in combinations(classes.codes, min(self.l, len(classes.codes))):
            keys, _ = combine_codes(known, [int(codes.max()) + 1 for codes in known])
            group = np.unique(keys, return_inverse=True)[1]
            large = np.bincount(group, weights=classes.sizes) >= self.k
            held &= (large & self._vague(histogram, group))[group]
        return held

    def _vague(self, histogram: Histogram, group: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each group of classes whether no value exceeds the confidence in it."""
        width, owner = len(histogram.totals), group[histogram.class_of]
        pairs, place = np.unique(owner * width + histogram.values, return_inverse=True)
        rows = np.bincount(owner, weights=histogram.counts).astype(np.int64)
        counts = np.bincount(place, weights=histogram.counts).astype(np.int64)
        sure = pairs[~at_most(counts, self.c, rows[pairs // width])] // width
        return np.asarray(np.bincount(sure, minlength=int(group.max()) + 1) == 0)

    def to_json(self) -> dict[str, Any]:
        return {"model": "lkc", "column": self.column, "l": self.l, "k": self.k, "c": self.c}

    def __str__(self) -> str:
        return f"LKC-privacy (L={self.l}, K={self.k}, C={self.c:g}) of {self.column!r}"
