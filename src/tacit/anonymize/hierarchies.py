"""Hierarchies: how a value is made coarser, level by level, fixed without looking at the data.

Level 0 is the value as it is; the last level is "*", which stands for every value. In between each level merges groups of
the level before (never splits one), so a class of equal rows can only grow when a level is raised.

Missing values are a category of their own: they stay missing below the last level, where they too become "*".
"""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import as_text, is_number, name_number
from tacit.errors import ConfigError, DataError

ANY = "*"
"""What the last level of every hierarchy writes."""


class Hierarchy(Protocol):
    """What the search and the release need of a hierarchy.

    levels     -- number of levels, with level 0 (the raw value) and the last ("*"); >= 2.
    leaf_share -- share of the domain one raw value stands for; 0 <= leaf_share <= 1.
    """

    @property
    def levels(self) -> int: ...

    @property
    def leaf_share(self) -> float: ...

    def generalize(self, values: pa.Array, level: int) -> tuple[list[str], NDArray[np.float64]]:
        """Return the labels of distinct non-missing values at 0 < level < levels - 1, and the share of the domain each covers.

        Raises DataError when a value lies outside the hierarchy; the message never holds the value.
        """
        ...

    def check(self, values: pa.Array) -> None:
        """Raise DataError when a distinct non-missing value lies outside the hierarchy."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the hierarchy as plain JSON values; `hierarchy_for` reads them back."""
        ...


@dataclass(frozen=True, kw_only=True)
class IntervalHierarchy:
    """Numbers as intervals between declared cuts.

    low, high -- declared bounds of the column, in its unit; low < high. Every value must lie in [low, high].
    cuts      -- for each level between raw and "*", the breakpoints strictly inside (low, high), ascending; the cuts of a
                 level are a subset of those of the level before.

    An interval holds its lower end and not its upper: [20, 25); the last one holds both: [40, 43].
    The share of an interval is its width / (high - low), of a raw value 0: the usual NCP for numbers.
    """

    low: float
    high: float
    cuts: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, _number(getattr(self, name)))
        object.__setattr__(self, "cuts", tuple(tuple(_number(cut) for cut in level) for level in self.cuts))
        if not self.low < self.high:
            raise ConfigError(f"an interval hierarchy needs low < high, got [{self.low:g}, {self.high:g}].")
        for level, cuts in enumerate(self.cuts, start=1):
            edges = (self.low, *cuts, self.high)
            if any(left >= right for left, right in pairwise(edges)):
                raise ConfigError(
                    f"the cuts of level {level} must ascend strictly inside ({self.low:g}, {self.high:g}), got {list(cuts)[:20]}."
                )
            extra = sorted(set(cuts) - set(self.cuts[level - 2])) if level > 1 else []
            if extra:
                raise ConfigError(
                    f"level {level} cuts at {extra[:5]}, where level {level - 1} does not: a level may only merge "
                    "intervals of the "
                    "level before. Add these cuts to the finer level or leave them out."
                )

    @classmethod
    def from_widths(cls, low: float, high: float, widths: Sequence[float]) -> "IntervalHierarchy":
        """Return intervals of these widths counted from low; each width a whole multiple of the one before.

        Raises ConfigError when a width is not positive, does not nest in the next, or makes over 10,000 intervals.
        """
        steps = [_number(width) for width in widths]
        if any(step <= 0 for step in steps):
            raise ConfigError(f"interval widths must be > 0, got {steps}.")
        cuts: list[tuple[float, ...]] = []
        for finer, step in zip([*steps[:1], *steps], steps, strict=False):
            stride = round(step / finer)
            if stride < 1 or abs(step / finer - stride) > 1e-9 or (cuts and stride < 2):
                raise ConfigError(
                    f"each width must be a whole multiple (2 or more) of the one before, got {finer:g} then {step:g}."
                )
            cuts.append(cuts[-1][stride - 1 :: stride] if cuts else _cuts_from(low, high, step))
        return cls(low=low, high=high, cuts=tuple(cuts))

    @property
    def levels(self) -> int:
        return len(self.cuts) + 2

    @property
    def leaf_share(self) -> float:
        return 0.0

    def check(self, values: pa.Array) -> None:
        self._numbers(values)

    def generalize(self, values: pa.Array, level: int) -> tuple[list[str], NDArray[np.float64]]:
        edges = np.array([self.low, *self.cuts[level - 1], self.high])
        index = np.searchsorted(edges[1:-1], self._numbers(values), side="right")
        names = [name_number(edge) for edge in edges]
        last = len(names) - 2
        labels = [f"[{names[i]}, {names[i + 1]}{']' if i == last else ')'}" for i in range(last + 1)]
        return [labels[i] for i in index], (np.diff(edges) / (self.high - self.low))[index]

    def to_json(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "cuts": [list(level) for level in self.cuts]}

    def _numbers(self, values: pa.Array) -> NDArray[np.float64]:
        if not is_number(values.type):
            raise DataError(f"its values are {values.type}, and intervals need numbers. Give it groups, or read it as numbers.")
        numbers = np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
        if len(numbers) and not (self.low <= numbers.min() and numbers.max() <= self.high):
            raise DataError(
                f"it holds values outside its declared bounds [{self.low:g}, {self.high:g}]. Widen the bounds, or "
                "mark or correct such values."
            )
        return numbers


