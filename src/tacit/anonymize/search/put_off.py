"""A metric for a search whose suppressed rows are not lost: they are put off, to be recoded finer or coarser afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tacit.anonymize.classes import Recoded
from tacit.anonymize.search.cost import Metric
from tacit.anonymize.utility import (
    Ambiguity,
    AverageClassSize,
    Discernibility,
    EntropyLoss,
    Height,
    Loss,
    NonUniformEntropy,
    PrecisionLoss,
)
from tacit.anonymize.utility.loss import Score

_MONOTONE = (Ambiguity, AverageClassSize, Discernibility, EntropyLoss, Height, NonUniformEntropy, PrecisionLoss)


@dataclass(frozen=True)
class PutOff:
    """A metric that scores a recoding as if every row were released.

    seen -- what the metric sees of a recoding, where a search makes another one than will be released; None: itself.
    """

    metric: Metric
    seen: Callable[[Recoded], Recoded] | None

    def score(self, recoded: Recoded) -> Score:
        everyone = replace(recoded, kept=np.ones_like(recoded.kept))
        return self.metric.score(everyone if self.seen is None else self.seen(everyone))


@dataclass(frozen=True)
class MonotonePutOff(PutOff):
    """The same of a metric that falls at no coarser level (search/bounds.py says why): its own score is its bound."""

    def bound(self, recoded: Recoded, allowed: int) -> Score:
        return self.score(recoded)


def put_off(metric: Metric, seen: Callable[[Recoded], Recoded] | None = None) -> Metric:
    """Return the metric for rows that are put off. Of a loss: a suppressed value counts its share, as a released one does.

    seen -- as in PutOff; it leaves shares as they are and keeps the order of levels.
    """
    if isinstance(metric, Loss):
        return replace(metric, generalization_vs_suppression=0.0)
    return MonotonePutOff(metric, seen) if isinstance(metric, _MONOTONE) else PutOff(metric, seen)
