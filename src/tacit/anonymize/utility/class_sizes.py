"""Discernibility and average class size: what the sizes of the classes cost, whatever their values."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Recoded
from tacit.anonymize.utility.loss import Loss, Score


@dataclass(frozen=True, kw_only=True, slots=True)
class Discernibility:
    """Each row costs the number of rows it cannot be told from: DM, or DM* when `monotonic`.

    monotonic -- False: the sum over released classes E of |E|^2, plus n for each suppressed row (n input rows).
                 True: the sum of |E|^2 over all classes, as if nothing were suppressed; a lower bound for coarser releases.

    Source: Bayardo & Agrawal 2005 (C_DM); ARX 3.9.2 ("Discernibility").
    """

    monotonic: bool = False

    def score(self, recoded: Recoded) -> Score:
        """Return DM or DM*; n^2 at most."""
        released = np.ones_like(recoded.kept) if self.monotonic else recoded.kept
        sizes = class_sizes(recoded, released).astype(np.float64)
        return float(sizes @ sizes) + float(recoded.rows) * float(recoded.weights[~released].sum())

    def to_json(self) -> dict[str, Any]:
        return {"metric": "discernibility", "monotonic": self.monotonic}


@dataclass(frozen=True, kw_only=True, slots=True)
class AverageClassSize:
    """Input rows per class; all suppressed rows together are one class more.

    generalization_vs_suppression -- as for `Loss`; it gives the factors g and s.

    n / (s * released classes + (g if a row is suppressed)), infinite where that is n / 0. The factors stand exchanged on purpose:
    ARX 3.9.2 ("Average equivalence class size") does so. Source: LeFevre et al. 2006 (C_AVG, without its division by k).
    """

    generalization_vs_suppression: float = 0.5

    def __post_init__(self) -> None:
        Loss(generalization_vs_suppression=self.generalization_vs_suppression)

    def score(self, recoded: Recoded) -> Score:
        """Return the average size in rows; 1 when no two rows are equal and nothing is suppressed."""
        factors = Loss(generalization_vs_suppression=self.generalization_vs_suppression)
        classes = factors.suppression_factor * len(class_sizes(recoded, recoded.kept))
        if not recoded.kept.all():
            classes += factors.generalization_factor
        return float(recoded.rows / classes) if classes else float("inf")

    def to_json(self) -> dict[str, Any]:
        return {"metric": "average class size", "generalization_vs_suppression": self.generalization_vs_suppression}


def class_sizes(recoded: Recoded, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the rows of each class that a mask of tuples, shape (t,), leaves; classes of no row are not listed."""
    counts = np.bincount(recoded.class_of[chosen], weights=recoded.weights[chosen])
    return counts[counts > 0].astype(np.int64)
