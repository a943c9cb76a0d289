"""Which metrics are monotone, so that the release of every row at a node bounds all that is coarser or suppresses more.

Raising a level never lowers a share, never splits a class and never tells original values better apart. So, with every row kept:
- Height, ambiguity: the score itself (a suppressed value covers its whole domain).
- Discernibility: the sum of |E|^2 over all classes (a suppressed row costs n >= |E|).
- Non-uniform entropy: the score (suppression only adds).
- Precision loss, entropy-based loss: the score, as long as suppressing costs at least what generalizing to "*" does (slider at
  0.5 or above); below that nothing is known.
- Average class size: n / (s * classes + g), as classes only merge or go.
The Kullback-Leibler divergence is left without a bound: areas of classes with missing values do not add up to the whole domain's,
and then merging may lower it. Loss has its own form in search/cost.py. Metrics of one's own say so by a method `bound`.
"""

from collections.abc import Callable

from tacit.anonymize.classes import Recoded
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

Bound = Callable[[Recoded], Score]


def bound_of(metric: object) -> Bound | None:
    """Return what no coarser release falls below, from the recoding that keeps every row; None: nothing is known."""
    match metric:
        case Height() | Ambiguity() | Discernibility() | NonUniformEntropy():
            return metric.score
        case PrecisionLoss() | EntropyLoss() if metric.generalization_vs_suppression >= 0.5 or getattr(
            metric, "monotonic", False
        ):
            return metric.score
        case AverageClassSize():
            return lambda recoded: _most_classes(metric, recoded)
        case _:
            return None


def _most_classes(metric: AverageClassSize, recoded: Recoded) -> float:
    factors = Loss(generalization_vs_suppression=metric.generalization_vs_suppression)
    classes = int(recoded.class_of.max()) + 1
    return recoded.rows / (factors.suppression_factor * classes + factors.generalization_factor)
