"""Whether members and non-members come from one distribution; if not, an attack measures that and not the model."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.errors import ConfigError, ShapeError
from tacit.evaluate.inputs import confidence_level, feature_matrix, whole_number
from tacit.evaluate.intervals import auc_with_interval
from tacit.models.finding import Basis, Finding

_LARGEST = 5_000
"""Rows of each group looked at, evenly spaced: enough to see an AUC of 0.53, and bounded time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SameDistribution:
    """How well a classifier that never saw the model tells members from non-members by their features alone.

    auc          -- on rows it was not fitted on; 0.5 is what one distribution gives. interval -- at 95%.
    p_value      -- chance of an AUC as large if both groups come from one distribution.
    significance -- p-values up to this void the attack; one sound attack in 1 / significance is voided by chance.
    n            -- rows the AUC was measured on.
    """

    auc: float
    interval: tuple[float, float]
    p_value: float
    significance: float
    n: int

    @property
    def same(self) -> bool:
        """Whether the groups could not be told apart, so that an attack on the model means something."""
        return self.p_value > self.significance

    def findings(self, basis: Basis = Basis.EXACT) -> list[Finding]:
        """Return the AUC with its interval and the verdict in details."""
        return [
            Finding(
                kind="same-distribution",
                name="telling members from non-members without the model (AUC)",
                value=self.auc,
                basis=basis,
                method="ridge classifier on features and their squares, fitted on one half, permutation test on the other",
                interval=self.interval,
                confidence=0.95,
                n=self.n,
                ceiling=1.0,
                assumption="rows drawn independently of one another; differences no quadratic rule sees stay unseen",
                details={"p_value": self.p_value, "significance": self.significance, "same": self.same},
            )
        ]


def same_distribution(
    members: ArrayLike, nonmembers: ArrayLike, *, significance: float = 1e-3, permutations: int = 1999, seed: int = 0
) -> SameDistribution:
    """Fit a classifier on every other row of both groups and test it on the rest.

    members, nonmembers -- encoded features (add the label's columns to compare these too), shapes (n, d) and (m, d),
        at least 4 rows each.
    permutations        -- shuffles of who is a member; the p-value (1 + as large) / (1 + permutations) is exact in the
        sense of Phipson & Smyth 2010 (arXiv:1603.05766): under one distribution P[p <= x] <= x.
    seed                -- of the shuffles; no private noise comes from here.
    Raises ShapeError, DataError or ConfigError for input that cannot be compared, and when there are too few
    permutations to reach the significance.
    """
    inside = _thin(feature_matrix(members, "members", least=4))
    outside = _thin(feature_matrix(nonmembers, "nonmembers", least=4))
    if inside.shape[1] != outside.shape[1]:
        raise ShapeError(f"members and nonmembers must have the same features, got {inside.shape[1]} and {outside.shape[1]}.")
    confidence_level(significance, "significance")
    if 1 / (1 + whole_number(permutations, "permutations")) > significance:
        raise ConfigError(
            f"{permutations} permutations cannot show a p-value of {significance}, so nothing would ever be void. "
            f"Use {math.ceil(1 / significance)} or more."
        )
    direction, center, scale = _fit(inside[0::2], outside[0::2])
    scores_in, scores_out = (_expand(rows[1::2], center, scale) @ direction for rows in (inside, outside))
    auc, interval = auc_with_interval(scores_in, scores_out, 0.95)
    p_value = _permutation_p_value(scores_in, scores_out, permutations, np.random.default_rng(seed))
    return SameDistribution(
        auc=auc, interval=interval, p_value=p_value, significance=significance, n=len(scores_in) + len(scores_out)
    )


def _thin(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows if len(rows) <= _LARGEST else rows[np.linspace(0, len(rows) - 1, _LARGEST).astype(np.int64)]


def _expand(rows: NDArray[np.float64], center: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    standard = (rows - center) / scale
    return np.hstack([standard, standard**2])


def _fit(
    inside: NDArray[np.float64], outside: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return a ridge direction that scores members higher, with the centering and scaling it was fitted under."""
    both = np.vstack([inside, outside])
    center, spread = both.mean(axis=0), both.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    expanded = _expand(both, center, scale)
    expanded -= expanded.mean(axis=0)
    target = np.concatenate([np.full(len(inside), 1 / len(inside)), np.full(len(outside), -1 / len(outside))])
    gram = expanded.T @ expanded / len(both)
    gram[np.diag_indices_from(gram)] += 0.1
    return np.linalg.solve(gram, expanded.T @ target), center, scale


def _permutation_p_value(
    inside: NDArray[np.float64], outside: NDArray[np.float64], permutations: int, rng: np.random.Generator
) -> float:
    scores = np.concatenate([inside, outside])
    ordered = np.sort(scores)
    ranks = np.searchsorted(ordered, scores, "left") + np.searchsorted(
        ordered, scores, "right"
    )  # twice the mid-ranks: exact integers
    observed = ranks[: len(inside)].sum()
    as_large = sum(int(rng.permutation(ranks)[: len(inside)].sum() >= observed) for _ in range(permutations))
    return (1 + as_large) / (1 + permutations)
