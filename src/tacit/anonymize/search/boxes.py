"""Exact search over boxes of the lattice of levels: best bound first, until nothing open can be better.

A box is all nodes between a finest and a coarsest one. Three facts decide it:
- Under models that are monotonic, a coarsest node that fails condemns the whole box; and where a column's lowest level fails
  even with all others at their coarsest, that level is in no answer, so the box shrinks (the predictive tagging of Flash,
  Kohlmayer et al. 2012, on faces of a box instead of paths).
- The metric's bound at the finest node holds for every node of the box.
- A box of one node is counted.
Boxes are opened in the order of their bounds, so the smallest open bound bounds everything not yet seen. The search ends, with
proof, when that reaches the best score; stopped before, the difference of the two is the gap. Nothing is listed beforehand: a
lattice of 10^12 nodes takes memory for its open boxes alone.
"""

import heapq
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, count

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.recoding import Node
from tacit.anonymize.search.cost import Cost
from tacit.anonymize.search.grouping import Groupings
from tacit.anonymize.search.requirements import Requirements
from tacit.anonymize.utility.loss import Score

Progress = Callable[[int, int], None]

_SMALL_LATTICE = 100_000


@dataclass(frozen=True)
class Found:
    """The best node so far: its score, suppressed rows and released classes (shape (c,))."""

    levels: Node
    score: Score
    suppressed: int
    kept: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Box:
    """All nodes between `low` and `high`."""

    low: Node
    high: Node

    @property
    def nodes(self) -> int:
        return math.prod(high - low + 1 for low, high in zip(self.low, self.high, strict=True))


