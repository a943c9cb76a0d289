"""The figures of a release, whether its rows are a table in memory or a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tacit.anonymize.classes import Recoded
from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.manifest import findings_of
from tacit.anonymize.outcome import Outcome
from tacit.anonymize.recoding import Node, TupleRecoding, as_recoded
from tacit.anonymize.search import Metric
from tacit.anonymize.utility.loss import Score
from tacit.anonymize.verify import Verification
from tacit.models.finding import Finding


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How a release came about. All of it is for the custodian.

    recoded     -- what became of each distinct tuple, for further metrics.
    levels      -- level of each quasi-identifier, 0 the raw value; under local recoding the highest one released
                   (of a mean, that of the interval it stands for).
    top_levels  -- the level of each that is "*".
    rows        -- rows that could be released; suppressed -- rows left out; at most floor(suppression_limit * rows).
    score       -- of the metric that was minimized; for the loss 0 (nothing changed) to 1 (all is "*").
    optimal     -- whether no combination of levels scores less (proved); False: the best found.
    gap         -- by how much another combination of levels can score less at most; 0 when optimal, None when nothing is known.
    checked     -- combinations whose classes were counted, of `nodes` in all; 0 and 0 where there is no lattice.
    stopped     -- whether the time limit ended the work before it was done; the release holds the models all the same.
    classes     -- number of classes released; smallest_class, median_class, largest_class -- their rows.
    settings    -- models, limit, metric, recoding and each hierarchy with its SHA-256, as JSON values.
    verification -- what the independent check looked at.
    """

    recoded: Recoded = field(repr=False)
    levels: Mapping[str, int]
    top_levels: Mapping[str, int]
    rows: int
    suppressed: int
    score: Score
    optimal: bool
    gap: float | None
    checked: int
    nodes: int
    stopped: bool
    classes: int
    smallest_class: int
    median_class: float
    largest_class: int
    settings: Mapping[str, Any] = field(repr=False)
    verification: Verification = field(repr=False)

    @property
    def search(self) -> str:
        """What is proved about the score, in words."""
        if self.settings["recoding"] != "full-domain":
            return "best found; a local recoding has no proof" + ("; stopped by the time limit" if self.stopped else "")
        if self.optimal:
            return "full-domain search, proved optimal"
        return "full-domain search, best found" + ("" if self.gap is None else f"; at most {self.gap:.4g} above the optimum")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The release's figures: exact statistics of private rows, for the custodian."""
        return findings_of(self)


def figures_of(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    outcome: Outcome,
    metric: Metric,
    *,
    settings: Mapping[str, Any],
    verification: Verification,
) -> Figures:
    """Return the figures of a recoding of the tuples, t in all; settings, verification -- what was asked for, and checked."""
    recoded = as_recoded(coded, tuples, outcome.recoding)
    sizes = np.bincount(recoded.class_of[recoded.kept], weights=recoded.weights[recoded.kept])
    sizes = sizes[sizes > 0]
    return Figures(
        recoded=recoded,
        levels={column.name: level for column, level in zip(coded, outcome.levels or _highest(outcome.recoding), strict=True)},
        top_levels={column.name: column.levels - 1 for column in coded},
        rows=tuples.rows,
        suppressed=tuples.rows - int(sizes.sum()),
        score=metric.score(recoded) if outcome.score is None else outcome.score,
        optimal=outcome.optimal,
        gap=outcome.gap,
        checked=outcome.checked,
        nodes=outcome.nodes,
        stopped=outcome.stopped,
        classes=len(sizes),
        smallest_class=int(sizes.min()),
        median_class=float(np.median(sizes)),
        largest_class=int(sizes.max()),
        settings=settings,
        verification=verification,
    )


def _highest(recoding: TupleRecoding) -> Node:
    return tuple(int(level) for level in recoding.levels[recoding.kept].max(axis=0))
