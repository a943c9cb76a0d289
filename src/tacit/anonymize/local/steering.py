"""What a metric makes of a local recoding that is not a search: a price per column, and a refusal where it has none.

Mondrian and microaggregation build their classes by looking at one class at a time. A metric can steer them only as far as it says
what the coarseness of one column of one class costs. Where it does not, it is refused: a recoding that never looked at a metric
does not minimize it. Any metric can still be measured on a release, by `metric.score(result.recoded)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn
from tacit.anonymize.local.ranges import Ordered
from tacit.anonymize.search import Metric
from tacit.anonymize.utility import Height, Loss, PrecisionLoss
from tacit.errors import ConfigError

_Places = NDArray[np.int64]
_ELSEWHERE = (
    'Use recoding="local", which minimizes any metric, or leave `minimize` out and measure it by metric.score(result.recoded).'
)


@dataclass(frozen=True, kw_only=True)
class Steering:
    """What the values of m columns cost, by the metric that is minimized.

    measure -- of a released value: the "share" of its domain that it covers, or its "level" as a share of the top level.
    prices  -- shape (m,): what that counts in each column; >= 0, the largest 1.
    """

    measure: Literal["share", "level"]
    prices: NDArray[np.float64]

    def cost(self, column: int, ordered: Ordered, first: _Places, last: _Places) -> NDArray[np.float64]:
        """Return what a row costs whose value in a column, by number and in its order, became first..last; shape (r,)."""
        shares = self.measure == "share"
        each = ordered.share(first, last) if shares else ordered.level(first, last) / (ordered.column.levels - 1)
        return np.asarray(self.prices[column] * each)


def cutting(metric: Metric, coded: Sequence[CodedColumn]) -> Steering:
    """Return how a metric steers cuts. Raises ConfigError for one that says nothing of a single column of a single class.

    Loss: weight * share / (1 - share of a raw value); precision loss: weight * level / top level; height: the level. The geometric
    mean is steered by the same sum: ln(1 + mean) is the mean of the ln(1 + weight * loss), and these are the losses where small.
    """
    if isinstance(metric, Height):
        return Steering(measure="level", prices=_scaled(np.array([float(column.levels - 1) for column in coded])))
    if not isinstance(metric, Loss | PrecisionLoss) or metric.aggregate in ("maximum", "rank"):
        raise ConfigError(
            f'recoding="mondrian" is steered by Height, and by Loss and PrecisionLoss as a sum or mean, got {_name(metric)}: it saves '
            f"what a column of a class costs, and no such part adds up to this. {_ELSEWHERE}"
        )
    check_slider(metric, "mondrian")
    weights = _weights(metric, coded)
    if isinstance(metric, PrecisionLoss):
        return Steering(measure="level", prices=weights)
    room = np.array([1.0 - column.leaf_share for column in coded])
    return Steering(measure="share", prices=_scaled(np.divide(weights, room, out=np.zeros_like(room), where=room > 0)))


def distances(metric: Metric, coded: Sequence[CodedColumn]) -> NDArray[np.float64]:
    """Return the weight of each column in squared distances, shape (m,). Raises ConfigError for a metric that is no sum of columns."""
    if not isinstance(metric, Loss) or metric.aggregate in ("maximum", "rank"):
        raise ConfigError(
            f"a microaggregation is steered by Loss as a sum or mean, got {_name(metric)}: it joins rows by a sum of squares over "
            f"columns, and nothing else would be minimized. {_ELSEWHERE}"
        )
    check_slider(metric, "microaggregation")
    return _weights(metric, coded)


def check_slider(metric: object, recoding: str) -> None:
    """Raise ConfigError for a metric that weighs suppression, under a recoding that has no choice to suppress."""
    slider = getattr(metric, "generalization_vs_suppression", 0.5)
    if slider != 0.5:
        raise ConfigError(
            f"the recoding {recoding!r} leaves rows out only where it must, so generalization_vs_suppression = {slider} would change "
            'nothing in it. Leave it at 0.5, or use recoding="full-domain".'
        )


def _weights(metric: Loss | PrecisionLoss, coded: Sequence[CodedColumn]) -> NDArray[np.float64]:
    weights = Loss(weights=metric.weights).shares_of_weight([column.name for column in coded])
    return np.ones(len(coded)) if weights is None else weights


def _scaled(prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return prices divided by the largest; all zero where nothing costs anything."""
    return np.asarray(prices / max(float(prices.max()), np.finfo(float).tiny))


def _name(metric: Metric) -> str:
    aggregate = getattr(metric, "aggregate", None)
    return type(metric).__name__ + ("" if aggregate is None else f" with the aggregate {aggregate!r}")
