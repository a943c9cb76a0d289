"""Exact full-domain search: which level for each column loses least while the privacy model holds.

Nodes of the lattice of levels are visited in the order of a lower bound on their loss, that of releasing every row: what
suppression adds is never negative, so the first bound that reaches the best loss found proves it optimal. Where the model is
monotonic, a node that fails condemns every finer one, and a failing node is pushed up (by bisection on a path to the top)
until it condemns as much as it can: the tagging of Kohlmayer et al. 2012 (Flash), in bound order.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn, Tuples, combine_codes
from tacit.anonymize.loss import Loss
from tacit.anonymize.privacy_models import PrivacyModel
from tacit.errors import ConfigError, DataError

Progress = Callable[[int, int], None]
Node = tuple[int, ...]

_LARGEST_LATTICE = 4_000_000


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The node found.

    levels     -- one per column.
    suppressed -- rows in classes that the model refuses; <= floor(limit * n).
    loss       -- aggregate loss, suppressed rows counted as "*".
    optimal    -- whether the search ended, and so proved that no node has a smaller loss. Others may have the same.
    checked    -- nodes whose classes were counted; nodes -- all nodes of the lattice.
    keep       -- shape (t,): whether each distinct tuple is released.
    """

    levels: Node
    suppressed: int
    loss: float
    optimal: bool
    checked: int
    nodes: int
    keep: NDArray[np.bool_]


def allowed_suppression(limit: float, rows: int) -> int:
    """Return floor(limit * rows), with limit read as the decimal number it is written as (0.29 of 100 rows is 29)."""
    return int(Fraction(str(limit)) * rows)


def search_levels(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    model: PrivacyModel,
    *,
    allowed: int,
    loss: Loss,
    time_limit: float | None = None,
    on_progress: Progress | None = None,
) -> SearchResult:
    """Return the node of least loss whose suppressed rows are at most `allowed`.

    time_limit  -- seconds after which the best node so far is returned with optimal=False; None: no limit.
    on_progress -- called with (nodes decided, nodes in all).
    Raises ConfigError when the lattice has more than 4,000,000 nodes, DataError when no node meets the model within the limit.
    """
    search = _Search(coded, tuples, model, allowed, loss)
    deadline = None if time_limit is None else time.monotonic() + time_limit
    order = np.argsort(search.bounds, axis=None, kind="stable")
    optimal = True
    for done, index in enumerate(order):
        node = tuple(int(level) for level in np.unravel_index(index, search.bounds.shape))
        if search.best is not None and search.bounds[node] >= search.best.loss:
            break
        if search.best is not None and deadline is not None and time.monotonic() > deadline:
            optimal = False
            break
        if not search.condemned[node] and not search.passes(node) and model.monotonic:
            search.condemn_below(node)
        if on_progress and done % 64 == 0:
            on_progress(done, len(order))
    if search.best is None:
        raise DataError(_impossible(model, allowed, search))
    if on_progress:
        on_progress(len(order), len(order))
    return SearchResult(**search.best._asdict(), optimal=optimal, checked=search.checked, nodes=search.bounds.size)


class _Best(NamedTuple):
    levels: Node
    suppressed: int
    loss: float
    keep: NDArray[np.bool_]


