"""What a requirement is measured on: the released table, the input it came from, and the classes between them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa

from tacit.anonymize.verify.columns import Numbers, number_rows, number_values, plain, word
from tacit.anonymize.verify.wildcards import covering_rows, covering_values
from tacit.errors import PrivacyError

Missing = Literal["own category", "wildcard"]


@dataclass(frozen=True, kw_only=True)
class Crowds:
    """People compared with their population: for each group of equal quasi-identifiers, how many rows it has of three kinds.

    population -- all rows; subset -- those of them that could be released; released -- those that were.
    """

    population: Sequence[int]
    subset: Sequence[int]
    released: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class Domains:
    """What released values cover. sizes -- values in each quasi-identifier's domain; shares -- per class, of each domain."""

    sizes: Sequence[int]
    shares: Sequence[Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """One sensitive column. A value is known by its number; labels -- the text of each, None the missing one.

    classes -- per class, rows by value; totals -- rows of the whole input by value, rows left out included.
    """

    classes: Sequence[Counter[int]]
    totals: Counter[int]
    labels: Sequence[str | None]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A release, in plain columns, and what is at hand to measure it by.

    rows       -- rows that could have been released.
    input      -- these rows as they were; None: not at hand, so nothing that needs them can be confirmed.
    crowds     -- for delta-presence; None: not at hand.  population_rows -- for k-map and journalists, per class the rows of the
                  population.  domains -- for profitability.
    """

    released: pa.Table
    quasi: tuple[str, ...]
    rows: int
    missing: Missing = "own category"
    input: pa.Table | None = None
    crowds: Crowds | None = None
    population_rows: Sequence[int] | None = None
    domains: Domains | None = None

    @cached_property
    def class_of(self) -> Numbers:
        """Class of each released row, shape (released rows,): rows equal in every quasi-identifier."""
        return number_rows([self.released.column(name).combine_chunks() for name in self.quasi], self.released.num_rows)[0]

    @cached_property
    def own(self) -> list[int]:
        """Rows of each class."""
        return [int(count) for count in np.bincount(self.class_of)]

    @cached_property
    def sizes(self) -> list[int]:
        """Rows that anybody of the class may be: its own and, where missing is a wildcard, those that could be anything else."""
        return self.own if self.missing == "own category" else covering_rows(self._tuples, self.own)

    @cached_property
    def _tuples(self) -> list[tuple[str | None, ...]]:
        """Quasi-identifiers of each class."""
        first = np.unique(self.class_of, return_index=True)[1]
        chosen = self.released.select(list(self.quasi)).take(pa.array(first))
        texts = [[None if v is None else word(v) for v in column.to_pylist()] for column in chosen.columns]
        return list(zip(*texts, strict=True))

    def counts(self, column: str) -> list[Counter[int]]:
        """Return for each class how many of its rows hold each value of a sensitive column."""
        codes, values = number_values(self._sensitive(column))
        return _by_class(self.class_of, codes, len(self.own), len(values))

    def histogram(self, column: str) -> Histogram:
        """Return the histogram of a sensitive column over the classes and over the whole input.

        Raises PrivacyError, as a problem in words, when the column or the input is not at hand.
        """
        if self.input is None:
            raise PrivacyError(f"the input is not at hand, so the share of each value of column {column!r} in it is unknown")
        if self.input.column_names.count(column) != 1:
            raise PrivacyError(f"column {column!r} is not one column of the input")
        before, after = plain(self.input.column(column)), self._sensitive(column)
        if before.type != after.type:
            raise PrivacyError(f"column {column!r} is {after.type} in the release and {before.type} in the input")
        codes, values = number_values(pa.concat_arrays([before, after]))
        return Histogram(
            classes=_by_class(self.class_of, codes[len(before) :], len(self.own), len(values)),
            totals=_by_class(np.zeros(len(before), dtype=np.int64), codes[: len(before)], 1, len(values))[0],
            labels=[None if value is None else word(value) for value in values.to_pylist()],
        )

    def distinct(self, column: str) -> list[int]:
        """Return how many values of a column occur among the rows that anybody of each class may be."""
        classes = [set(found) for found in self.counts(column)]
        if self.missing == "wildcard":
            classes = covering_values(self._tuples, classes)
        return [len(found) for found in classes]

    def _sensitive(self, column: str) -> pa.Array:
        if column in self.quasi or column not in self.released.column_names:
            raise PrivacyError(f"column {column!r} is not a sensitive column of the release")
        return plain(self.released.column(column))


def _by_class(class_of: Numbers, values: Numbers, classes: int, width: int) -> list[Counter[int]]:
    """Return for each class how many of its rows hold each value."""
    found: list[Counter[int]] = [Counter() for _ in range(classes)]
    pairs, counts = np.unique(class_of * max(width, 1) + values, return_counts=True)
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        found[pair // width][pair % width] = count
    return found
