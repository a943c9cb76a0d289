"""Full-domain search: which level for each column loses least while the privacy models hold."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.privacy_models.model import PrivacyModel
from tacit.anonymize.recoding import Node
from tacit.anonymize.search.boxes import BoxSearch, Found, Progress
from tacit.anonymize.search.cost import Metric, cost_of
from tacit.anonymize.search.grouping import Groupings, number_keys
from tacit.anonymize.search.requirements import Requirements
from tacit.anonymize.utility.loss import Score
from tacit.errors import DataError


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The node found.

    levels     -- one per column.
    suppressed -- rows in classes that a model refuses; <= floor(limit * n).
    score      -- of the metric that was minimized.
    optimal    -- whether the search ended, and so proved that no node scores less. Others may score the same.
    lower      -- what no node's score falls below, by what was seen; the score itself when optimal, None when nothing is known.
    checked    -- nodes whose classes were counted; nodes -- all nodes of the lattice.
    kept       -- shape (t,): whether each distinct tuple is released.
    """

    levels: Node
    suppressed: int
    score: Score
    optimal: bool
    lower: Score | None
    checked: int
    nodes: int
    kept: NDArray[np.bool_]

    @property
    def gap(self) -> float | None:
        """How much smaller the best score can be at most: 0 when proved, None when nothing is known. Of a rank, its first entry."""
        if self.optimal:
            return 0.0
        if self.lower is None:
            return None
        score, lower = (value[0] if isinstance(value, tuple) else value for value in (self.score, self.lower))
        return max(0.0, score - lower)


def allowed_suppression(limit: float, rows: int) -> int:
    """Return floor(limit * rows), with limit read as the decimal number it is written as (0.29 of 100 rows is 29)."""
    return int(Fraction(str(limit)) * rows)


def search_levels(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    *,
    allowed: int,
    metric: Metric,
    time_limit: float | None = None,
    on_progress: Progress | None = None,
) -> SearchResult | None:
    """Return the node of least score whose suppressed rows are at most `allowed`; None when there is none.

    time_limit  -- seconds after which the best node so far is returned with optimal=False; None: no limit.
    on_progress -- called with (nodes decided, nodes in all).
    Raises DataError when the time is over and no node was found.
    """
    groupings = Groupings(coded, tuples)
    tops = tuple(column.levels - 1 for column in coded)
    search = BoxSearch(groupings, Requirements(tuple(models)), cost_of(metric, coded, tuples, allowed), allowed, tops)
    ended = search.run(None if time_limit is None else time.monotonic() + time_limit, on_progress)
    nodes = math.prod(top + 1 for top in tops)
    if search.best is None and not ended:
        raise DataError(
            f"no release was found in {time_limit:g} seconds among {nodes:,} combinations of levels; {search.checked:,} were "
            "counted. Nothing is released. Give more time, fewer quasi-identifiers, or a larger suppression_limit."
        )
    if search.best is None:
        return None
    best = search.best
    return SearchResult(
        levels=best.levels,
        suppressed=best.suppressed,
        score=best.score,
        optimal=ended,
        lower=best.score if ended else search.lower,
        checked=search.checked,
        nodes=nodes,
        kept=_kept_tuples(groupings, best),
    )


def _kept_tuples(groupings: Groupings, best: Found) -> NDArray[np.bool_]:
    class_of, _ = number_keys(*groupings.keys(best.levels, np.stack(groupings.tuples.codes)))
    return best.kept[class_of]
