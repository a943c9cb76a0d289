"""What a kind of personal data looks like: a shape, perhaps a check, and the words that announce it in a text.

A shape alone marks a value. One that fails its check is still treated as personal data (a protective reading: excluding
"invalid" numbers is how real ones leak); the check only raises confidence.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

NOT_AFTER, NOT_BEFORE = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
"""A find in a text does not cut a word of ASCII letters and digits; other scripts write without spaces between words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recognizer:
    """A kind of personal data, recognized in whole values of a column and inside texts.

    kind    -- what the kind is called in findings ("phone"); name -- which of several shapes of it ("PESEL (Poland)").
    whole   -- RE2 pattern for a whole trimmed value; "" is never seen in a column.
    inside  -- Python pattern for a find inside a text, its group "find" if there is one; "" is not searched in texts.
    screen  -- RE2 pattern that some part of every text with a find must match; it spares the others the slower search.
    alone   -- confidence in the shape without a check or a telling word; 0 < alone < 1.
    valid   -- checks values of the shape; None when there is nothing to check. checked -- most confidence that it can give.
    check   -- the check in words. chance -- share of arbitrary values of the shape that pass it, about; 0 < chance < 1.
    shared  -- other kinds have the same shape, so that in a column only the check tells and no value is used up.
    said    -- words that, shortly before a find in a text or right after it, announce the kind.
    """

    kind: str
    alone: float
    name: str = ""
    whole: str = ""
    inside: str = ""
    screen: str = ""
    valid: Callable[[pa.Array], Mask] | None = None
    checked: float = 0.0
    check: str = ""
    chance: float = 0.1
    shared: bool = False
    said: tuple[str, ...] = ()

    def shaped(self, values: pa.Array) -> Mask:
        """Return which trimmed texts have this shape as a whole, shape (values,)."""
        return matches(values, f"^(?:{self.whole})$")

    def passed(self, values: pa.Array) -> Mask:
        """Return which texts of this shape pass the check, shape (values,); none do where there is no check."""
        return self.valid(values) if self.valid else np.zeros(len(values), dtype=bool)

    def confidence(self, shaped: int, passed: int) -> float:
        """Return how sure it is that distinct values of this shape are of this kind, from how many of them pass the check.

        shaped -- at least 1; 0 <= passed <= shaped. Never less than `alone`: failing a check clears nothing.
        By Bayes' rule: `alone` is the belief beforehand, and arbitrary values pass with probability `chance`. A check that as
        many pass as chance would have it says nothing; between that and all, the gain is shared in proportion.
        """
        if self.valid is None:
            return self.alone
        share = passed / shaped
        lift = (share - self.chance) / (1 - self.chance)
        if lift <= 0:
            return self.alone
        evidence = shaped * (share * math.log(share / self.chance))
        if share < 1:
            evidence += shaped * (1 - share) * math.log((1 - share) / (1 - self.chance))
        belief = 1 / (1 + (1 - self.alone) / self.alone * math.exp(-min(evidence, 700.0)))
        return self.alone + (max(min(belief, self.checked), self.alone) - self.alone) * lift


def matches(values: pa.Array, pattern: str) -> Mask:
    """Return which texts hold a match of an RE2 pattern, shape (values,)."""
    return np.asarray(pc.match_substring_regex(values, pattern).to_numpy(zero_copy_only=False)).astype(bool)


def within(core: str) -> str:
    """Return the Python pattern that finds `core` inside a text without cutting a word."""
    return f"{NOT_AFTER}(?:{core}){NOT_BEFORE}"
