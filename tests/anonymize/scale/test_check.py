"""The check counts the file itself: a row more, a row less, a value changed, a class too small, each is a problem."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tacit.anonymize.hierarchies import IntervalHierarchy

pytest.importorskip("duckdb", reason="not run: ibis and duckdb")

from tacit.anonymize.scale.check import Promise, check_file

NAMES = ('a "b" [c]', "ill")
ORIGINAL = pa.table([[11, 12, 25, None, 39], ["flu", "cold", "flu", "flu", "flu"]], names=NAMES)
RELEASED = pa.table([["[0, 20)", "[0, 20)", "[20, 40]", None, "[20, 40]"], ORIGINAL.column("ill")], names=NAMES)
ROWS = np.array([2, 1, 3, 2, 1])
KEPT = np.array([True, True, True, False, True])
PROMISE = Promise(
    quasi=NAMES[:1],
    sensitive=NAMES[1:],
    require=({"model": "k-anonymity", "k": 3}, {"model": "alpha-k", "column": "ill", "alpha": 1.0, "k": 3}),
    suppression_limit=0.23,
    hierarchies={NAMES[0]: IntervalHierarchy.from_widths(0, 40, [20]).to_json()},
    levels={NAMES[0]: 1},
    original=ORIGINAL,
    read=RELEASED,
    released=RELEASED,
    rows=ROWS,
    kept=KEPT,
)


def problems(folder: Path, promise: Promise, change: Callable[[pa.Table], pa.Table] = lambda table: table) -> str:
    """Write the file that is promised, changed, and return what the check says."""
    rows = np.repeat(np.flatnonzero(KEPT), ROWS[KEPT])
    pq.write_table(change(RELEASED.take(pa.array(rows))), folder / "file.parquet")
    return "; ".join(check_file(folder / "file.parquet", promise, scratch=folder, memory_limit=None, threads=1).problems)


def test_what_is_promised_passes_with_equality(tmp_path: Path) -> None:
    assert problems(tmp_path, PROMISE) == ""


def changed(table: pa.Table, column: int, row: int, value: Any) -> pa.Table:
    values = table.column(column).to_pylist()
    values[row] = value
    return table.set_column(column, table.column_names[column], pa.array(values, pa.string()))


@pytest.mark.parametrize(
    "change",
    [
        lambda table: pa.concat_tables([table, table.slice(0, 1)]),
        lambda table: table.slice(1),
        lambda table: changed(table, 0, 0, None),
        lambda table: changed(table, 0, 0, "[20, 40]"),
        lambda table: changed(table, 1, 0, "cold"),
    ],
)
def test_a_file_with_other_rows_than_promised_is_refused(tmp_path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    assert "in the file than in the original" in problems(tmp_path, PROMISE, change)


@pytest.mark.parametrize("values", [pa.array(range(7)), pa.array(["flu", "flu", "cold", *["flu"] * 4], pa.large_string())])
def test_values_of_another_type_are_told_before_they_are_compared(tmp_path: Path, values: pa.Array) -> None:
    assert "['ill'] have other types" in problems(tmp_path, PROMISE, lambda table: table.set_column(1, "ill", values))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"require": ({"model": "k-anonymity", "k": 4},)}, "1 of 2 classes have fewer than 4 rows"),
        ({"require": ({"model": "k-anonymity", "k": "4"},)}, "not one this check knows"),
        ({"require": ({"model": "alpha-k", "column": "ill", "alpha": 0.9, "k": 3},)}, "alpha|column 'ill'|classes"),
        ({"require": ({"model": "distinct-l-diversity", "column": "ill", "l": 2},)}, "l-diversity|values|classes"),
        ({"require": ({"model": "invented"},)}, "not one this check knows"),
        ({"suppression_limit": 0.22, "require": PROMISE.require[:1]}, "2 of 9 rows are left out, where 1 may be"),
        ({"levels": {NAMES[0]: 2}}, "declared level"),
        ({"hierarchies": {NAMES[0]: IntervalHierarchy.from_widths(0, 40, [10]).to_json()}}, "declared level"),
        ({"original": ORIGINAL.set_column(0, NAMES[0], pa.array([21, 12, 25, None, 39]))}, "not original rows"),
    ],
)
def test_a_promise_that_the_file_does_not_keep_is_refused(tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(problems(tmp_path, replace(PROMISE, **wrong)))


def test_what_values_cover_is_taken_from_the_file_for_profitability(tmp_path: Path) -> None:
    """Half of a domain of 5 (a gap counts) keeps ln 2 / ln 5 = 0.4307 of a benefit of 10; an attack on 3 costs loss / 3.

    12 / 3 = 4 < 4.307 < 4.333 = 13 / 3; on 4, 13 / 4 = 3.25.
    """
    form = {"model": "profitability", "benefit": 10.0, "loss": 12.0, "gain": 10.0, "cost": 1.0, "attacker": "prosecutor"}
    assert problems(tmp_path, replace(PROMISE, require=(form,))) == ""
    assert "1 of 2 classes cost" in problems(tmp_path, replace(PROMISE, require=({**form, "loss": 13.0},)))
    assert "2 of 2 classes cost" in problems(tmp_path, replace(PROMISE, require=({**form, "loss": 18.0},)))


def test_models_compare_with_the_whole_input_rows_left_out_included(tmp_path: Path) -> None:
    """In the class of 3, cold has 1/3: twice more than its share 1/9 of all nine rows, 4/3 more than its 1/7 of the seven released."""
    form = {"model": "basic-beta-likeness", "column": "ill", "beta": 2.0}
    assert problems(tmp_path, replace(PROMISE, require=(form,))) == ""
    assert problems(tmp_path, replace(PROMISE, require=({**form, "beta": 1.5},))) != ""
