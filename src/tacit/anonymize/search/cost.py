"""What the search minimizes: a metric's score of a node, and a bound on the scores of the node and all coarser ones."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Recoded
from tacit.anonymize.coding import CodedColumn, Tuples, combine_codes
from tacit.anonymize.recoding import Node, as_recoded, full_domain
from tacit.anonymize.search.bounds import bound_of
from tacit.anonymize.search.grouping import Grouping, number_keys
from tacit.anonymize.utility.loss import Loss, Score


@runtime_checkable
class Metric(Protocol):
    """What can be minimized: any object that scores a recoding; smaller is better."""

    def score(self, recoded: Recoded) -> Score: ...


@runtime_checkable
class BoundedMetric(Protocol):
    """A metric that can also say what no coarser recoding falls below; the search then need not look at all of them.

    bound(recoded, allowed) -- for a recoding that keeps every row: a number that the score of no recoding at these levels or
    coarser ones falls below, however it suppresses at most `allowed` rows. It never falls when a level is raised.
    """

    def bound(self, recoded: Recoded, allowed: int) -> Score: ...


class Cost(Protocol):
    """A metric on one table, as the search asks for it."""

    def bound(self, node: Node) -> Score | None:
        """Return what no score at this node or a coarser one falls below; None: nothing is known."""
        ...

    def score(self, node: Node, grouping: Grouping, kept: NDArray[np.bool_]) -> Score:
        """Return the score of a node whose classes of the mask, shape (c,), are released."""
        ...


class LossCost:
    """Loss from sums per column and level, counted once, and the few classes that are suppressed."""

    def __init__(self, loss: Loss, coded: Sequence[CodedColumn], tuples: Tuples) -> None:
        self._loss, self._coded, self._rows = loss, coded, int(tuples.weights.sum())
        self._weights = loss.shares_of_weight([column.name for column in coded])
        self._leaf_shares = np.array([column.leaf_share for column in coded])
        counts = [
            np.bincount(raw, weights=tuples.weights, minlength=column.cardinality(0))
            for column, raw in zip(coded, tuples.codes, strict=True)
        ]
        self._costs = [
            np.array([float(loss.kept_cost(shares) @ count) for shares in column.shares])
            for column, count in zip(coded, counts, strict=True)
        ]
        self._columns = [
            loss.from_costs(costs, self._rows, np.array(leaf)) for costs, leaf in zip(self._costs, self._leaf_shares, strict=True)
        ]

    def bound(self, node: Node) -> Score:
        return self._loss.combine(
            np.array([column[level] for column, level in zip(self._columns, node, strict=True)]), self._weights
        )

    def score(self, node: Node, grouping: Grouping, kept: NDArray[np.bool_]) -> Score:
        costs = np.array([column[level] for column, level in zip(self._costs, node, strict=True)])
        dropped = np.flatnonzero(~kept & (grouping.weights > 0))
        if len(dropped):
            weights, raw = grouping.weights[dropped], grouping.raw[:, dropped]
            for i, (column, level) in enumerate(zip(self._coded, node, strict=True)):
                shares = column.shares[level][raw[i]]
                costs[i] += float((self._loss.suppressed_cost(shares) - self._loss.kept_cost(shares)) @ weights)
        return self._loss.combine(self._loss.from_costs(costs, self._rows, self._leaf_shares), self._weights)


class MetricCost:
    """Any metric, from what the node makes of every distinct tuple."""

    def __init__(self, metric: Metric, coded: Sequence[CodedColumn], tuples: Tuples, allowed: int) -> None:
        self._metric, self._coded, self._tuples = metric, coded, tuples
        own = metric.bound if isinstance(metric, BoundedMetric) else None
        self._bound = bound_of(metric) if own is None else lambda recoded: own(recoded, allowed)

    def bound(self, node: Node) -> Score | None:
        if self._bound is None:
            return None
        return self._bound(as_recoded(self._coded, self._tuples, full_domain(self._coded, self._tuples, node)))

    def score(self, node: Node, grouping: Grouping, kept: NDArray[np.bool_]) -> Score:
        everything = full_domain(self._coded, self._tuples, node)
        cards = [column.cardinality(level) for column, level in zip(self._coded, node, strict=True)]
        class_of, _ = number_keys(*combine_codes(list(everything.generalized.T), cards))
        return self._metric.score(as_recoded(self._coded, self._tuples, replace(everything, kept=kept[class_of])))


def cost_of(metric: Metric, coded: Sequence[CodedColumn], tuples: Tuples, allowed: int) -> Cost:
    """Return the metric as the search asks for it: loss by its fast form, any other by its own score."""
    return LossCost(metric, coded, tuples) if isinstance(metric, Loss) else MetricCost(metric, coded, tuples, allowed)
