"""Loss: how much a release blurred, as ARX computes it (the NCP / GCP family)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Recoded
from tacit.errors import ConfigError

Aggregate = Literal["sum", "arithmetic mean", "geometric mean", "maximum", "rank"]
Score = float | tuple[float, ...]
"""What a metric gives a release: smaller is better. The aggregate "rank" gives a tuple, compared from its first entry on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """Share of the information that a release loses: 0 when nothing changed, 1 when every value became "*".

    aggregate -- how the losses v of the m columns become one number, with weights w divided by the largest:
                 the sum of w*v; their arithmetic mean; the geometric mean (product of (w*v + 1))^(1/m) - 1; the maximum; or
                 the rank: all w*v in descending order, compared entry by entry (so the worst column decides first).
    weights   -- per column >= 0, not all 0; a column that is not named weighs 1. Only their ratios matter.
    generalization_vs_suppression -- x in 0..1, ARX's slider: below 0.5 suppressing costs less (factor 2x), above it
                 generalizing does (factor 2 - 2x); at 0.5 both factors are 1.

    Loss of one column, with n input rows, factors g (generalization) and s (suppression): a released value counts g times the
    share of its domain that it covers, a value of a suppressed row share + s * (1 - share). With their sum r and
    b = g * n * share of a raw value: floor to 10 decimals of max(0, (r - b) / (n - b)); 0 for a domain of one value.

    Source: ARX 3.9.2, the metric "Loss"; Ghinita et al. 2007 (GCP). Monotone where nothing is suppressed: raising a level
    never lowers a share, and a suppressed value never counts less than a released one (share + s(1 - share) >= g * share), so
    the loss of releasing every row at a node bounds that of the node and of every coarser one.
    """

    aggregate: Aggregate = "arithmetic mean"
    weights: Mapping[str, float] = field(default_factory=dict)
    generalization_vs_suppression: float = 0.5

    def __post_init__(self) -> None:
        if self.aggregate not in get_args(Aggregate):
            raise ConfigError(f"the loss knows the aggregates {', '.join(get_args(Aggregate))}; got {self.aggregate!r}.")
        bad = [name for name, weight in self.weights.items() if not (weight >= 0 and isfinite(weight))]
        if bad:
            raise ConfigError(
                f"the weights of a loss must be finite numbers >= 0; wrong for {bad}. A column that is not named weighs 1; only ratios "
                "matter."
            )
        if not 0 <= self.generalization_vs_suppression <= 1:
            raise ConfigError(
                f"generalization_vs_suppression must lie in 0..1, got {self.generalization_vs_suppression}. At 0.5 both count in full; "
                "lower it to suppress rather than generalize."
            )

    @property
    def generalization_factor(self) -> float:
        """ARX's gFactor: 1 up to x = 0.5, then 1 - 2 (x - 0.5)."""
        x = self.generalization_vs_suppression
        return 1.0 if x <= 0.5 else 1.0 - 2.0 * (x - 0.5)

    @property
    def suppression_factor(self) -> float:
        """ARX's sFactor: 2x below x = 0.5, then 1."""
        x = self.generalization_vs_suppression
        return 2.0 * x if x < 0.5 else 1.0

    def kept_cost(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what released values cost, from the shares of the domain they cover."""
        return self.generalization_factor * shares

    def suppressed_cost(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what values of suppressed rows cost, from the shares their released values would have covered."""
        factor = self.suppression_factor
        return np.ones_like(shares) if factor == 1.0 else shares + factor * (1.0 - shares)

    def from_costs(self, costs: NDArray[np.float64], rows: int, leaf_shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the loss of each column from its sum of costs r over all input rows.

        costs -- shape (..., m); leaf_shares -- shape (m,) or broadcastable; rows -- n. Returns the shape of costs.
        """
        base = self.generalization_factor * rows * leaf_shares
        room = rows - base
        value = np.maximum(0.0, costs - base) / np.where(room > 0, room, 1.0)
        return np.where(room > 0, np.floor(value * 1e10) / 1e10, 0.0)

    def columns(self, recoded: Recoded) -> NDArray[np.float64]:
        """Return the loss of each column, shape (m,)."""
        shares = recoded.shares
        each = np.where(recoded.kept[:, None], self.kept_cost(shares), self.suppressed_cost(shares))
        return self.from_costs(recoded.weights.astype(np.float64) @ each, recoded.rows, recoded.leaf_shares)

    def score(self, recoded: Recoded) -> Score:
        """Return the aggregate of the columns' losses."""
        return self.combine(self.columns(recoded), self.shares_of_weight(recoded.names))

    def shares_of_weight(self, names: Sequence[str]) -> NDArray[np.float64] | None:
        """Return each column's weight divided by the largest, shape (m,); None when all weigh the same.

        Raises ConfigError when a weight names a column that is not among `names`, or all weigh 0.
        """
        unknown = [name for name in self.weights if name not in names]
        if unknown:
            raise ConfigError(
                f"the loss gives weights to {unknown}, which are not quasi-identifiers ({list(names)}). Correct the names."
            )
        if not self.weights:
            return None
        weights = np.array([float(self.weights.get(name, 1.0)) for name in names])
        if not weights.max() > 0:
            raise ConfigError(
                f"the loss gives every quasi-identifier ({list(names)}) the weight 0, so nothing would be minimized. Give one of them a "
                "weight > 0, or leave it unnamed: it then weighs 1."
            )
        return np.asarray(weights / weights.max())

    def combine(self, columns: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> Score:
        """Return the aggregate of one loss per column, shape (m,), with weights of shape (m,) whose largest is 1.

        A non-decreasing function of every loss, in floating point too (the same operations in the same order), so a bound never
        exceeds what it bounds.
        """
        values = (columns if weights is None else columns * weights).tolist()
        match self.aggregate:
            case "sum":
                return float(sum(values))
            case "arithmetic mean":
                return float(sum(values)) / len(values)
            case "geometric mean":
                product = 1.0
                for value in values:
                    product *= value + 1.0
                return float(product ** (1.0 / len(values))) - 1.0
            case "maximum":
                return float(max(values))
            case "rank":
                return tuple(sorted(values, reverse=True))

    def to_json(self) -> dict[str, Any]:
        return {
            "metric": "loss",
            "aggregate": self.aggregate,
            "weights": dict(self.weights),
            "generalization_vs_suppression": self.generalization_vs_suppression,
        }
