"""A hierarchy as a user writes it, in `study.toml` or in JSON.

    hierarchy = { widths = [5, 10, 20] }                              # intervals counted from the column's lower bound
    hierarchy = { cuts = [[20, 25, 30, 35, 40], [30]] }               # the breakpoints of each level, finest first
    hierarchy = { groups = { manual = [1, 2], office = [3, 4, 5] } }  # one level, or several: groups inside groups
    hierarchy = { rows = [["a", "north"], ["b", "north"]] }           # a row per value, from the value to its coarsest group
    hierarchy = { file = "education.csv" }                            # such rows in a CSV file (ARX's format)
    hierarchy = { order = ["low", "mid", "high", "top"], runs = [2] } # neighbours in a declared order, merged in runs
    hierarchy = { redact = [2, 3], length = 5 }                       # characters replaced: 02139, 021**, 02***, *
    hierarchy = { units = ["month", "year"], first = "1920-01-01", last = "2020-12-31" }  # the period that holds a date

Level 0 (the value itself) and the last level ("*") are always there and never written. Without `hierarchy`, a column with
declared bounds gets intervals of doubling width, one with declared categories goes from the value straight to "*". All of it
is declared: nothing here looks at the data (a hierarchy that was built from them is read back as such: `origin = "data"`).
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tacit.anonymize.hierarchies import (
    DateHierarchy,
    Hierarchy,
    IntervalHierarchy,
    RedactionHierarchy,
    TreeHierarchy,
    from_declaration,
)
from tacit.errors import ConfigError
from tacit.tables.schema import Categories, Column

_KEYS: dict[str, tuple[str, ...]] = {  # kind: what may stand beside it
    "widths": ("low", "high"),
    "cuts": ("low", "high", "origin"),
    "groups": (),
    "rows": ("origin",),
    "file": (),
    "order": ("runs",),
    "redact": ("length", "side", "align", "pad", "alphabet", "origin"),
    "units": ("first", "last", "origin"),
}


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
    if len(kinds) != 1 or any(key not in (kinds[0], *_KEYS[kinds[0]]) for key in spec):
        known = {*_KEYS, *(key for beside in _KEYS.values() for key in beside)}
        close = [
            f"{key!r} looks like {match[0]!r}"
            for key in spec
            if key not in known and (match := difflib.get_close_matches(key, known, n=1))
        ]
        hint = f" ({'; '.join(close)})" if close else ""
        raise ConfigError(
            f"give exactly one of {', '.join(_KEYS)}, and what belongs to it; got {list(spec)}{hint}. "
            "For example { widths = [5, 10, 20] }."
        )
    kind = kinds[0]
    try:
        return _build(column, kind, spec, folder)
    except TypeError:
        raise ConfigError(
            f"`{kind}` has the wrong form or lacks what belongs to it ({', '.join(_KEYS[kind]) or 'nothing'}): "
            f"{str(dict(spec))[:80]!r}. See the spellings in `tacit.anonymize.hierarchy_spec`."
        ) from None


def _build(column: Column, kind: str, spec: Mapping[str, Any], folder: Path) -> Hierarchy:
    value, beside = spec[kind], {key: spec[key] for key in spec if key != kind}
    match kind:
        case "widths":
            return IntervalHierarchy.from_widths(*_range(column, spec), value)
        case "cuts":
            low, high = _range(column, spec)
            cuts = tuple(tuple(level) for level in value)
            return IntervalHierarchy(low=low, high=high, cuts=cuts, origin=spec.get("origin", "declared"))
        case "groups":
            return TreeHierarchy.from_groups(value)
        case "rows":
            return TreeHierarchy(rows=tuple(tuple(row) for row in value), **beside)
        case "order":
            return TreeHierarchy.from_order(value, **{"runs": (), **beside})
        case "redact":
            return RedactionHierarchy(redact=tuple(value), **beside)
        case "units":
            return DateHierarchy(units=tuple(value), **beside)
        case _:
            return TreeHierarchy.from_csv(folder / value)


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
    hierarchy = from_declaration(column)
    if hierarchy is None:
        raise ConfigError(
            "there is none, and neither bounds nor categories are declared to build one from; values of the data are "
            "never used. Write hierarchy = { groups = { ... } }, or bounds = [low, high], or categories = [...] for the column."
        )
    return hierarchy


def _covers(hierarchy: TreeHierarchy, categories: Categories) -> None:
    leaves = {row[0] for row in hierarchy.rows}
    missing = [value for value in categories.values if value not in leaves]
    if missing:
        raise ConfigError(f"the declared categories {missing[:10]} have no place in it. Add them, or correct the categories.")