@dataclass(frozen=True, kw_only=True)
class TreeHierarchy:
    """Categories merged by a tree, written as rows: one per raw value, from the value itself to its coarsest group.

    rows -- shape (leaves, levels): texts, no raw value twice, all rows of one length. Equal labels at a level have equal
            labels at the next. A last level "*" is added when there is none.

    The share of a label is the number of rows under it / all rows, whether or not the data hold their values (ARX's count).
    A column of numbers is matched by number: the row "1" stands for 1 and 1.0.
    """

    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        rows = [tuple(as_text(label) for label in row) for row in self.rows]
        if not rows or len({len(row) for row in rows}) != 1 or not rows[0]:
            lengths = sorted({len(row) for row in rows})
            raise ConfigError(
                "a hierarchy needs rows of one length, from raw value to coarsest group; got "
                f"{len(rows)} rows of lengths {lengths}."
            )
        if len(rows[0]) == 1 or any(row[-1] != ANY for row in rows):
            rows = [(*row, ANY) for row in rows]
        leaves = [row[0] for row in rows]
        if len(set(leaves)) != len(leaves):
            twice = next(leaf for leaf in leaves if leaves.count(leaf) > 1)
            raise ConfigError(f"the hierarchy has two rows for {twice!r}. Keep one.")
        for level in range(1, len(rows[0]) - 1):
            parents: dict[str, str] = {}
            for row in rows:
                if parents.setdefault(row[level], row[level + 1]) != row[level + 1]:
                    raise ConfigError(
                        f"{row[level]!r} at level {level} lies under both {parents[row[level]]!r} and "
                        f"{row[level + 1]!r}: a level may "
                        "only merge groups of the level before. Rename one of the two, or put them under the same group."
                    )
        object.__setattr__(self, "rows", tuple(rows))

    @classmethod
    def from_groups(cls, groups: dict[str, Any]) -> "TreeHierarchy":
        """Return the hierarchy of nested groups: {"north": {"coast": ["a", "b"], "hills": ["c"]}, "south": ["d"]}.

        A shallow group stands for itself on the levels below: "d" becomes "south" at once. Raises ConfigError when a group is
        neither a list of values nor a table of groups.
        """
        paths = list(_paths(groups, ()))
        depth = max((len(path) for path in paths), default=0)
        rows = []
        for *above, leaf in paths:
            upward = [str(name) for name in reversed(above)]
            rows.append((leaf, *upward[:1] * (depth - len(above) - 1), *upward))
        return cls(rows=tuple(rows))

    @classmethod
    def from_csv(cls, path: Path | str) -> "TreeHierarchy":
        """Return the hierarchy in a CSV file as ARX writes them: a row per raw value, no header, "," or ";" between levels."""
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"the hierarchy file {str(path)!r} cannot be read: {error}. Give a UTF-8 CSV file, one row per raw value."
            ) from None
        lines = [line for line in text.splitlines() if line.strip()]
        delimiter = ";" if sum(line.count(";") for line in lines) >= sum(line.count(",") for line in lines) else ","
        return cls(rows=tuple(tuple(row) for row in csv.reader(lines, delimiter=delimiter)))

    @property
    def levels(self) -> int:
        return len(self.rows[0])

    @property
    def leaf_share(self) -> float:
        return 1.0 / len(self.rows)

    def check(self, values: pa.Array) -> None:
        self._find(values)

    def generalize(self, values: pa.Array, level: int) -> tuple[list[str], NDArray[np.float64]]:
        labels = [self.rows[row][level] for row in self._find(values)]
        leaves: dict[str, int] = {}
        for row in self.rows:
            leaves[row[level]] = leaves.get(row[level], 0) + 1
        return labels, np.array([leaves[label] for label in labels], dtype=np.float64) / len(self.rows)

    def to_json(self) -> dict[str, Any]:
        return {"rows": [list(row) for row in self.rows]}

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {row[0]: index for index, row in enumerate(self.rows)}

    @cached_property
    def _row_of_number(self) -> dict[float, int]:
        numbers: dict[float, int] = {}
        for index, row in enumerate(self.rows):
            try:
                number = float(row[0])
            except ValueError:
                continue
            if numbers.setdefault(number, index) != index:
                raise ConfigError(f"the hierarchy has two rows for the number {row[0]}. Keep one.")
        return numbers

    def _find(self, values: pa.Array) -> list[int]:
        raw = values.to_pylist()
        rows = (
            [self._row_of_number.get(float(v)) for v in raw]
            if is_number(values.type)
            else [self._row_of.get(as_text(v)) for v in raw]
        )
        found = [row for row in rows if row is not None]
        if len(found) < len(rows):
            raise DataError(
                f"{len(rows) - len(found)} of its {len(rows)} distinct values have no row in its hierarchy. Add the "
                "missing values to the "
                "hierarchy (they are not shown here: they are private), or mark them as missing."
            )
        return found


def _number(value: Any) -> float:
    """Return a declared number rounded to 12 significant digits, so that 0.1 * 3 and 0.3 are one cut."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"bounds, cuts and widths of a hierarchy must be finite numbers, got {json.dumps(value, default=str)}.")
    return float(f"{value:.12g}")


def _cuts_from(low: float, high: float, step: float) -> tuple[float, ...]:
    count = math.ceil((high - low) / step - 1e-9)
    if count > 10_000:
        raise ConfigError(
            f"width {step:g} makes {count} intervals between {low:g} and {high:g}; the limit is 10,000. "
            "Start with a larger width."
        )
    return tuple(low + i * step for i in range(1, count))


def _paths(groups: Any, above: tuple[str, ...]) -> Any:
    if isinstance(groups, dict):
        for name, inner in groups.items():
            yield from _paths(inner, (*above, name))
    elif isinstance(groups, list | tuple) and above and not any(isinstance(leaf, dict | list | tuple) for leaf in groups):
        yield from ((*above, as_text(leaf)) for leaf in groups)
    else:
        raise ConfigError(
            f"groups must be a table of lists, for example {{ low = [9, 12], high = [14, 16] }}, got "
            f"{json.dumps(groups, default=str)[:80]}."
        )
