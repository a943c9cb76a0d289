"""Microaggregation: small groups of similar rows, whose numbers become their mean.

Source: MDAV, Domingo-Ferrer & Torra 2005 (Data Mining and Knowledge Discovery 11(2)), algorithm 3, on distinct tuples that count by
their rows. Blocks of at most `block` tuples, cut at medians like a kd-tree, keep it from costing the square of the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.local.mondrian import recode_parts
from tacit.anonymize.local.parts import Parts, failing_parts
from tacit.anonymize.local.ranges import Ordered, ordered_columns
from tacit.anonymize.privacy_models.model import PrivacyModel
from tacit.anonymize.privacy_models.parameters import whole
from tacit.anonymize.recoding import TupleRecoding
from tacit.anonymize.search import Deadline, Progress
from tacit.errors import ConfigError, DataError

_Members = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Microaggregation:
    """Classes of at least k similar rows; numbers become the mean of their class, categories its lowest common label.

    k     -- least rows of a class; whole number >= 2, and at least that of any k-anonymity required.
    block -- most distinct tuples that are clustered together; more finds closer rows and costs their square / k.
    """

    k: int = 5
    block: int = 1000

    def __post_init__(self) -> None:
        least = whole("k of a microaggregation", self.k, least=2, why="The mean of one row is that row. Start at 5.")
        block = whole("block", self.block, least=4 * least, why="Blocks hold several classes. Start at 1000.")
        object.__setattr__(self, "k", least)
        object.__setattr__(self, "block", block)

    def to_json(self) -> dict[str, Any]:
        return {"recoding": "microaggregation", "k": self.k, "block": self.block}


def microaggregate(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    how: Microaggregation,
    weights: NDArray[np.float64],
    *,
    deadline: Deadline,
    on_progress: Progress | None = None,
) -> TupleRecoding | None:
    """Return the recoding into classes of at least k rows; those that fail a model join the nearest one until none does.

    Rows are compared by standardized numbers, and categories by their place in the order of their tree. None when even all
    rows together fail. Raises DataError when there are fewer than k rows or a column of numbers has missing values, ConfigError when there
    is no such column.

    weights     -- shape (m,): weight of each column's square in the square of a distance; 0 <= weight <= 1.
    deadline    -- when to stop clustering: the rows of each block that have no class yet become one.
    on_progress -- called with (rows that have their class, rows in all).
    """
    columns, parts = ordered_columns(coded), Parts(tuples, models)
    numeric = [column for column in columns if column.numeric]
    if not numeric:
        raise ConfigError(
            'microaggregation needs a quasi-identifier of numbers with intervals, got none. Use recoding="mondrian".'
        )
    missing = [column.column.name for column in numeric if column.column.values.null_count]
    if missing:
        raise DataError(
            f"the columns {missing} miss values, and a mean of missing values does not exist. Leave such rows out, or use "
            'recoding="mondrian", which keeps missing as a category.'
        )
    if tuples.rows < how.k:
        raise DataError(
            f"a microaggregation into classes of at least k = {how.k} rows was asked for, of {tuples.rows} rows: not even one class could be "
            "made. Nothing is released. Ask for a smaller k, or bring more rows."
        )
    places = np.stack([column.place[raw] for column, raw in zip(columns, tuples.codes, strict=True)])
    points = np.stack([_coordinate(column, place, tuples.weights) for column, place in zip(columns, places, strict=True)], axis=1)
    points *= np.sqrt(weights)
    if not parts.hold([np.arange(len(points))]):
        return None
    least = max(how.k, parts.least_rows)
    clusters: list[_Members] = []
    finished = 0
    for block in _blocks(points, tuples.weights, np.arange(len(points)), how.block, least):
        clusters += _mdav(points, tuples.weights, block, least, deadline)
        finished += int(tuples.weights[block].sum())
        if on_progress:
            on_progress(finished, tuples.rows)
    clusters = _join_failing(points, tuples, models, clusters, deadline)
    return _with_means(columns, places, tuples.weights, clusters, recode_parts(columns, places, clusters))


def _coordinate(column: Ordered, place: _Members, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    values = column.numbers[place] if column.numeric else place.astype(np.float64)
    mean = np.average(values, weights=rows)
    deviation = float(np.sqrt(np.average((values - mean) ** 2, weights=rows)))
    return np.asarray((values - mean) / deviation if deviation > 0 else np.zeros(len(values)))


def _blocks(points: NDArray[np.float64], rows: NDArray[np.int64], whole: _Members, most: int, least: int) -> list[_Members]:
    """Return the tuples in blocks of at most `most`, each half of a cut with at least `least` rows."""
    todo, done = [whole], []
    while todo:
        members = todo.pop()
        if len(members) <= most:
            done.append(members)
            continue
        inside = points[members]
        axis = int(np.argmax(inside.max(axis=0) - inside.min(axis=0)))
        order = members[np.argsort(inside[:, axis], kind="stable")]
        halves = [order[: len(order) // 2], order[len(order) // 2 :]]
        if min(int(rows[half].sum()) for half in halves) >= least:
            todo += halves
        else:
            done.append(members)
    return done


def _mdav(
    points: NDArray[np.float64], rows: NDArray[np.int64], members: _Members, least: int, deadline: Deadline
) -> list[_Members]:
    """Return clusters of at least `least` rows: around the tuple farthest from the centre, then around the one farthest from it.

    Below three clusters' rows a single one is cut off; the rest, or what is left when the time is over, is the last.
    """
    clusters: list[_Members] = []
    while (left := int(rows[members].sum())) >= 2 * least and not deadline.passed():
        centre = np.average(points[members], axis=0, weights=_positive(rows[members]))
        start = members[_distances(points[members], centre).argmax()]
        far = members[_distances(points[members], points[start]).argmax()]
        for seed in (start, far) if left >= 3 * least else (start,):
            near = members[np.argsort(_distances(points[members], points[seed]), kind="stable")]
            taken = int(np.searchsorted(np.cumsum(rows[near]), least)) + 1
            if int(rows[near[taken:]].sum()) < least:
                return [*clusters, members]
            clusters.append(near[:taken])
            members = near[taken:]
    return [*clusters, members]


def _join_failing(
    points: NDArray[np.float64],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    clusters: list[_Members],
    deadline: Deadline,
) -> list[_Members]:
    """Join every cluster that fails a model to the one whose centre is nearest, until all hold; with no time left, to each other."""
    while len(clusters) > 1 and len(failing := failing_parts(tuples, models, clusters)):
        if len(failing) > 1 and deadline.passed():
            one = np.concatenate([clusters[number] for number in failing])
            clusters = [*(cluster for number, cluster in enumerate(clusters) if number not in failing), one]
            continue
        centres = np.stack([np.average(points[c], axis=0, weights=_positive(tuples.weights[c])) for c in clusters])
        gone: set[int] = set()
        for one in failing.tolist():
            if one in gone:
                continue
            distances = _distances(centres, centres[one])
            distances[[one, *gone]] = np.inf
            other = int(distances.argmin())
            if not np.isfinite(distances[other]):
                continue
            clusters[other] = np.concatenate([clusters[other], clusters[one]])
            gone.add(one)
        clusters = [cluster for number, cluster in enumerate(clusters) if number not in gone]
    return clusters


def _with_means(
    columns: Sequence[Ordered],
    places: NDArray[np.int64],
    rows: NDArray[np.int64],
    clusters: Sequence[_Members],
    recoding: TupleRecoding,
) -> TupleRecoding:
    """Return the recoding with the mean of each cluster in the columns of numbers; shares stay those of the cluster's interval."""
    generalized, values = recoding.generalized.copy(), list(recoding.values)
    for i, (column, place) in enumerate(zip(columns, places, strict=True)):
        if column.numeric:
            means = np.array([np.average(column.numbers[place[c]], weights=_positive(rows[c])) for c in clusters])
            distinct, code = np.unique(means, return_inverse=True)
            for number, cluster in enumerate(clusters):
                generalized[cluster, i] = code[number]
            values[i] = pa.array(distinct, pa.float64())
    return replace(recoding, generalized=generalized, values=tuple(values))


def _distances(points: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(((points - point) ** 2).sum(axis=1))


def _positive(rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return rows as weights of a mean; equal ones where there are only tuples of the population."""
    return rows.astype(np.float64) if rows.any() else np.ones(len(rows))
