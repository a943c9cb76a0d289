"""Precision loss and height: how far up their hierarchies the released values stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Recoded
from tacit.anonymize.utility.loss import Aggregate, Loss, Score


@dataclass(frozen=True, kw_only=True, slots=True)
class PrecisionLoss:
    """Mean level of the released values, as a share of the levels there are: 0 raw, 1 when every value became "*".

    aggregate, weights, generalization_vs_suppression -- as for `Loss`; they give the factors g and s.
    monotonic -- whether suppression is left out, which makes it a lower bound for every coarser release.

    Loss of one column with n input rows: sum over released rows of g * level / top level, plus s for each suppressed row, all
    divided by n. Monotonic: the sum over all rows of g * level / top level, divided by n.
    Source: Sweeney 2002 (Prec), with ARX 3.9.2's factors ("Precision").
    """

    aggregate: Aggregate = "arithmetic mean"
    weights: Mapping[str, float] = field(default_factory=dict)
    generalization_vs_suppression: float = 0.5
    monotonic: bool = False

    def __post_init__(self) -> None:
        self._as_loss()

    def columns(self, recoded: Recoded) -> NDArray[np.float64]:
        """Return the precision loss of each column, shape (m,)."""
        factors = self._as_loss()
        each = factors.generalization_factor * recoded.levels / recoded.heights
        if not self.monotonic:
            each = np.where(recoded.kept[:, None], each, factors.suppression_factor)
        return np.asarray(recoded.weights @ each / recoded.rows)

    def score(self, recoded: Recoded) -> Score:
        """Return the aggregate of the columns' losses."""
        loss = self._as_loss()
        return loss.combine(self.columns(recoded), loss.shares_of_weight(recoded.names))

    def to_json(self) -> dict[str, Any]:
        return {**self._as_loss().to_json(), "metric": "precision", "monotonic": self.monotonic}

    def _as_loss(self) -> Loss:
        return Loss(
            aggregate=self.aggregate, weights=self.weights, generalization_vs_suppression=self.generalization_vs_suppression
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Height:
    """Sum of the levels of the quasi-identifiers, whatever is suppressed; 0 to the sum of the top levels.

    Source: Samarati 2001. Under local recoding, where rows of one column have different levels: their mean over all input rows.
    """

    def columns(self, recoded: Recoded) -> NDArray[np.float64]:
        """Return the level of each column, shape (m,)."""
        return np.asarray(recoded.weights @ recoded.levels / recoded.rows)

    def score(self, recoded: Recoded) -> Score:
        """Return the sum of the columns' levels."""
        return float(self.columns(recoded).sum())

    def to_json(self) -> dict[str, Any]:
        return {"metric": "height"}