class BoxSearch:
    """One search: what is known of the lattice so far."""

    def __init__(self, groupings: Groupings, require: Requirements, cost: Cost, allowed: int, tops: Node) -> None:
        self.groupings, self.cost, self.allowed, self.tops = groupings, cost, allowed, tops
        self._require, self._monotonic = require, require.monotonic
        self._bounds: dict[Node, Score | None] = {}
        self._counted: set[Node] = set()
        self._passing, self._failing = _Tags(len(tops)), _Tags(len(tops))
        self.best: Found | None = None
        self.checked = 0
        self.least_suppressed = groupings.tuples.rows
        self.lower: Score | None = None

    def run(self, deadline: float | None, on_progress: Progress | None) -> bool:
        """Search until the best is proved (True) or the deadline, in seconds of time.monotonic, has passed (False)."""
        whole, tie = Box(tuple(0 for _ in self.tops), self.tops), count()
        total = left = whole.nodes
        self._descend(self.tops)
        if self.best is None and self.tops not in self._counted:
            self.count(self.tops)
        if total > _SMALL_LATTICE:
            self._improve(None if deadline is None else (time.monotonic() + deadline) / 2)
        open_boxes = [(self._order(whole.low), next(tie), whole)]
        while open_boxes:
            box = open_boxes[0][-1]
            self.lower = self.bound(box.low)
            if self._beaten(self.lower):
                break
            if deadline is not None and time.monotonic() > deadline:
                return False
            heapq.heappop(open_boxes)
            left -= box.nodes
            for part in self._open(box):
                left += part.nodes
                heapq.heappush(open_boxes, (self._order(part.low), next(tie), part))
            if on_progress:
                on_progress(total - left, total)
        self.lower = None if self.best is None else self.best.score
        if on_progress:
            on_progress(total, total)
        return True

    def bound(self, node: Node) -> Score | None:
        """Return the metric's bound at a node."""
        if node not in self._bounds:
            self._bounds[node] = self.cost.bound(node)
        return self._bounds[node]

    def passes(self, node: Node) -> bool:
        """Whether a node meets the monotonic models within the limit; its classes are counted unless tags decide it."""
        if not self._monotonic.models or self._passing.has_below(node):
            return True
        if self._failing.has_above(node):
            return False
        return self.count(node)

    def count(self, node: Node) -> bool:
        """Count the classes of a node, remember it if it is the best, and return whether it meets the monotonic models."""
        self.checked += 1
        self._counted.add(node)
        grouping = self.groupings.at(node)
        classes = self.groupings.classes(node, grouping, codes=self._require.contextual)
        kept = self._monotonic.held(classes)
        if int(classes.sizes[~kept].sum()) > self.allowed:
            self._failing.add(node)
            return False
        if self._monotonic.models:
            self._passing.add(node)
        if self._beaten(self.bound(node)):
            return True
        if self._monotonic != self._require:
            presence = None if grouping.everyone is None else self.groupings.presence(grouping)
            kept = self._require.held(classes, presence)
        suppressed = int(classes.sizes[~kept].sum())
        self.least_suppressed = min(self.least_suppressed, suppressed)
        if suppressed <= self.allowed:
            everywhere = np.ones(len(grouping), dtype=bool)
            everywhere[grouping.weights > 0] = kept
            score = self.cost.score(node, grouping, everywhere)
            if self.best is None or _less(score, self.best.score):
                self.best = Found(node, score, suppressed, everywhere)
        return True

    def _open(self, box: Box) -> Iterator[Box]:
        """Yield what is left open of a box."""
        if not self.passes(box.high):
            return
        low = self._raised(box)
        if self._beaten(self.bound(low)):
            return
        if low == box.high:
            if low not in self._counted:
                self.count(low)
            return
        side = self._side(low, box.high)
        yield Box(low, _with(box.high, side, low[side]))
        yield Box(_with(low, side, low[side] + 1), box.high)

    def _raised(self, box: Box) -> Node:
        """Return the box's finest node without the levels that fail even with every other column at its coarsest."""
        low = box.low
        for side, (finest, coarsest) in enumerate(zip(box.low, box.high, strict=True)):
            fails, passing = finest - 1, coarsest
            while passing - fails > 1:
                middle = fails + 1 if fails < finest else (fails + passing) // 2
                if self.passes(_with(box.high, side, middle)):
                    passing = middle
                else:
                    fails = middle
            low = _with(low, side, passing)
        return low

    def _side(self, low: Node, high: Node) -> int:
        """Return the column whose next level raises the bound most."""
        sides = [side for side, (level, top) in enumerate(zip(low, high, strict=True)) if level < top]
        best = sides[0]
        for side in sides[1:]:
            here, there = (self.bound(_with(low, one, low[one] + 1)) for one in (best, side))
            if here is not None and there is not None and _less(here, there):
                best = side
        return best

    def _descend(self, start: Node, *, late: tuple[int, ...] = ()) -> None:
        """Find an answer: lower the column whose step gains most by the bound, as long as the node passes; `late` ones last."""
        node = start
        if not self.passes(node):
            return
        for sides in ({side for side in range(len(start)) if side not in late}, set(late)):
            while sides := {side for side in sides if node[side]}:
                downs = {side: _with(node, side, node[side] - 1) for side in sorted(sides)}
                side = min(downs, key=lambda one: self._order(downs[one]))
                if self.passes(downs[side]):
                    node = downs[side]
                else:
                    sides.remove(side)
        if node not in self._counted:
            self.count(node)

    def _improve(self, deadline: float | None) -> None:
        """Look for a better answer next to the best: raise one or two columns by a level, then descend; until none is better."""
        seen: set[Node] = set()
        while self.best is not None and self.best.levels not in seen:
            here = self.best.levels
            seen.add(here)
            for pair in combinations_with_replacement(range(len(self.tops)), 2):
                if deadline is not None and time.monotonic() > deadline:
                    return
                start = here
                for side in pair:
                    start = _with(start, side, min(start[side] + 1, self.tops[side]))
                if start != here:
                    self._descend(start, late=pair)

    def _order(self, node: Node) -> Score:
        bound = self.bound(node)
        return 0.0 if bound is None else bound

    def _beaten(self, bound: Score | None) -> bool:
        return self.best is not None and bound is not None and not _less(bound, self.best.score)


class _Tags:
    """Nodes of one verdict; whether one of them lies above or below a node."""

    def __init__(self, columns: int) -> None:
        self._nodes = np.zeros((16, columns), dtype=np.int64)
        self._count = 0

    def add(self, node: Node) -> None:
        if self._count == len(self._nodes):
            self._nodes = np.concatenate([self._nodes, np.zeros_like(self._nodes)])
        self._nodes[self._count] = node
        self._count += 1

    def has_above(self, node: Node) -> bool:
        return bool((self._nodes[: self._count] >= np.array(node)).all(axis=1).any())

    def has_below(self, node: Node) -> bool:
        return bool((self._nodes[: self._count] <= np.array(node)).all(axis=1).any())


def _with(node: Node, side: int, level: int) -> Node:
    return (*node[:side], level, *node[side + 1 :])


def _less(left: Score, right: Score) -> bool:
    return left < right  # type: ignore[operator]
