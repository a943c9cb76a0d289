"""The values of a column in an order, so that a stretch of them has one label: an interval, or the lowest common level."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn
from tacit.anonymize.columns import as_text, is_number
from tacit.anonymize.hierarchies import ANY

_Places = NDArray[np.int64]


class Ordered:
    """A column's d distinct values in an order: numbers by size, categories as the leaves of their tree from left to right.

    place -- shape (d,): position of each raw code. Missing comes last.
    numbers -- of a column of numbers, shape (d,): the values in that order; NaN for missing.
    A stretch of numbers is labelled "[17, 23]", both ends in it; its share is its width over the declared range, or the rows of
    the hierarchy inside it over all its rows. A stretch of categories has the label of the lowest level that joins
    it, and that level's share. A stretch of both missing and other values is "*".
    """

    def __init__(self, column: CodedColumn) -> None:
        self.column = column
        numbers = _numbers(column)
        self._domain = None if numbers is None else _domain(column)
        if numbers is None or self._domain is None:
            self._domain = None
            self.codes = np.lexsort(column.codes)  # top level first
            self.numbers = np.zeros(0)
        else:
            self.codes = np.argsort(numbers, kind="stable")  # NaN, which is missing, last
            self.numbers = numbers[self.codes]
        self.place = np.empty(len(self.codes), dtype=np.int64)
        self.place[self.codes] = np.arange(len(self.codes))
        self._levels = np.stack([codes[self.codes] for codes in column.codes])
        self._runs = [len(np.flatnonzero(np.diff(codes))) + 1 == len(np.unique(codes)) for codes in self._levels]

    @property
    def numeric(self) -> bool:
        return self._domain is not None

    def level(self, first: _Places, last: _Places) -> _Places:
        """Return the lowest level at which the stretches first..last are one value, shape (r,)."""
        lowest = np.full(len(first), len(self._levels) - 1, dtype=np.int64)
        for level in range(len(self._levels) - 2, -1, -1):
            if self._runs[level]:
                lowest[self._levels[level][first] == self._levels[level][last]] = level
        return lowest

    def share(self, first: _Places, last: _Places) -> NDArray[np.float64]:
        """Return the share of the domain that the label of each stretch covers, shape (r,)."""
        if self._domain is None:
            level = self.level(first, last)
            return np.stack([shares[self.codes] for shares in self.column.shares])[level, first]
        low, high = self.numbers[first], self.numbers[last]
        if isinstance(self._domain, tuple):
            share = (high - low) / (self._domain[1] - self._domain[0])
        else:
            inside = np.searchsorted(self._domain, high, side="right") - np.searchsorted(self._domain, low, side="left")
            share = inside / len(self._domain)
        return np.where(np.isnan(high), np.where(np.isnan(low), self.column.leaf_share, 1.0), share)

    def label(self, first: int, last: int) -> Any:
        """Return the label of one stretch; None for missing."""
        low, high = (self.column.values[int(self.codes[place])].as_py() for place in (first, last))
        if first == last:
            return None if low is None else as_text(low)
        if self._domain is not None:
            return ANY if high is None else f"[{as_text(low)}, {as_text(high)}]"
        level = int(self.level(np.array([first]), np.array([last]))[0])
        return self.column.labels[level - 1][int(self._levels[level][first])]


def _numbers(column: CodedColumn) -> NDArray[np.float64] | None:
    if not is_number(column.values.type):
        return None
    return np.array([np.nan if value is None else float(value) for value in column.values.to_pylist()])


def _domain(column: CodedColumn) -> tuple[float, float] | NDArray[np.float64] | None:
    """Return the declared range of a column of numbers, or the sorted numbers of its hierarchy's rows; None: it has neither."""
    form = column.hierarchy.to_json()
    if "low" in form and "high" in form:
        return float(form["low"]), float(form["high"])
    try:
        return np.sort(np.array([float(row[0]) for row in form["rows"]]))
    except (KeyError, TypeError, ValueError):
        return None


def ordered_columns(coded: Sequence[CodedColumn]) -> list[Ordered]:
    """Return each column in its order."""
    return [Ordered(column) for column in coded]
