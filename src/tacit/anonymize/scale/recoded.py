"""What each value becomes at the levels found, as the database is told and as the check expects it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn, combine_codes
from tacit.anonymize.columns import as_text, is_text
from tacit.anonymize.recoding import Node
from tacit.anonymize.scale.counted import Counted, sorted_codes
from tacit.anonymize.scale.expressions import Recode


@dataclass(frozen=True, kw_only=True)
class ColumnRecoding:
    """One quasi-identifier at its level.

    raw      -- shape (d,): distinct raw values as the database holds them, missing not counted.
    released -- shape (d + 1,): what each of them becomes, and last what a missing value becomes.
    read     -- the same before numbers that were read from text are written as text again.
    top      -- whether all are "*". raw_stays -- whether each value becomes itself, in the type that it has in the file.
    """

    raw: pa.Array
    released: pa.Array
    read: pa.Array
    top: bool
    raw_stays: bool

    def ranks(self) -> NDArray[np.int64]:
        """Return the rank of each released value, shape (d + 1,), from 0; equal values have equal ranks; missing is last."""
        return sorted_codes(pa.chunked_array([self.released.dictionary_encode()]))[1]

    def recode(self) -> Recode | None:
        """Return what `release_rows` is told; None: "*"."""
        if self.top:
            return None
        ranks = self.ranks()
        return Recode(
            values=self.raw,
            ranks=pa.array(ranks[:-1]),
            missing=int(ranks[-1]),
            labels=None if self.raw_stays else self.released.slice(0, len(self.raw)),
        )


def recode_columns(coded: Sequence[CodedColumn], levels: Node, raw: Counted, read: Counted) -> list[ColumnRecoding]:
    """Return each quasi-identifier at its level. coded -- the columns of `read`, which is `raw` with numbers for texts."""
    columns = []
    for column, level in zip(coded, levels, strict=True):
        at = raw.place(column.name)
        values, codes = raw.values[at], raw.codes[at]
        code = np.full(len(values) + 1, -1, dtype=np.int64)  # -1: no row misses a value
        code[codes] = column.rows
        if level == 0:
            labels, place = column.values, code
        else:
            labels = pa.array(column.labels[level - 1], pa.string())
            place = np.where(code < 0, -1, column.codes[level][code])
        released = labels.take(pa.array(place, pa.int64(), mask=place < 0))
        as_it_was = released
        if level == 0 and is_text(values.type) and not is_text(released.type):
            released = pa.array([None if one is None else as_text(one) for one in released.to_pylist()], pa.string())
        columns.append(
            ColumnRecoding(
                raw=values,
                released=released,
                read=as_it_was,
                top=level == column.levels - 1,
                raw_stays=level == 0 and released.slice(0, len(values)).cast(values.type).equals(values),
            )
        )
    return columns


def kept_ranks(columns: Sequence[ColumnRecoding], codes: Sequence[NDArray[np.int32]], kept: NDArray[np.bool_]) -> pa.Table:
    """Return the ranks of the kept classes, each once: "k<i>" for every column that is not "*".

    codes -- per column, shape (t,): raw code of each tuple, d for a missing value; kept -- shape (t,).
    """
    ranks = {f"k{i}": column.ranks()[codes[i][kept]] for i, column in enumerate(columns) if not column.top}
    if not ranks:
        return pa.table({})
    keys, _ = combine_codes(list(ranks.values()), [int(one.max()) + 1 for one in ranks.values()])
    first = np.unique(keys, return_index=True)[1]
    return pa.table({name: one[first] for name, one in ranks.items()})


def recoded_tuples(columns: Sequence[ColumnRecoding], tuples: Counted, *, read: bool = False) -> pa.Table:
    """Return the tuples as they are released, the suppressed ones too: quasi-identifiers recoded, the other columns as they are.

    read -- whether numbers read from text stay numbers.
    """
    released = {}
    for i, name in enumerate(tuples.names):
        if i < len(columns):
            values = columns[i].read if read else columns[i].released
            released[name] = values.take(pa.array(tuples.codes[i]))
        else:
            released[name] = tuples.column(name).cast(tuples.values[i].type)
    return pa.table(released)
