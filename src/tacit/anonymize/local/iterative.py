"""Local recoding in rounds: release what a fine node allows, then search again for the rows that are left.

Source: ARX's local recoding (Prasser et al. 2015-2020), a full-domain search repeated on the suppressed remainder. Suppressing costs
nothing inside a round (it is put off to the next), so each round takes the finest node that releases at least a share of
what is left.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.columns import as_text
from tacit.anonymize.privacy_models.model import PrivacyModel
from tacit.anonymize.recoding import Node, TupleRecoding
from tacit.anonymize.search import search_levels
from tacit.anonymize.utility.loss import Loss

RELEASED_PER_ROUND = 0.1
Round = tuple[Node, NDArray[np.bool_]]


def in_rounds(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    *,
    allowed: int,
    loss: Loss,
    time_limit: float | None = None,
) -> TupleRecoding | None:
    """Return the recoding of all rounds; None when even a single round cannot keep all but `allowed` rows.

    allowed    -- rows that may be left out at the end. Where the rows left after the last round are more, rounds are taken back
                  one by one until one search covers what is open.
    loss       -- what each round minimizes, by its aggregate and weights; suppression counts nothing in it.
    time_limit -- seconds for each round.
    """
    rounds = list(rounds_of(coded, tuples, models, loss, time_limit=time_limit))
    open_ = np.ones(len(tuples.weights), dtype=bool)
    for _, released in rounds:
        open_ &= ~released
    while int(tuples.weights[open_].sum()) > allowed:
        if not rounds:
            return None
        open_ |= rounds.pop()[1]
        one = _search(coded, tuples, models, loss, open_, allowed, time_limit)
        if one is not None:
            rounds.append(one)
            open_ &= ~one[1]
    return recode_rounds(coded, tuples, rounds)


def rounds_of(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    loss: Loss,
    *,
    open_: NDArray[np.bool_] | None = None,
    time_limit: float | None = None,
) -> Iterator[Round]:
    """Yield rounds until none releases anything: each a node and the tuples, shape (t,), that it releases of those open."""
    open_ = np.ones(len(tuples.weights), dtype=bool) if open_ is None else open_
    free = replace(loss, generalization_vs_suppression=0.0)
    while left := int(tuples.weights[open_].sum()):
        put_off = min(left - 1, int(left * (1 - RELEASED_PER_ROUND)))
        one = _search(coded, tuples, models, free, open_, put_off, time_limit)
        if one is None:
            return
        yield one
        open_ = open_ & ~one[1]


def _search(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    loss: Loss,
    open_: NDArray[np.bool_],
    allowed: int,
    time_limit: float | None,
) -> Round | None:
    found = search_levels(coded, tuples.select(open_), models, allowed=allowed, metric=loss, time_limit=time_limit)
    if found is None or not (found.kept & (tuples.weights[open_] > 0)).any():
        return None
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
