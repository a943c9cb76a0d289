"""An independent check of a release: restates each requirement from its definition, on the released table itself.

It shares no code with the search: it imports only errors (and tables), and takes plain values (tables, JSON). It does not
know how a release was found, only what must be true of it. What it cannot check, it reports as a problem.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tacit.errors import PrivacyError


@dataclass(frozen=True, kw_only=True)
class Recoding:
    """What the release is meant to have done to the original rows.

    original    -- the table before.
    hierarchies -- per quasi-identifier its JSON form: {"low", "high", "cuts"} or {"rows"}.
    levels      -- per quasi-identifier the level released: 0 is the raw value, the last is "*".
    """

    original: pa.Table
    hierarchies: Mapping[str, Mapping[str, Any]]
    levels: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What an independent check found; a release with a problem must not leave.

    checks -- what was checked; problems -- what was wrong, in words without values of the data.
    """

    checks: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems

    def require(self) -> None:
        """Raise PrivacyError unless the release passed."""
        if self.problems:
            raise PrivacyError(
                f"the independent check refused the release: {'; '.join(self.problems)}. Nothing may leave: the table "
                "does not keep its "
                "promise. Please report this as a fault of tacit, with the settings."
            )


def verify_release(
    released: pa.Table,
    *,
    quasi: Sequence[str],
    require: Sequence[Mapping[str, Any]],
    original_rows: int,
    suppression_limit: float,
    recoding: Recoding | None = None,
) -> Verification:
    """Return whether a released table keeps its promise.

    quasi             -- the quasi-identifiers: rows equal in all of them are one class; missing equals missing only.
    require           -- privacy models in their JSON form: {"model": "k-anonymity", "k": 5}.
    original_rows     -- rows before suppression; suppression_limit -- largest share of them that may be missing.
    recoding          -- when given, also checks that every released row is an original row at the declared levels, no row
                         more often than there.
    """
    plain = pa.table({name: _plain(released.column(name)) for name in released.column_names})
    problems: list[str] = []
    absent = [name for name in quasi if name not in plain.column_names]
    if absent or not quasi:
        problems.append(f"the quasi-identifiers {absent} are not in the release" if absent else "no quasi-identifier was named")
    else:
        problems += [problem for model in require for problem in _model_problems(plain, quasi, model)]
    problems += [] if require else ["no privacy model was required"]
    problems += _suppression_problems(plain.num_rows, original_rows, suppression_limit)
    checks = [*(str(model.get("model")) for model in require), "suppression limit"]
    if recoding is not None:
        checks.append("recoding")
        problems += [] if absent or not quasi else _recoding_problems(plain, quasi, recoding)
    return Verification(checks=tuple(checks), problems=tuple(problems))


def _model_problems(released: pa.Table, quasi: Sequence[str], model: Mapping[str, Any]) -> list[str]:
    """k-anonymity (Sweeney 2002, Definition 3): each sequence of quasi-identifier values occurs at least k times."""
    if model.get("model") != "k-anonymity" or not isinstance(model.get("k"), int):
        return [f"the requirement {dict(model)} is not one this check knows"]
    sizes = released.group_by(list(quasi)).aggregate([([], "count_all")]).column("count_all")
    small = int(pc.sum(pc.less(sizes, model["k"])).as_py() or 0)
    return [f"{small} of {len(sizes)} classes have fewer than {model['k']} rows"] if small else []


def _suppression_problems(kept: int, rows: int, limit: float) -> list[str]:
    """Rows left out may be at most floor(limit * rows), with limit as the decimal number it is written as."""
    most = int(Decimal(str(limit)) * rows)
    if not 0 <= rows - kept <= most:
        return [f"{rows - kept} of {rows} rows are left out, where {most} may be"]
    return []


def _recoding_problems(released: pa.Table, quasi: Sequence[str], recoding: Recoding) -> list[str]:
    expected, problems = {}, []
    for name in released.column_names:
        if name not in recoding.original.column_names:
            return [f"column {name!r} is released but is not in the original"]
        column = _plain(recoding.original.column(name))
        if name in quasi:
            column = _generalized(column, recoding.hierarchies[name], recoding.levels[name])
        if column.type != released.column(name).type:
            return [f"column {name!r} is {released.column(name).type}, where its level gives {column.type}"]
        if not pc.all(pc.is_in(released.column(name), value_set=pc.unique(column))).as_py() and released.num_rows:
            problems.append(f"column {name!r} holds values that its declared level does not give")
        expected[name] = column
    if problems:
        return problems
    more = _rows_beyond(released, pa.table(expected))
    return [f"{more} released rows are not original rows at the declared levels"] if more else []


def _rows_beyond(released: pa.Table, expected: pa.Table) -> int:
    """Return how many released rows occur more often than among the expected ones (a difference of multisets)."""
    names = released.column_names
    sign = "".join(names) + " "  # longer than every name, so not one of them
    both = pa.concat_tables(
        [
            released.append_column(sign, pa.array([1] * released.num_rows, pa.int64())),
            expected.append_column(sign, pa.array([-1] * expected.num_rows, pa.int64())),
        ]
    )
    balance = both.group_by(names).aggregate([(sign, "sum")]).column(f"{sign}_sum")
    return int(pc.sum(pc.max_element_wise(balance, 0)).as_py() or 0)


def _generalized(column: pa.Array, hierarchy: Mapping[str, Any], level: int) -> pa.Array:
    """Return a column at a level, from the hierarchy's definition; missing stays missing below the last level."""
    last = len(hierarchy["rows"][0]) - 1 if "rows" in hierarchy else len(hierarchy["cuts"]) + 1
    if level == 0:
        return column
    if level == last:
        return pa.array(["*"] * len(column), pa.string())
    coded = column.dictionary_encode()
    values = coded.dictionary.to_pylist()
    label = _labels_of_rows(hierarchy["rows"], level) if "rows" in hierarchy else _labels_of_cuts(hierarchy, level)
    return pa.array([label(value) for value in values], pa.string()).take(coded.indices)


def _labels_of_rows(rows: Sequence[Sequence[str]], level: int) -> Callable[[Any], str | None]:
    """A value's label is the entry of its row at the level; numbers match by number, everything else by its text."""
    by_text = {row[0]: row[level] for row in rows}
    by_number = {_as_float(row[0]): row[level] for row in rows if _as_float(row[0]) is not None}

    def label(value: Any) -> str | None:
        number = None if isinstance(value, str | bool) else _as_float(value)
        return by_text.get(_word(value)) if number is None else by_number.get(number)

    return label


def _labels_of_cuts(hierarchy: Mapping[str, Any], level: int) -> Callable[[Any], str | None]:
    """A value's label is the interval that holds it: lower end in, upper end out, the last interval closed."""
    low, high, cuts = float(hierarchy["low"]), float(hierarchy["high"]), [float(cut) for cut in hierarchy["cuts"][level - 1]]
    edges = [low, *cuts, high]

    def label(value: Any) -> str | None:
        number = float(value)
        place = bisect_right(cuts, number)
        end = "]" if place == len(cuts) else ")"
        return f"[{_word(edges[place])}, {_word(edges[place + 1])}{end}" if low <= number <= high else None

    return label


def _as_float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _word(value: Any) -> str:
    """Return a value as hierarchies write it: true, 5, 17.5."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, dictionaries decoded, NaN as missing."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
