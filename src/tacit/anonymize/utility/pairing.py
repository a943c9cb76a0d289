"""A recoding found again from two tables: what became of each row of the original, told from the release's own labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.classes import Recoded
from tacit.anonymize.coding import CodedColumn, code_table, combine_codes, distinct_tuples
from tacit.anonymize.columns import as_text, get_column, plain
from tacit.anonymize.hierarchies import ANY, Hierarchy
from tacit.anonymize.risk.coverage import Crowd, covering_pairs, crowd
from tacit.errors import DataError

_NONE = -1


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """What a release made of a table. Never for release.

    origins -- shape (released rows,): the original row of each released row; rows of a class that are alike in all other columns
               of both tables stand for each other.
    recoded -- the fate of each distinct tuple, for metrics.
    """

    origins: NDArray[np.int64]
    recoded: Recoded


def pair_tables(original: pa.Table, released: pa.Table, hierarchies: Mapping[str, Hierarchy]) -> Pairing:
    """Return which original row each released row came from, for a release of whole classes.

    hierarchies -- of every quasi-identifier, in order; those the release was made with.

    A class whose labels cover exactly as many of the rows not yet placed as it has must consist of them; what remains is looked at
    again until all classes are placed. So nothing is guessed: a release that is not told apart in this way is refused.
    Raises DataError, naming the column where there is one, when a table is empty or lacks a column, labels are of no level of the
    hierarchies, or rows were changed, drawn or left out one by one.
    """
    if not original.num_rows or not released.num_rows:
        raise DataError("the original or the release has no rows, so there is no utility to measure. Check the files.")
    names = list(hierarchies)
    coded = code_table(original, hierarchies)
    tuples = distinct_tuples(coded)
    people = Crowd(
        codes=np.stack(tuples.codes, axis=1),
        values=tuple(column.values for column in coded),
        rows=tuples.weights,
        of_row=tuples.of_row,
    )
    classes = crowd(released, names)
    placed = _placed(people, classes, covering_pairs(people, classes, names, hierarchies))
    kept = placed >= 0
    labelled = [
        _Labelled(column, people.codes[:, place], np.where(kept, classes.codes[placed, place], _NONE), classes.values[place])
        for place, column in enumerate(coded)
    ]
    everywhere = [one.level for one in labelled]  # of a full-domain recoding, the level of what was left out as well
    columns = [
        one.fates(level if level is not None and None not in everywhere else one.column.levels - 1)
        for one, level in zip(labelled, everywhere, strict=True)
    ]
    generalized, shares, levels = (np.stack(part, axis=1) for part in zip(*columns, strict=True))
    keys, _ = combine_codes(list(generalized.T), [int(codes.max()) + 1 for codes in generalized.T])
    recoded = Recoded(
        weights=people.rows,
        kept=kept,
        class_of=np.unique(keys, return_inverse=True)[1],
        codes=people.codes,
        generalized=generalized,
        shares=shares,
        leaf_shares=np.array([column.leaf_share for column in coded]),
        leaves=np.array([column.leaves for column in coded]),
        levels=levels,
        heights=np.array([column.levels - 1 for column in coded]),
        names=tuple(names),
    )
    return Pairing(origins=_origins(original, released, names, placed[people.of_row], classes.of_row), recoded=recoded)


def _placed(people: Crowd, classes: Crowd, pairs: tuple[NDArray[np.int64], NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the class of each tuple, shape (t,), -1 for suppressed ones. Raises DataError when it cannot be told."""
    from scipy.sparse import csr_matrix

    tuples, of_class = pairs
    covers = csr_matrix((np.ones(len(tuples)), (of_class, tuples)), shape=(len(classes.rows), len(people.rows)))
    placed, waiting = np.full(len(people.rows), _NONE), np.ones(len(classes.rows), dtype=np.bool_)
    while waiting.any():
        left = covers @ np.where(placed == _NONE, people.rows, 0)
        certain = np.flatnonzero(waiting & (left == classes.rows))
        if not len(certain):
            break
        rows, members = covers[certain].nonzero()
        free = placed[members] == _NONE
        placed[members[free]] = certain[rows[free]]
        waiting[certain] = False
    sizes = np.bincount(placed[placed >= 0], weights=people.rows[placed >= 0], minlength=len(classes.rows))
    wrong = int((sizes != classes.rows).sum())
    if wrong:
        raise DataError(
            f"{wrong} of the release's {len(classes.rows)} classes do not have the rows that their labels cover in the original, so what became "
            "of each row cannot be told: rows were changed, drawn or left out one by one, or another hierarchy was used. Give the "
            "hierarchies of the release, or measure utility where it is made."
        )
    return placed


