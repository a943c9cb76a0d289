"""Which released labels stand for which values, and so which rows of a release could be about whom.

This reads a release as an attacker does: from its labels, and the hierarchies where they are known.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.coding import combine_codes
from tacit.anonymize.columns import as_text, get_column, is_number
from tacit.anonymize.hierarchies import ANY, Hierarchy
from tacit.errors import DataError

_INTERVAL = re.compile(r"\[(?P<low>[^,\[\]]+), (?P<high>[^,\[\]]+)(?P<end>[\])])")
_CELLS = 20_000_000
"""Pairs of tuple and class that are looked at at once."""
_MOST = 4_000_000_000
"""Pairs that are looked at in all: half a minute."""


def coverage(values: pa.Array, labels: pa.Array, hierarchy: Hierarchy | None) -> NDArray[np.bool_]:
    """Return which labels stand for which values, shape (values, labels); both distinct, a missing one among them perhaps.

    A label stands for the value whose text it is, for those that the hierarchy gives it at some level, and, being an interval of
    numbers such as "[20, 30)" or "[17, 23]", for those inside; "*" stands for all, and a missing label for a missing value.
    Raises DataError when a value lies outside a hierarchy that was declared; in one that was built from other rows, such a value
    has its own text and "*" alone.
    """
    stands = np.zeros((len(values), len(labels)), dtype=np.bool_)
    for places, codes in _matches(values, labels, hierarchy):
        stands[places, codes] = True
    return stands


def only_labels(values: pa.Array, labels: pa.Array, hierarchy: Hierarchy | None) -> NDArray[np.int64] | None:
    """Return the one label that stands for each value, -1 for none, shape (values,); None when a value has two or more."""
    only = np.full(len(values), -1, dtype=np.int64)
    for places, codes in _matches(values, labels, hierarchy):
        before = only[places]
        if ((before >= 0) & (before != codes)).any():
            return None
        only[places] = codes
    return only


def _matches(
    values: pa.Array, labels: pa.Array, hierarchy: Hierarchy | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield places of values and, beside each, the place of a label that stands for it."""
    texts = [None if label is None else as_text(label) for label in labels.to_pylist()]
    code_of = {text: code for code, text in enumerate(texts)}
    present, known = np.flatnonzero(np.asarray(values.is_valid())), values.drop_null()
    if ANY in code_of:
        yield np.arange(len(values)), np.full(len(values), code_of[ANY])
    if None in code_of:
        missing = np.flatnonzero(np.asarray(values.is_null()))
        yield missing, np.full(len(missing), code_of[None])
    named = [(present, [as_text(value) for value in known.to_pylist()])]
    if hierarchy is not None:
        inside = _inside(known, hierarchy)
        held = known.take(pa.array(inside))
        named += [(present[inside], hierarchy.generalize(held, level)[0]) for level in range(1, hierarchy.levels - 1)]
    for places, names in named:
        codes = np.array([code_of.get(name, -1) for name in names], dtype=np.int64)
        yield places[codes >= 0], codes[codes >= 0]
    if is_number(values.type):
        numbers = np.asarray(known.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        for code, (low, high, closed) in _intervals(texts):
            places = present[(low <= numbers) & ((numbers <= high) if closed else (numbers < high))]
            yield places, np.full(len(places), code)


def _inside(known: pa.Array, hierarchy: Hierarchy) -> NDArray[np.int64]:
    """Return the places of the values that lie in a hierarchy; one that was declared must hold all, so its error passes."""
    try:
        hierarchy.check(known)
        return np.arange(len(known))
    except DataError:
        if hierarchy.origin == "declared":
            raise
    held = []
    for place in range(len(known)):
        try:
            hierarchy.check(known.slice(place, 1))
            held.append(place)
        except DataError:
            continue
    return np.array(held, dtype=np.int64)


def _intervals(texts: Sequence[str | None]) -> Iterator[tuple[int, tuple[float, float, bool]]]:
    """Yield the place of each label that is an interval of numbers, its ends, and whether the upper one is in it."""
    for code, text in enumerate(texts):
        found = _INTERVAL.fullmatch(text or "")
        try:
            if found:
                yield code, (float(found["low"]), float(found["high"]), found["end"] == "]")
        except ValueError:
            continue


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """Rows reduced to distinct tuples of some columns.

    codes  -- shape (t, m): code of each value; values -- per column the distinct values by code.
    rows   -- shape (t,): rows of each tuple; of_row -- shape (n,): the tuple of each row.
    """

    codes: NDArray[np.int64]
    values: tuple[pa.Array, ...]
    rows: NDArray[np.int64]
    of_row: NDArray[np.int64]


def crowd(data: pa.Table, columns: Sequence[str]) -> Crowd:
    """Return the distinct tuples of a table; a missing value is a value of its own."""
    coded = [get_column(data, name).dictionary_encode(null_encoding="encode") for name in columns]
    codes = [np.asarray(column.indices).astype(np.int64) for column in coded]
    keys, _ = combine_codes(codes, [max(len(column.dictionary), 1) for column in coded])
    _, first, of_row, rows = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return Crowd(
        codes=np.stack(codes, axis=1)[first], values=tuple(column.dictionary for column in coded), rows=rows, of_row=of_row
    )


def covering_pairs(
    people: Crowd, classes: Crowd, columns: Sequence[str], hierarchies: Mapping[str, Hierarchy]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return every pair (tuple of people, class of the release) in which the class's labels stand for all the tuple's values.

    Where each value has one label at most, as after a full-domain recoding, it takes the time of sorting the tuples; otherwise
    that of tuples * classes. Raises DataError, naming the column, when a value lies outside a declared hierarchy.
    """
    singles = []
    for name, values, labels in zip(columns, people.values, classes.values, strict=True):
        try:
            singles.append(only_labels(values, labels, hierarchies.get(name)))
        except DataError as error:
            raise DataError(f"column {name!r}: {error}") from None
    if all(single is not None for single in singles):
        return _by_key(people, classes, [single for single in singles if single is not None])
    if len(people.rows) * len(classes.rows) > _MOST:
        raise DataError(
            f"the labels of the release overlap, and to tell which of its {len(classes.rows)} classes each of {len(people.rows)} different "
            f"rows belongs to takes over {_MOST:,} comparisons. Name fewer quasi-identifiers."
        )
    stands = [
        coverage(values, labels, hierarchies.get(name))
        for name, values, labels in zip(columns, people.values, classes.values, strict=True)
    ]
    block = max(1, _CELLS // max(len(classes.rows), 1))
    pairs = []
    for start in range(0, len(people.rows), block):
        part = people.codes[start : start + block]
        covered = np.ones((len(part), len(classes.rows)), dtype=np.bool_)
        for place, table in enumerate(stands):
            covered &= table[part[:, place]][:, classes.codes[:, place]]
        tuples, of_class = np.nonzero(covered)
        pairs.append((tuples + start, of_class))
    return np.concatenate([one for one, _ in pairs]), np.concatenate([other for _, other in pairs])


def _by_key(people: Crowd, classes: Crowd, singles: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs where each value has one label at most: two lists of keys are joined."""
    labelled = [single[people.codes[:, i]] for i, single in enumerate(singles)]
    there = np.flatnonzero(np.all([labels >= 0 for labels in labelled], axis=0))
    both = [np.concatenate([classes.codes[:, i], labels[there]]) for i, labels in enumerate(labelled)]
    keys, _ = combine_codes(both, [len(values) for values in classes.values])
    ours, theirs = keys[: len(classes.rows)], keys[len(classes.rows) :]
    order = np.argsort(ours)
    place = np.minimum(np.searchsorted(ours[order], theirs), len(ours) - 1)
    found = ours[order][place] == theirs
    return there[found], order[place[found]]
