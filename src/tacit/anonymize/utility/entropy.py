"""Entropy of what was released: how uncertain the original value of a released one is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Recoded, information_lost
from tacit.anonymize.utility.loss import Aggregate, Loss, Score


@dataclass(frozen=True, kw_only=True, slots=True)
class NonUniformEntropy:
    """Bits it takes to restore each original value from the released one, summed over the input rows.

    aggregate, weights, generalization_vs_suppression -- as for `Loss`; they give the factors g and s.
    monotonic -- whether suppression is left out, which makes it a lower bound for every coarser release.

    Of one column: -g * sum over original values v of c(v) * log2(c(v) / c(w)), w being the released value of v and c counting
    input rows; unless monotonic, less s * sum over released values w of suppressed rows of c_S(w) * log2(c_S(w) / |S|), c_S
    counting suppressed rows, |S| of them. Floored to 10 decimals. Under local recoding c(v) counts the rows in which v became w.
    Source: Gionis & Tassa 2009 (non-uniform entropy); ARX 3.9.2 ("Non-uniform entropy"; suppression as it adds it).
    """

    aggregate: Aggregate = "sum"
    weights: Mapping[str, float] = field(default_factory=dict)
    generalization_vs_suppression: float = 0.5
    monotonic: bool = False

    def __post_init__(self) -> None:
        self._as_loss()

    def columns(self, recoded: Recoded) -> NDArray[np.float64]:
        """Return the bits of each column over all rows, shape (m,)."""
        factors, dropped = self._as_loss(), ~recoded.kept
        bits = []
        for codes, released in zip(recoded.codes.T, recoded.generalized.T, strict=True):
            value = factors.generalization_factor * _bits(codes, released, recoded.weights)
            if not self.monotonic:
                everything = np.zeros(int(dropped.sum()), dtype=np.int64)
                value += factors.suppression_factor * _bits(released[dropped], everything, recoded.weights[dropped])
            bits.append(np.floor(value * 1e10) / 1e10)
        return np.array(bits)

    def score(self, recoded: Recoded) -> Score:
        """Return the aggregate of the columns' bits."""
        loss = self._as_loss()
        return loss.combine(self.columns(recoded), loss.shares_of_weight(recoded.names))

    def to_json(self) -> dict[str, Any]:
        return {**self._as_loss().to_json(), "metric": "non-uniform entropy", "monotonic": self.monotonic}

    def _as_loss(self) -> Loss:
        return Loss(
            aggregate=self.aggregate, weights=self.weights, generalization_vs_suppression=self.generalization_vs_suppression
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class EntropyLoss:
    """Information lost per row on a logarithmic scale, summed over the input rows: 0 when all is raw, n when all is "*".

    generalization_vs_suppression -- as for `Loss`; it gives the factors g and s.

    Of a row: IL = 1 + log10(product of its shares) / log10(product of the domains' sizes); a released row counts g * IL, a
    suppressed one s. A raw value covers at least 1 / domain size, numbers without rows in a hierarchy too.
    Source: Wan et al. 2015 (PLoS ONE 10(3) e0120592, the publisher's information loss); ARX 3.9.2 ("Entropy-based information
    loss").
    """

    generalization_vs_suppression: float = 0.5

    def __post_init__(self) -> None:
        Loss(generalization_vs_suppression=self.generalization_vs_suppression)

    def score(self, recoded: Recoded) -> Score:
        """Return the sum over all input rows."""
        factors = Loss(generalization_vs_suppression=self.generalization_vs_suppression)
        lost = information_lost(recoded.shares, recoded.leaves)
        each = np.where(recoded.kept, factors.generalization_factor * lost, factors.suppression_factor)
        return float(recoded.weights @ each)

    def to_json(self) -> dict[str, Any]:
        return {"metric": "entropy loss", "generalization_vs_suppression": self.generalization_vs_suppression}


def _bits(fine: NDArray[np.int64], coarse: NDArray[np.int64], weights: NDArray[np.int64]) -> float:
    """Return -sum over pairs (v, w) that occur of c(v, w) * log2(c(v, w) / c(w)), for codes v and w, each shape (t,)."""
    if not len(fine):
        return 0.0
    width = int(coarse.max()) + 1
    pairs, place = np.unique(fine * width + coarse, return_inverse=True)
    joint = np.bincount(place, weights=weights)
    whole = np.bincount(coarse, weights=weights)[pairs % width]
    return float(-(joint @ np.log2(joint / whole)))
