"""What a recoding makes of every distinct tuple: for metrics, and as the rows of the release."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes, Histogram, Recoded
from tacit.anonymize.coding import CodedColumn, Tuples, combine_codes
from tacit.anonymize.columns import get_column

Node = tuple[int, ...]
"""A level for each quasi-identifier."""


@dataclass(frozen=True, kw_only=True)
class TupleRecoding:
    """The fate of t distinct tuples of m quasi-identifiers.

    kept        -- shape (t,): whether its rows are released.
    generalized -- shape (t, m): code of each released value in `values`, or the raw code where those are None.
    values      -- per column, the released values by code; None: the raw values stay as they are.
    shares      -- shape (t, m): share of the domain that a released value covers.
    levels      -- shape (t, m): level of a released value; of an interval, the lowest level that covers it.
    """

    kept: NDArray[np.bool_]
    generalized: NDArray[np.int64]
    values: tuple[pa.Array | None, ...]
    shares: NDArray[np.float64]
    levels: NDArray[np.int64]

    def class_of(self) -> NDArray[np.int64]:
        """Return the class of each tuple, shape (t,): equal released values are one class."""
        columns = list(self.generalized.T)
        keys, _ = combine_codes(columns, [int(codes.max(initial=0)) + 1 for codes in columns])
        return np.asarray(np.unique(keys, return_inverse=True)[1])


def full_domain(coded: Sequence[CodedColumn], tuples: Tuples, node: Node, kept: NDArray[np.bool_] | None = None) -> TupleRecoding:
    """Return the recoding of every tuple at the levels of one node. kept -- shape (t,); None: all."""
    pairs = list(zip(coded, node, tuples.codes, strict=True))
    count = len(tuples.weights)
    return TupleRecoding(
        kept=np.ones(count, dtype=bool) if kept is None else kept,
        generalized=np.stack([column.codes[level][raw] for column, level, raw in pairs], axis=1),
        values=tuple(pa.array(column.labels[level - 1], pa.string()) if level else None for column, level, _ in pairs),
        shares=np.stack([column.shares[level][raw] for column, level, raw in pairs], axis=1),
        levels=np.tile(np.array(node, dtype=np.int64), (count, 1)),
    )


def as_recoded(coded: Sequence[CodedColumn], tuples: Tuples, recoding: TupleRecoding) -> Recoded:
    """Return what a metric sees: the tuples with rows that may be released."""
    there = tuples.weights > 0
    return Recoded(
        weights=tuples.weights[there],
        kept=recoding.kept[there],
        class_of=np.unique(recoding.class_of()[there], return_inverse=True)[1],
        codes=np.stack(tuples.codes, axis=1)[there],
        generalized=recoding.generalized[there],
        shares=recoding.shares[there],
        leaf_shares=np.array([column.leaf_share for column in coded]),
        leaves=np.array([column.leaves for column in coded]),
        levels=recoding.levels[there],
        heights=np.array([column.levels - 1 for column in coded]),
        names=tuple(column.name for column in coded),
    )


def classes_of(
    tuples: Tuples, class_of: NDArray[np.int64], codes: Sequence[NDArray[np.int64]] = ()
) -> tuple[Classes, Classes | None]:
    """Return the classes of any grouping of the tuples, as models see them, and as delta-presence does (None: no subset).

    class_of -- shape (t,), 0 <= class_of < c; codes -- per quasi-identifier, shape (t,): equal in a class.
    The first holds only classes with rows that may be released.
    """
    count = int(class_of.max()) + 1
    total = [
        None if rows is None else np.bincount(class_of, weights=rows, minlength=count).astype(np.int64)
        for rows in (tuples.weights, tuples.everyone, tuples.population)
    ]
    weights, everyone, population = total
    assert weights is not None
    sensitive = {}
    for name, entries in tuples.sensitive.items():
        width = len(entries.labels)
        keys, place = np.unique(class_of[entries.tuple_of] * width + entries.values, return_inverse=True)
        counts = np.bincount(place, weights=entries.counts).astype(np.int64)
        sensitive[name] = Histogram(
            class_of=keys // width, values=keys % width, counts=counts, totals=entries.totals, labels=entries.labels
        )
    by_class = []
    for column in codes:
        of_class = np.zeros(count, dtype=np.int64)
        of_class[class_of] = column
        by_class.append(of_class)
    classes = Classes(sizes=weights, rows=tuples.rows, sensitive=sensitive, population=population, codes=tuple(by_class))
    if everyone is None:
        return classes if population is None else classes.select(weights > 0), None
    there = everyone > 0
    presence = Classes(sizes=everyone[there], rows=int(everyone.sum()), subset=weights[there])
    return classes.select(weights > 0), presence


def released_table(
    data: pa.Table,
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    recoding: TupleRecoding,
    *,
    keep: Sequence[str],
    subset: NDArray[np.bool_] | None,
) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return the released rows and the original row of each.

    Columns in the original's order; rows sorted by all of them, so that nothing of the original order of rows is told.
    """
    chosen = recoding.kept[tuples.of_row]
    rows = np.flatnonzero(chosen if subset is None else chosen & subset)
    columns = _recoded_columns(data, coded, tuples, recoding, rows)
    columns |= {name: get_column(data, name).take(pa.array(rows)) for name in keep}
    table = pa.table({name: columns[name] for name in data.column_names if name in columns})
    plain = table.rename_columns([str(i) for i in range(table.num_columns)])  # names such as "a[0]" mean places inside values
    order = pc.sort_indices(plain, sort_keys=[(name, "ascending") for name in plain.column_names])
    return table.take(order), rows[np.asarray(order)]


def every_row(data: pa.Table, coded: Sequence[CodedColumn], tuples: Tuples, recoding: TupleRecoding) -> pa.Table:
    """Return what the recoding makes of the quasi-identifiers of every original row, released or not; never for release."""
    return pa.table(_recoded_columns(data, coded, tuples, recoding, np.arange(data.num_rows)))


def _recoded_columns(
    data: pa.Table, coded: Sequence[CodedColumn], tuples: Tuples, recoding: TupleRecoding, rows: NDArray[np.int64]
) -> dict[str, pa.Array]:
    columns: dict[str, pa.Array] = {}
    for i, column in enumerate(coded):
        values = recoding.values[i]
        if values is None:
            columns[column.name] = get_column(data, column.name).take(pa.array(rows))
        else:
            columns[column.name] = values.take(pa.array(recoding.generalized[tuples.of_row[rows], i]))
    return columns
