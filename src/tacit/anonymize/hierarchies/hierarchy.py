"""Hierarchies: how a value is made coarser, level by level.

Level 0 is the value as it is; the last level is "*", which stands for every value. In between each level merges groups of
the level before (never splits one), so a class of equal rows can only grow when a level is raised.

Missing values are a category of their own: they stay missing below the last level, where they too become "*".
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.errors import ConfigError

ANY = "*"
"""What the last level of every hierarchy writes."""

HierarchyOrigin = Literal["declared", "data"]
"""Where a hierarchy comes from: fixed without looking at the rows, or built from the values they hold (then it tells of them:
its bounds are extreme values, its order of merging is a count). Only a declared one may stand before a private mechanism."""


class Hierarchy(Protocol):
    """What the search and the release need of a hierarchy.

    levels     -- number of levels, with level 0 (the raw value) and the last ("*"); >= 2.
    leaf_share -- share of the domain one raw value stands for; 0 <= leaf_share <= 1.
    origin     -- "declared", or "data" when it was built from the rows; the JSON form then says so under "origin".
    """

    @property
    def levels(self) -> int: ...

    @property
    def leaf_share(self) -> float: ...

    @property
    def origin(self) -> HierarchyOrigin: ...

    def generalize(self, values: pa.Array, level: int) -> tuple[list[str], NDArray[np.float64]]:
        """Return the labels of distinct non-missing values at 0 < level < levels - 1, and the share of the domain each covers.

        Raises DataError when a value lies outside the hierarchy; the message never holds the value.
        """
        ...

    def check(self, values: pa.Array) -> None:
        """Raise DataError when a distinct non-missing value lies outside the hierarchy."""
        ...

    def describe(self) -> str:
        """Return the levels with their sizes as text for people, one line a level."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the hierarchy as plain JSON values; `hierarchy_for` reads them back."""
        ...


def check_origin(origin: Any) -> None:
    """Raise ConfigError unless `origin` is one a hierarchy can have."""
    if origin not in get_args(HierarchyOrigin):
        raise ConfigError(
            f"the origin of a hierarchy is one of {', '.join(get_args(HierarchyOrigin))}, got {origin!r}. A private mechanism "
            "asks for it: write data when the hierarchy was built from the rows it is for."
        )


def origin_json(origin: HierarchyOrigin) -> dict[str, str]:
    """Return the part of a JSON form that tells the origin: nothing for a declared hierarchy."""
    return {} if origin == "declared" else {"origin": origin}


def outside(what: str, origin: HierarchyOrigin, declared: str) -> str:
    """Return the message for values that a hierarchy does not hold; what it was built from tells of rows, and stays out of it.

    what -- which values these are. declared -- what was declared of them, and what to do then.
    """
    if origin == "declared":
        return f"{what} outside {declared}"
    return f"{what} outside its hierarchy, which was built from other rows. Build it from all rows that are recoded or counted, or declare it."


def outline(title: str, origin: HierarchyOrigin, between: Sequence[str]) -> str:
    """Return the text of `describe`: a title with the origin, then a line for each level; between -- levels 1 to last - 1."""
    source = "declared" if origin == "declared" else "built from the data"
    lines = ["the value itself", *between, ANY]
    return "\n".join([f"{title} ({source})", *(f"  level {level}: {line}" for level, line in enumerate(lines))])


def shortened(labels: Sequence[str]) -> str:
    """Return up to four labels, the middle of a longer list left out: "a, b, c ... z"."""
    return ", ".join(labels) if len(labels) <= 4 else f"{', '.join(labels[:3])} ... {labels[-1]}"
