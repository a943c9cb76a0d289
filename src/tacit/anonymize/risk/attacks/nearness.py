"""How near a person's values are to a released row, column by column, whatever was done to the row.

A number against a number: their difference / the range of both. Otherwise 0 when the released value stands for the person's (it
is the same, its label at some level of the column's hierarchy, an interval that holds it, or "*"), else 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column, is_number
from tacit.anonymize.hierarchies import ANY, Hierarchy
from tacit.anonymize.risk.coverage import coverage
from tacit.errors import ConfigError, DataError

_CELLS = 4_000_000
"""Distances held at once."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """One column of numbers, all divided by their common range; NaN is missing.

    people -- shape (n,); released -- shape (r,); middle -- median of the released ones, NaN when none is known.
    """

    people: NDArray[np.float64]
    released: NDArray[np.float64]
    middle: float

    def distances(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the distance of people to every released row, shape (len(rows), r), each in 0..1."""
        people = self.people[rows][:, None]
        apart = np.abs(people - self.released[None, :])
        return np.where(np.isnan(apart), (np.isnan(people) != np.isnan(self.released)).astype(np.float64), apart)


@dataclass(frozen=True, kw_only=True)
class Labels:
    """One column of labels: codes people -- shape (n,), released -- shape (r,); apart -- shape (values, labels)."""

    people: NDArray[np.int64]
    released: NDArray[np.int64]
    apart: NDArray[np.bool_]

    def distances(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return the distance of people to every released row, shape (len(rows), r), each 0 or 1."""
        return self.apart[self.people[rows]][:, self.released]


Nearness = Numbers | Labels


def nearness(
    people: pa.Table, released: pa.Table, columns: Sequence[str], hierarchies: Mapping[str, Hierarchy]
) -> dict[str, Nearness]:
    """Return for each column how near people are to released rows.

    Raises ConfigError without columns, DataError naming the column that is absent or whose values lie outside its hierarchy.
    """
    if not columns:
        raise ConfigError("an attacker who knows no column attacks nothing. Name at least one column that the attacker knows.")
    if people.num_rows == 0 or released.num_rows == 0:
        raise DataError("a table has no rows, so there is nobody to attack or nothing to attack with. Check the files.")
    pairs = {name: (get_column(people, name), get_column(released, name)) for name in columns}
    near: dict[str, Nearness] = {}
    for name, pair in pairs.items():
        try:
            near[name] = _numbers(*pair) if all(is_number(side.type) for side in pair) else _labels(*pair, hierarchies.get(name))
        except DataError as error:
            raise DataError(f"column {name!r}: {error}") from None
    return near


def blocks(people: NDArray[np.int64], released: int) -> list[NDArray[np.int64]]:
    """Return people in blocks whose distances to all released rows fit in memory."""
    return np.array_split(people, max(1, -(-len(people) * released // _CELLS)))


def _numbers(people: pa.Array, released: pa.Array) -> Numbers:
    sides = [
        np.asarray(side.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False))
        for side in (people, released)
    ]
    every = np.concatenate(sides)
    known = every[np.isfinite(every)]
    width = float(known.max() - known.min()) if len(known) else 0.0
    people_scaled, released_scaled = (side / (width or 1.0) for side in sides)
    seen = released_scaled[~np.isnan(released_scaled)]
    return Numbers(people=people_scaled, released=released_scaled, middle=float(np.median(seen)) if len(seen) else np.nan)


def _labels(people: pa.Array, released: pa.Array, hierarchy: Hierarchy | None) -> Labels:
    coded = [side.dictionary_encode(null_encoding="encode") for side in (people, released)]
    values, labels = (side.dictionary for side in coded)
    apart = ~coverage(values, labels, hierarchy)
    named_labels = [code for code, label in enumerate(labels.to_pylist()) if label not in (ANY, None)]
    present = np.flatnonzero(np.asarray(values.is_valid()))
    if named_labels and len(present) and apart[present][:, named_labels].all():
        raise DataError(
            "none of its released values is a value of these people, so no attack could succeed and every risk would look small. Give "
            "the hierarchy that it was generalized by."
        )
    codes = [np.asarray(side.indices).astype(np.int64) for side in coded]
    return Labels(people=codes[0], released=codes[1], apart=apart)