class _Labelled:
    """One column of the original beside what its values became.

    raw -- codes of the values, shape (t,); labels -- codes in `shown` of what they became, shape (t,), -1 for suppressed tuples.
    level -- the lowest that gives all the labels; None when there is no such level.
    """

    def __init__(self, column: CodedColumn, raw: NDArray[np.int64], labels: NDArray[np.int64], shown: pa.Array) -> None:
        self.column = column
        texts = [None, *(None if label is None else as_text(label) for label in shown.to_pylist())]
        pairs, self._place = np.unique(raw * len(texts) + labels + 1, return_inverse=True)
        values, codes = np.divmod(pairs, len(texts))
        self._released = (codes > 0).tolist()
        self._pairs = [(value, texts[code]) for value, code in zip(values.tolist(), codes.tolist(), strict=True)]
        known = [pair for pair, released in zip(self._pairs, self._released, strict=True) if released]
        fitting = (level for level in range(column.levels) if all(_label(column, level, value) == text for value, text in known))
        self.level = next(fitting, None)

    def fates(self, otherwise: int) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Return code, share and level of each tuple's released value, each shape (t,); suppressed ones are at `otherwise`."""
        numbered: dict[str | None, int] = {}
        rows = []
        for (value, text), released in zip(self._pairs, self._released, strict=True):
            if released and self.level is None:
                level, share = _level_of(self.column, value, text)
            else:
                level = self.level if released and self.level is not None else otherwise
                text, share = _label(self.column, level, value), float(self.column.shares[level][value])
            rows.append((numbered.setdefault(text, len(numbered)), share, level))
        codes, shares, levels = (np.array(part)[self._place] for part in zip(*rows, strict=True))
        return codes, shares, levels


def _label(column: CodedColumn, level: int, value: int) -> str | None:
    """Return what a value, by its code, becomes at a level."""
    if level:
        return column.labels[level - 1][int(column.codes[level][value])]
    raw = column.values[value].as_py()
    return None if raw is None else as_text(raw)


def _level_of(column: CodedColumn, value: int, text: str | None) -> tuple[int, float]:
    """Return the lowest level at which a value becomes a text, or that joins an interval's ends; and the share of the domain."""
    for level in range(column.levels):
        if _label(column, level, value) == text and (text != ANY or level == column.levels - 1):
            return level, float(column.shares[level][value])
    from tacit.anonymize.local.ranges import Ordered

    ordered = Ordered(column)
    ends = [float(end) for end in (text or "[nan, nan]")[1:-1].split(", ")]
    first, last = (np.flatnonzero(ordered.numbers == end) for end in ends)
    if not len(first) or not len(last):
        raise DataError(
            f"column {column.name!r} has labels that are of no level of its hierarchy, so what they lose is not known. Give the hierarchy "
            "that it was generalized by."
        )
    return int(ordered.level(first, last)[0]), float(ordered.share(first, last)[0])


def _origins(
    original: pa.Table, released: pa.Table, quasi: Sequence[str], placed: NDArray[np.int64], of_row: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the original row of each released row: classes pair with classes, and in them rows by their other columns."""
    beside: list[NDArray[np.int64]] = []
    for name in released.column_names:
        if name in quasi or name not in original.column_names:
            continue
        sides = [get_column(table, name) for table in (original, released)]
        if sides[0].type == sides[1].type:
            both = plain(pa.chunked_array(sides)).dictionary_encode(null_encoding="encode")
            beside.append(np.asarray(both.indices).astype(np.int64))
    kept = np.flatnonzero(placed >= 0)
    ours = np.lexsort([*(codes[: len(placed)][kept] for codes in beside), placed[kept]])
    theirs = np.lexsort([*(codes[len(placed) :] for codes in beside), of_row])
    origins = np.empty(len(of_row), dtype=np.int64)
    origins[theirs] = kept[ours]
    return origins
