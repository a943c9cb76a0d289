"""t-closeness: in every class a sensitive column is distributed nearly as in the whole table."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.columns import as_text
from tacit.anonymize.privacy_models.comparison import TOLERANCE
from tacit.anonymize.privacy_models.distances import equal_distance, hierarchical_distance, ordered_distance
from tacit.anonymize.privacy_models.frequencies import histogram_of
from tacit.anonymize.privacy_models.parameters import check_column, check_number
from tacit.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TCloseness:
    """In every class the distribution of a sensitive column is within the earth mover's distance t of the whole input's.

    column -- the sensitive column; t -- 0 <= t < 1, met within 1e-9. The whole input counts, suppressed rows included.
    order  -- makes the distance "ordered": the values from first to last, None where missing ones belong, or "numeric" for a
              column of numbers from low to high. It is never taken from the data. Moving to the neighbour costs 1 / (m - 1), m
              being the values of the input.
    tree   -- makes it "hierarchical": a row per value, from the value to the root, as a tree hierarchy has. Moving to another
              value costs h / H when they meet at height h of H. A missing value hangs from the root.
    Without either it is "equal": moving costs 1 to every other value, half the sum of |p - q|.
    Source: Li, Li & Venkatasubramanian 2007 (ICDE), Definition 2 (the principle) and their Earth Mover's Distances.

    Not monotonic under suppression: a class that holds can merge with a suppressed one full of one value, and fail with it.
    (Where nothing is suppressed it is: the distance of a merged class is at most the mean of its parts'; Li et al.'s generalization
    property.)
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = False

    column: str
    t: float
    _: KW_ONLY
    order: Sequence[str | float | bool | None] | Literal["numeric"] | None = None
    tree: Sequence[Sequence[str | float | bool]] | None = None

    def __post_init__(self) -> None:
        check_column(self.column, "t-closeness")
        check_number("t", self.t, "[0, 1)", why="it is the largest share of a class to be moved. Try 0.2.")
        if self.order is not None and self.tree is not None:
            raise ConfigError(
                "t-closeness got an order and a tree: they are two different distances. Give one of them, or neither for the "
                "equal distance."
            )
        if self.order is not None and self.order != "numeric":
            object.__setattr__(self, "order", _order(self.order))
        if self.tree is not None:
            object.__setattr__(self, "tree", _tree(self.tree))

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def distance(self) -> Literal["equal", "ordered", "hierarchical"]:
        return "ordered" if self.order is not None else "hierarchical" if self.tree is not None else "equal"

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        return self.distances(classes) <= self.t + TOLERANCE

    def distances(self, classes: Classes) -> NDArray[np.float64]:
        """Return the distance of each class from the whole input, shape (c,), between 0 and 1.

        Raises DataError when a value of the data has no place in the order or the tree; the message never holds the value.
        """
        histogram, count = histogram_of(classes, self.column), len(classes)
        if self.order is not None:
            order = None if self.order == "numeric" else cast(tuple[str | None, ...], self.order)
            return ordered_distance(histogram, count, order)
        if self.tree is not None:
            return hierarchical_distance(histogram, count, cast(tuple[tuple[str, ...], ...], self.tree))
        return equal_distance(histogram, count)

    def to_json(self) -> dict[str, Any]:
        form: dict[str, Any] = {"model": "t-closeness", "column": self.column, "t": self.t, "distance": self.distance}
        if self.order is not None:
            form["order"] = self.order if isinstance(self.order, str) else list(self.order)
        if self.tree is not None:
            form["tree"] = [list(row) for row in self.tree]
        return form

    def __str__(self) -> str:
        return f"{self.t:g}-closeness ({self.distance} distance) of {self.column!r}"


def _order(order: Sequence[str | float | bool | None]) -> tuple[str | None, ...]:
    """Return the labels of an order; ConfigError when it is a text, empty, or has a value twice."""
    labels = () if isinstance(order, str) else tuple(None if value is None else as_text(value) for value in order)
    if not labels or len(set(labels)) < len(labels):
        raise ConfigError(
            f'the order for t-closeness must be "numeric" or list each value once, from first to last; got {len(labels)} values, '
            f"{len(set(labels))} of them different: the distance counts steps along it. Correct the list."
        )
    return labels


def _tree(tree: Sequence[Sequence[str | float | bool]]) -> tuple[tuple[str, ...], ...]:
    """Return the rows of a tree with one root; ConfigError when rows differ in length, repeat a value or cross."""
    rows = tuple(tuple(as_text(label) for label in row) for row in tree)
    if not rows or len({len(row) for row in rows}) != 1 or not rows[0] or len({row[0] for row in rows}) < len(rows):
        raise ConfigError(
            f"the tree for t-closeness needs one row per value, all of one length, from the value to the root; got {len(rows)} "
            "rows that are not: a value's height in the tree is its distance. Repeat a group's name to fill a short row."
        )
    if len({row[-1] for row in rows}) > 1 or len(rows[0]) == 1:
        rows = tuple((*row, "*") for row in rows)
    for level in range(1, len(rows[0]) - 1):
        parent: dict[str, str] = {}
        if any(parent.setdefault(row[level], row[level + 1]) != row[level + 1] for row in rows):
            raise ConfigError(
                f"the tree for t-closeness has a group at level {level} that lies under two groups of the next: then it is no "
                "tree. Rename one of the two."
            )
    return rows
