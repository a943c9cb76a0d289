"""Mondrian: cut the rows in two, and each half again, for as long as both halves satisfy the models.

Source: LeFevre, DeWitt & Ramakrishnan 2006 (multidimensional recoding by recursive cuts). Where theirs cuts the widest column
at its median, this one takes the cut that saves most of the metric over all columns and places, the more even one of equals: on
Adult it loses a third less. The halves of a stretch get the labels of local/ranges.py, so every released value covers the original.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.local.parts import Parts
from tacit.anonymize.local.ranges import Ordered, ordered_columns
from tacit.anonymize.local.steering import Steering
from tacit.anonymize.privacy_models.model import PrivacyModel
from tacit.anonymize.recoding import TupleRecoding
from tacit.anonymize.search import Deadline, Progress

_CUTS_TRIED = 32


@dataclass(frozen=True, slots=True)
class _Cut:
    """Tuples whose value comes at or before `place` in the order of a column go left."""

    column: int
    place: int


def mondrian(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    steering: Steering,
    *,
    deadline: Deadline,
    on_progress: Progress | None = None,
) -> TupleRecoding | None:
    """Return the recoding of the parts that no cut can divide further; None when even all rows together fail a model.

    steering    -- which cut saves most.
    deadline    -- when to stop cutting: what is a part then becomes a class, which holds the models as any part does.
    on_progress -- called with (rows in parts that are done, rows in all).
    Models whose verdict depends on other classes are asked about two halves as if they were the whole release.
    """
    columns, parts = ordered_columns(coded), Parts(tuples, models)
    places = np.stack([column.place[raw] for column, raw in zip(columns, tuples.codes, strict=True)])
    whole = np.arange(len(tuples.weights))
    if not parts.hold([whole]):
        return None
    todo, done, finished = [whole], [], 0
    while todo and not deadline.passed():
        members = todo.pop()
        for cut in _cuts(columns, places, tuples.weights, members, parts.least_rows, steering):
            left = places[cut.column, members] <= cut.place
            halves = [members[left], members[~left]]
            if parts.sizes_decide or parts.hold(halves):
                todo += halves
                break
        else:
            done.append(members)
            finished += int(tuples.weights[members].sum())
            if on_progress:
                on_progress(finished, tuples.rows)
    return recode_parts(columns, places, [*done, *todo])


def _cuts(
    columns: Sequence[Ordered],
    places: NDArray[np.int64],
    rows: NDArray[np.int64],
    members: NDArray[np.int64],
    least: int,
    steering: Steering,
) -> list[_Cut]:
    """Return the cuts that leave at least `least` rows on each side, best first."""
    inside, weight = places[:, members], rows[members]
    total = int(weight.sum())
    if total < 2 * least:
        return []
    found: list[tuple[float, float, _Cut]] = []
    for i, (column, place) in enumerate(zip(columns, inside, strict=True)):
        low, high = int(place.min()), int(place.max())
        if low == high:
            continue
        counts = np.bincount(place - low, weights=weight, minlength=high - low + 1)
        there = np.flatnonzero(np.bincount(place - low, minlength=high - low + 1))
        left = np.cumsum(counts)[there[:-1]]
        fits = (left >= least) & (total - left >= least)
        if not fits.any():
            continue
        end, start, left = there[:-1][fits] + low, there[1:][fits] + low, left[fits]
        lows, highs = np.full(len(end), low), np.full(len(end), high)
        before = float(steering.cost(i, column, lows[:1], highs[:1])[0])
        after = left * steering.cost(i, column, lows, end) + (total - left) * steering.cost(i, column, start, highs)
        gain, uneven = total * before - after, np.abs(2 * left - total)
        for one in np.lexsort((uneven, -gain))[:_CUTS_TRIED]:
            found.append((-float(gain[one]), float(uneven[one]), _Cut(i, int(end[one]))))
    return [cut for _, _, cut in sorted(found, key=lambda one: one[:2])[:_CUTS_TRIED]]


def recode_parts(columns: Sequence[Ordered], places: NDArray[np.int64], parts: Sequence[NDArray[np.int64]]) -> TupleRecoding:
    """Return the recoding in which each part, an array of tuples, has one released value per column. All are kept.

    Tuples in no part are suppressed, as "*".
    """
    count = places.shape[1]
    kept = np.zeros(count, dtype=bool)
    part_of = np.zeros(count, dtype=np.int64)
    for number, members in enumerate(parts):
        part_of[members], kept[members] = number, True
    generalized, shares, levels, values = [], [], [], []
    for column, place in zip(columns, places, strict=True):
        first = np.array([place[members].min() for members in parts], dtype=np.int64)
        last = np.array([place[members].max() for members in parts], dtype=np.int64)
        labels: dict[str | None, int] = {}
        stretches, stretch_of = np.unique(np.stack([first, last]), axis=1, return_inverse=True)
        codes = np.array([labels.setdefault(column.label(int(a), int(b)), len(labels)) for a, b in stretches.T], dtype=np.int64)
        generalized.append(codes[stretch_of.ravel()][part_of])
        shares.append(np.where(kept, column.share(first, last)[part_of], 1.0))
        level = column.level(first, last)
        levels.append(level[part_of])
        values.append(None if not level.any() else pa.array(list(labels), pa.string()))
        if values[-1] is None:
            generalized[-1] = column.codes[place]
    return TupleRecoding(
        kept=kept,
        generalized=np.stack(generalized, axis=1),
        values=tuple(values),
        shares=np.stack(shares, axis=1),
        levels=np.stack(levels, axis=1),
    )
