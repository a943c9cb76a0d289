"""A hierarchy as a user writes it, in `study.toml` or in JSON.

    hierarchy = { widths = [5, 10, 20] }                              # intervals counted from the column's lower bound
    hierarchy = { cuts = [[20, 25, 30, 35, 40], [30]] }               # the breakpoints of each level, finest first
    hierarchy = { groups = { manual = [1, 2], office = [3, 4, 5] } }  # one level, or several: groups inside groups
    hierarchy = { rows = [["a", "north"], ["b", "north"]] }           # a row per value, from the value to its coarsest group
    hierarchy = { file = "education.csv" }                            # such rows in a CSV file (ARX's format)

Level 0 (the value itself) and the last level ("*") are always there and never written. Without `hierarchy`, a column with
declared bounds gets intervals of doubling width, one with declared categories goes from the value straight to "*". All of it
is declared: nothing here looks at the data.
"""

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tacit.anonymize.hierarchies import Hierarchy, IntervalHierarchy, TreeHierarchy
from tacit.errors import ConfigError
from tacit.tables.schema import Bounds, Categories, Column

_KEYS = ("widths", "cuts", "groups", "rows", "file")


def hierarchy_for(column: Column, spec: Mapping[str, Any] | None = None, *, folder: Path | None = None) -> Hierarchy:
    """Return the hierarchy of a column: the one written in `spec`, else the default for its declared bounds or categories.

    folder -- where a relative `file` is looked for; the current folder when None.
    Raises ConfigError, naming the column, when the spelling is wrong, declared categories are left out, or there is nothing
    to build a hierarchy from.
    """
    try:
        hierarchy = _default(column) if spec is None else _read(column, spec, folder or Path())
        if isinstance(hierarchy, TreeHierarchy) and column.categories is not None:
            _covers(hierarchy, column.categories)
    except ConfigError as error:
        raise ConfigError(f"the hierarchy of column {column.name!r}: {error}") from None
    return hierarchy


def _read(column: Column, spec: Mapping[str, Any], folder: Path) -> Hierarchy:
    kinds = [key for key in spec if key in _KEYS]
    allowed = {*kinds, "low", "high"} if kinds in (["widths"], ["cuts"]) else set(kinds)
    unknown = [key for key in spec if key not in allowed]
    if len(kinds) != 1 or unknown:
        close = [
            f"{key!r} looks like {match[0]!r}"
            for key in unknown
            if (match := difflib.get_close_matches(key, [*_KEYS, "low", "high"], n=1))
        ]
        hint = f" ({'; '.join(close)})" if close and not kinds else ""
        raise ConfigError(
            f"give exactly one of {', '.join(_KEYS)}; got {list(spec)}{hint}. For example {{ widths = [5, 10, 20] }}."
        )
    kind, value = kinds[0], spec[kinds[0]]
    try:
        match kind:
            case "widths":
                return IntervalHierarchy.from_widths(*_range(column, spec), value)
            case "cuts":
                low, high = _range(column, spec)
                return IntervalHierarchy(low=low, high=high, cuts=tuple(tuple(level) for level in value))
            case "groups":
                return TreeHierarchy.from_groups(value)
            case "rows":
                return TreeHierarchy(rows=tuple(tuple(row) for row in value))
            case _:
                return TreeHierarchy.from_csv(folder / value)
    except TypeError:
        raise ConfigError(
            f"`{kind}` has the wrong form: {str(value)[:80]!r}. See the spellings in `tacit.anonymize.hierarchy_spec`."
        ) from None


def _range(column: Column, spec: Mapping[str, Any]) -> tuple[float, float]:
    bounds = column.bounds
    low, high = spec.get("low", bounds and bounds.low), spec.get("high", bounds and bounds.high)
    if low is None or high is None:
        raise ConfigError("intervals need declared bounds. Write for example bounds = [0, 100] for the column.")
    if bounds is not None and (low, high) != (bounds.low, bounds.high):
        raise ConfigError(
            f"its range [{low}, {high}] differs from the column's bounds [{bounds.low}, {bounds.high}]. Leave out low and high."
        )
    return low, high


def _default(column: Column) -> Hierarchy:
    if column.bounds is not None:
        return _doubling(column.bounds)
    if column.categories is not None:
        return TreeHierarchy(rows=tuple((value,) for value in column.categories.values))
    raise ConfigError(
        "there is none, and neither bounds nor categories are declared to build one from; values of the data are "
        "never used. Write "
        "hierarchy = { groups = { ... } }, or bounds = [low, high], or categories = [...] for the column."
    )


def _doubling(bounds: Bounds) -> IntervalHierarchy:
    """Return intervals of a round width (1, 2 or 5 times a power of ten; at most 16 of them), doubled until one is left."""
    span = bounds.high - bounds.low
    power = 10.0 ** math.floor(math.log10(span / 16))
    width = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= span / 16 * (1 - 1e-12))
    widths = []
    while width < span:
        widths.append(width)
        width *= 2
    return IntervalHierarchy.from_widths(bounds.low, bounds.high, widths)


def _covers(hierarchy: TreeHierarchy, categories: Categories) -> None:
    leaves = {row[0] for row in hierarchy.rows}
    missing = [value for value in categories.values if value not in leaves]
    if missing:
        raise ConfigError(f"the declared categories {missing[:10]} have no place in it. Add them, or correct the categories.")
