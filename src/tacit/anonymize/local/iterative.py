"""Local recoding in rounds: release what a fine node allows, then search again for the rows that are left.

Source: ARX's local recoding (Prasser et al. 2015-2020), a full-domain search repeated on the suppressed remainder. Suppressing costs
nothing inside a round (it is put off to the next), so each round takes the finest node that releases at least a share of
what is left.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.columns import as_text
from tacit.anonymize.privacy_models.model import PrivacyModel
from tacit.anonymize.recoding import Node, TupleRecoding
from tacit.anonymize.search import Deadline, Metric, Progress, put_off, search_levels
from tacit.errors import DataError

RELEASED_PER_ROUND = 0.1
Round = tuple[Node, NDArray[np.bool_]]


def in_rounds(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    *,
    allowed: int,
    metric: Metric,
    deadline: Deadline,
    on_progress: Progress | None = None,
) -> TupleRecoding | None:
    """Return the recoding of all rounds; None when even a single round cannot keep all but `allowed` rows.

    allowed     -- rows that may be left out at the end. Where the rows left after the last round are more, rounds are taken back
                   one by one, twice as many each time once the time is over, until one search covers what is open.
    metric      -- what each round minimizes, with the rows that it puts off counted as if it released them.
    deadline    -- of all rounds together.
    on_progress -- called with (rows that have their round, rows in all).
    Raises DataError when the time is over and nothing was found.
    """
    rounds: list[Round] = []
    open_ = np.ones(len(tuples.weights), dtype=bool)
    for one in rounds_of(coded, tuples, models, put_off(metric), open_=open_, deadline=deadline):
        rounds.append(one)
        open_ &= ~one[1]
        if on_progress:
            on_progress(tuples.rows - int(tuples.weights[open_].sum()), tuples.rows)
    back, whole = 1, False
    while int(tuples.weights[open_].sum()) > allowed:
        if whole and deadline.passed():
            raise DataError(
                f"no release was found in {deadline.seconds:g} seconds: what was found leaves out more than {allowed} of {tuples.rows} "
                "rows. Nothing is released. Give more time, fewer quasi-identifiers, or a larger suppression_limit."
            )
        if whole:
            return None
        for _ in range(min(back, len(rounds))):
            open_ |= rounds.pop()[1]
        whole = not rounds
        back *= 2 if deadline.passed() else 1
        last = _search(coded, tuples, models, metric, open_, allowed, deadline)
        if last is not None:
            rounds.append(last)
            open_ &= ~last[1]
    return recode_rounds(coded, tuples, rounds)


def rounds_of(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    metric: Metric,
    *,
    open_: NDArray[np.bool_],
    deadline: Deadline,
) -> Iterator[Round]:
    """Yield rounds until none releases anything or the time is over: each a node and the tuples, shape (t,), that it releases.

    metric -- for rows that are put off; open_ -- shape (t,): the tuples that have no round yet.
    """
    open_ = open_.copy()
    while (left := int(tuples.weights[open_].sum())) and not deadline.passed():
        most = min(left - 1, int(left * (1 - RELEASED_PER_ROUND)))
        one = _search(coded, tuples, models, metric, open_, most, deadline)
        if one is None:
            return
        yield one
        open_ &= ~one[1]


def _search(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    metric: Metric,
    open_: NDArray[np.bool_],
    allowed: int,
    deadline: Deadline,
) -> Round | None:
    try:
        found = search_levels(coded, tuples.select(open_), models, allowed=allowed, metric=metric, time_limit=deadline.left())
    except DataError:
        if not deadline.passed():
            raise
        return None
    if found is None or not (found.kept & (tuples.weights[open_] > 0)).any():
        return None
    if not found.optimal:
        deadline.passed()  # the search ended because of it
    released = np.zeros(len(open_), dtype=bool)
    released[open_] = found.kept
    return found.levels, released


def recode_rounds(coded: Sequence[CodedColumn], tuples: Tuples, rounds: Sequence[Round]) -> TupleRecoding:
    """Return the recoding in which the tuples of each round's mask, shape (t,), have the levels of its node."""
    count = len(tuples.weights)
    levels = np.tile(np.array([column.levels - 1 for column in coded], dtype=np.int64), (count, 1))
    kept = np.zeros(count, dtype=bool)
    for node, released in rounds:
        levels[released], kept[released] = node, True
    generalized, shares = [], []
    values: list[pa.Array | None] = []
    for i, (column, raw) in enumerate(zip(coded, tuples.codes, strict=True)):
        shares.append(np.stack(column.shares)[levels[:, i], raw])
        if not levels[kept, i].any():
            generalized.append(raw)
            values.append(None)
            continue
        codes, texts = label_codes(column)
        generalized.append(codes[levels[:, i], raw])
        values.append(pa.array(texts, pa.string()))
    return TupleRecoding(
        kept=kept, generalized=np.stack(generalized, axis=1), values=tuple(values), shares=np.stack(shares, axis=1), levels=levels
    )


def label_codes(column: CodedColumn) -> tuple[NDArray[np.int64], list[str | None]]:
    """Return one numbering of a column's labels at all levels: code by (level, raw code), and the text of each code."""
    number: dict[str | None, int] = {}
    raw = [None if value is None else as_text(value) for value in column.values.to_pylist()]
    rows = [[number.setdefault(text, len(number)) for text in raw]]
    for codes, labels in zip(column.codes[1:], column.labels, strict=True):
        texts = [number.setdefault(text, len(number)) for text in labels]
        rows.append([texts[code] for code in codes])
    return np.array(rows, dtype=np.int64), list(number)
