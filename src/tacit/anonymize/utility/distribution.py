"""Ambiguity and Kullback-Leibler divergence: how much room a release leaves around each tuple, and how it bends their distribution.

The area of a released tuple is the number of raw tuples it may stand for: the product over columns of share * domain size. A raw
value has area 1, numbers whose raw values have no share included.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Recoded
from tacit.anonymize.utility.loss import Score


@dataclass(frozen=True, kw_only=True, slots=True)
class Ambiguity:
    """Raw tuples that each row may stand for, summed over the input rows; a suppressed row may stand for any.

    n when nothing changed, n * product of the domains' sizes when all is "*". Source: Nergiz & Clifton 2007 (ambiguity metric);
    ARX 3.9.2 ("Ambiguity").
    """

    def score(self, recoded: Recoded) -> Score:
        return float(recoded.weights @ _areas(recoded))

    def to_json(self) -> dict[str, Any]:
        return {"metric": "ambiguity"}


@dataclass(frozen=True, kw_only=True, slots=True)
class KullbackLeibler:
    """Divergence, in bits, from the distribution of the raw tuples to the one that a reader of the release would assume.

    The sum over distinct raw tuples of f * log2(f / g): f is the tuple's share of the input rows; g spreads its class's share
    |E| / n evenly over the class's area, and all suppressed rows over the whole domain. 0 when nothing changed.
    Source: Kifer & Gehrke 2006; ARX 3.9.2 ("KL divergence").
    """

    def score(self, recoded: Recoded) -> Score:
        rows, kept = recoded.rows, recoded.kept
        released = np.bincount(recoded.class_of[kept], weights=recoded.weights[kept], minlength=int(recoded.class_of.max()) + 1)
        class_rows = np.where(kept, released[recoded.class_of], recoded.weights[~kept].sum())
        seen = recoded.weights / rows
        return float(seen @ np.log2(seen / (class_rows / rows / _areas(recoded))))

    def to_json(self) -> dict[str, Any]:
        return {"metric": "kullback-leibler"}


def _areas(recoded: Recoded) -> NDArray[np.float64]:
    """Return the raw tuples that each tuple's released values may stand for, shape (t,); all of them where it is suppressed."""
    shares = np.where(recoded.kept[:, None], recoded.shares, 1.0)
    return np.asarray(np.prod(np.maximum(shares * recoded.leaves, 1.0), axis=1))