class _Search:
    """What the search knows so far: bounds, condemned nodes, the best node."""

    def __init__(self, coded: Sequence[CodedColumn], tuples: Tuples, model: PrivacyModel, allowed: int, loss: Loss) -> None:
        self.coded, self.tuples, self.model, self.allowed, self.loss = coded, tuples, model, allowed, loss
        shape = tuple(column.levels for column in coded)
        if np.prod(shape, dtype=float) > _LARGEST_LATTICE:
            raise ConfigError(
                f"{len(shape)} quasi-identifiers with {list(shape)} levels make {int(np.prod(shape, dtype=float)):,} "
                "combinations; an "
                f"exact search takes at most {_LARGEST_LATTICE:,}. Give some columns fewer levels, or fewer columns "
                "the role quasi."
            )
        self.rows = int(tuples.weights.sum())
        self.leaf_shares = np.array([column.leaf_share for column in coded])
        self.codes = [[level[raw] for level in column.codes] for column, raw in zip(coded, tuples.codes, strict=True)]
        self.shares = [[level[raw] for level in column.shares] for column, raw in zip(coded, tuples.codes, strict=True)]
        self.totals = [np.array([share @ tuples.weights for share in levels]) for levels in self.shares]
        columns = [loss.columns(totals, self.rows, leaf) for totals, leaf in zip(self.totals, self.leaf_shares, strict=True)]
        self.bounds = loss.combine(columns)
        self.condemned = np.zeros(shape, dtype=bool)
        self.best: _Best | None = None
        self.least_suppressed = self.rows
        self.checked = 0

    def passes(self, node: Node) -> bool:
        """Count the classes of a node; return whether it meets the model within the limit, and remember it if it is the best."""
        self.checked += 1
        keep = self._kept_tuples(node)
        dropped = np.flatnonzero(~keep)
        suppressed = int(self.tuples.weights[dropped].sum())
        self.least_suppressed = min(self.least_suppressed, suppressed)
        if suppressed > self.allowed:
            return False
        value = self._loss(node, dropped)
        if self.best is None or value < self.best.loss:
            self.best = _Best(levels=node, suppressed=suppressed, loss=value, keep=keep)
        return True

    def condemn_below(self, node: Node) -> None:
        """Find a failing node as high as bisection on one path to the top goes; condemn it and all that is finer."""
        path = self._path_up(node)
        fails, passes = 0, len(path)
        while passes - fails > 1:
            middle = (fails + passes) // 2
            if self.condemned[path[middle]] or not self.passes(path[middle]):
                fails = middle
            else:
                passes = middle
        self.condemned[tuple(slice(level + 1) for level in path[fails])] = True

    def _kept_tuples(self, node: Node) -> NDArray[np.bool_]:
        codes = [levels[level] for levels, level in zip(self.codes, node, strict=True)]
        keys, size = combine_codes(codes, [column.cardinality(level) for column, level in zip(self.coded, node, strict=True)])
        weights = self.tuples.weights
        if size <= 4 * len(keys) + 1024:
            sizes = np.bincount(keys, weights=weights, minlength=size).astype(np.int64)
            held = np.ones(size, dtype=bool)
            held[sizes > 0] = self.model.holds(sizes[sizes > 0])
            return held[keys]
        order = np.argsort(keys)
        ranked = keys[order]
        starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
        held = self.model.holds(np.add.reduceat(weights[order], starts))
        keep = np.empty(len(keys), dtype=bool)
        keep[order] = np.repeat(held, np.diff(starts, append=len(keys)))
        return keep

    def _loss(self, node: Node, dropped: NDArray[np.int64]) -> float:
        """Return the loss of a node: what its levels cost, and for each suppressed row what is left up to "*"."""
        weights = self.tuples.weights[dropped]
        lost = [(1.0 - levels[level][dropped]) @ weights for levels, level in zip(self.shares, node, strict=True)]
        totals = np.array([totals[level] for totals, level in zip(self.totals, node, strict=True)]) + np.array(lost)
        return float(self.loss.combine(list(self.loss.columns(totals, self.rows, self.leaf_shares)[:, None])).item())

    def _path_up(self, node: Node) -> list[Node]:
        """Return the nodes from `node` to the top, raising by turns the column whose next level keeps the bound lowest."""
        path, tops = [node], [column.levels - 1 for column in self.coded]
        while any(level < top for level, top in zip(path[-1], tops, strict=True)):
            here = path[-1]
            ups = [(*here[:i], level + 1, *here[i + 1 :]) for i, level in enumerate(here) if level < tops[i]]
            path.append(min(ups, key=lambda up: float(self.bounds[up])))
        return path


def _impossible(model: PrivacyModel, allowed: int, search: _Search) -> str:
    least, rows = search.least_suppressed, search.rows
    what = (
        f"no combination of levels meets {model} with at most {allowed} of {rows} rows suppressed; the best one "
        f"suppresses {least}."
    )
    if least == rows:
        return f"{what} Even one class of all {rows} rows fails it: ask for less, or bring more rows."
    return f"{what} Raise suppression_limit to at least {math.ceil(least / rows * 1e4) / 1e4}, or ask for less."
