"""Categories merged by a tree: written as rows, as nested groups, as an ordered list merged in runs, or in a CSV file."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import as_text, is_number
from tacit.anonymize.hierarchies.hierarchy import ANY, HierarchyOrigin, check_origin, origin_json, outline, shortened
from tacit.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class TreeHierarchy:
    """Categories merged by a tree, written as rows: one per raw value, from the value itself to its coarsest group.

    rows   -- shape (leaves, levels): texts, no raw value twice, all rows of one length. Equal labels at a level have equal
              labels at the next. A last level "*" is added when there is none.
    origin -- "data" when the rows list what the data hold.

    The share of a label is the number of rows under it / all rows, whether or not the data hold their values (ARX's count).
    A column of numbers is matched by number: the row "1" stands for 1 and 1.0.
    Errors name rows by their number, never by their text: a file of rows is often written from the data.
    """

    rows: tuple[tuple[str, ...], ...]
    origin: HierarchyOrigin = "declared"

    def __post_init__(self) -> None:
        check_origin(self.origin)
        rows = [tuple(as_text(label) for label in row) for row in self.rows]
        if not rows or len({len(row) for row in rows}) != 1 or not rows[0]:
            lengths = sorted({len(row) for row in rows})
            raise ConfigError(
                "a hierarchy needs rows of one length, from raw value to coarsest group; got "
                f"{len(rows)} rows of lengths {lengths}."
            )
        if len(rows[0]) == 1 or any(row[-1] != ANY for row in rows):
            rows = [(*row, ANY) for row in rows]
        _check_leaves(rows)
        _check_nesting(rows)
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
    def from_order(cls, values: Sequence[Any], runs: Sequence[int]) -> "TreeHierarchy":
        """Return the hierarchy of an ordered list of categories, merged in runs of neighbours: one level for each length of run.

        values -- the categories in their order. runs -- lengths >= 2, each a whole multiple of the one before.
        A run is written by its ends, "primary to college"; a run of one keeps its name. The last run may be shorter.
        Raises ConfigError when runs do not nest, or when a run would be written like a category or another run.
        """
        order = [as_text(value) for value in values]
        lengths = [1, *runs]
        for finer, length in pairwise(lengths):
            if isinstance(length, bool) or not isinstance(length, int) or length % finer or length <= finer:
                raise ConfigError(
                    f"runs must be whole numbers >= 2, each a multiple of the one before, got {list(runs)}: a level may only "
                    "merge runs of the level before. Write for example runs = [2, 4]."
                )
        columns = [[_run_name(order[start : start + length]) for start in range(0, len(order), length)] for length in lengths]
        if any(len(set(names)) != len(names) for names in columns):
            raise ConfigError(
                f"the {len(order)} ordered categories make two equal labels at one level, so two groups would be one. List each "
                'category once, and rename one that reads like a run ("low to high").'
            )
        rows = (tuple(column[i // length] for column, length in zip(columns, lengths, strict=True)) for i in range(len(order)))
        return cls(rows=tuple(rows))

    @classmethod
    def from_csv(cls, path: Path | str) -> "TreeHierarchy":
        """Return the hierarchy in a CSV file as ARX writes them: a row per raw value, no header, "," or ";" between levels."""
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
            lines = [line for line in text.splitlines() if line.strip()]
            delimiter = ";" if sum(line.count(";") for line in lines) >= sum(line.count(",") for line in lines) else ","
            rows = tuple(tuple(row) for row in csv.reader(lines, delimiter=delimiter))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            what = error.strerror if isinstance(error, OSError) else str(error)
            what = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else what
            raise ConfigError(
                f"the hierarchy file {str(path)!r} cannot be read: {what}. Give a UTF-8 CSV file, one row per raw value."
            ) from None
        return cls(rows=rows)

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
        leaves = self._leaves[level]
        return labels, np.array([leaves[label] for label in labels], dtype=np.float64) / len(self.rows)

    def describe(self) -> str:
        between = []
        for leaves in self._leaves[1:-1]:
            sizes = sorted({min(leaves.values()), max(leaves.values())})
            many = " to ".join(str(size) for size in sizes)
            between.append(f"{len(leaves)} group{'s' if len(leaves) > 1 else ''} of {many} values: {shortened(list(leaves))}")
        return outline(f"{len(self.rows)} categories", self.origin, between)

    def to_json(self) -> dict[str, Any]:
        return {"rows": [list(row) for row in self.rows], **origin_json(self.origin)}

    @cached_property
    def _leaves(self) -> tuple[Mapping[str, int], ...]:
        """For each level, how many rows lie under each label."""
        return tuple(Counter(labels) for labels in zip(*self.rows, strict=True))

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
            first = numbers.setdefault(number, index)
            if first != index:
                raise ConfigError(f"the hierarchy has two rows for the number of row {first + 1}: row {index + 1} too. Keep one.")
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


def _check_leaves(rows: Sequence[Sequence[str]]) -> None:
    first: dict[str, int] = {}
    for index, row in enumerate(rows, start=1):
        if first.setdefault(row[0], index) != index:
            raise ConfigError(f"the hierarchy has two rows for one value, rows {first[row[0]]} and {index}. Keep one.")


def _check_nesting(rows: Sequence[Sequence[str]]) -> None:
    for level in range(1, len(rows[0]) - 1):
        parents: dict[str, int] = {}
        for index, row in enumerate(rows):
            other = parents.setdefault(row[level], index)
            if rows[other][level + 1] != row[level + 1]:
                raise ConfigError(
                    f"the hierarchy is not monotone: rows {other + 1} and {index + 1} have one label at level {level}, which then "
                    f"lies under both of their labels at level {level + 1}; a level may only merge groups of the level before. "
                    "Rename one of the two, or put them under the same group."
                )


def _run_name(run: Sequence[str]) -> str:
    return run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}"


def _paths(groups: Any, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
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
