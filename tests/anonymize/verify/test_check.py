"""Planted defects: each is a release that a broken search could have made, and each must be caught."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tacit.anonymize.verify
from tacit.anonymize.verify import Recoding, verify_release
from tacit.errors import PrivacyError

ORIGINAL = pa.table(
    {
        "age": [21.0, 22.0, 27.0, 34.0, 36.0, 39.0, None, None, None, 40.0],
        "job": ["1", "2", "1", "1", "2", "1", "1", "1", "1", "3"],
        "ill": [0, 1, 0, 1, 0, 1, 0, 1, 0, 1],
    }
)
HIERARCHIES: dict[str, dict[str, Any]] = {
    "age": {"low": 0.0, "high": 40.0, "cuts": [[10.0, 20.0, 30.0], [20.0]]},
    "job": {"rows": [["1", "low", "*"], ["2", "low", "*"], ["3", "high", "*"]]},
}
RECODING = Recoding(original=ORIGINAL, hierarchies=HIERARCHIES, levels={"age": 1, "job": 1})
GOOD = pa.table(
    {
        "age": ["[20, 30)"] * 3 + ["[30, 40]"] * 3 + [None] * 3,
        "job": ["low"] * 9,
        "ill": [0, 1, 0, 1, 0, 1, 0, 1, 0],
    }
)


def verify(table: pa.Table, *, k: Any = 3, limit: float = 0.1, recoding: Any = RECODING, quasi: Any = ("age", "job")) -> Any:
    model = {"model": "k-anonymity", "k": k}
    return verify_release(table, quasi=quasi, require=[model], original_rows=10, suppression_limit=limit, recoding=recoding)


def replaced(column: Any, row: int, value: Any) -> Any:
    values = GOOD.column(column).to_pylist()
    values[row] = value
    return GOOD.set_column(GOOD.column_names.index(column), column, pa.array(values, GOOD.schema.field(column).type))


def test_an_honest_release_passes() -> None:
    assert verify(GOOD).problems == ()
    assert verify(GOOD).checks == ("k-anonymity", "suppression limit", "recoding")
    verify(GOOD).require()


def test_one_row_of_a_suppressed_class_left_in_is_caught() -> None:
    left_in = pa.concat_tables([GOOD, pa.table({"age": ["[30, 40]"], "job": ["high"], "ill": [1]})])
    assert verify(left_in).problems == ("1 of 4 classes have fewer than 3 rows",)


def test_a_class_one_row_short_is_caught() -> None:
    assert verify(GOOD.slice(1), limit=0.2).problems == ("1 of 3 classes have fewer than 3 rows",)


def test_missing_is_not_a_wildcard() -> None:
    two_missing = replaced("age", 8, "[20, 30)")
    assert verify(two_missing, recoding=None).problems == ("1 of 3 classes have fewer than 3 rows",)


def test_more_suppressed_than_allowed_is_caught() -> None:
    assert verify(GOOD.slice(3)).problems == ("4 of 10 rows are left out, where 1 may be",)
    assert verify(GOOD, limit=0.09).problems == ("1 of 10 rows are left out, where 0 may be",)


def test_more_rows_than_there_were_is_caught() -> None:
    doubled = pa.concat_tables([GOOD, GOOD])
    assert verify(doubled).problems == (
        "-8 of 10 rows are left out, where 1 may be",
        "9 released rows are not original rows at the declared levels",
    )


def test_a_cell_more_specific_than_its_level_is_caught() -> None:
    problems = verify(replaced("age", 0, "[20, 22)")).problems
    assert "column 'age' holds values that its declared level does not give" in problems


def test_a_whole_column_left_raw_is_caught() -> None:
    raw = GOOD.set_column(0, "age", pa.array([25.0] * 3 + [35.0] * 3 + [None] * 3))
    assert verify(raw).problems == ("column 'age' is double, where its level gives string",)


def test_a_level_other_than_the_one_stated_is_caught() -> None:
    other = Recoding(original=ORIGINAL, hierarchies=HIERARCHIES, levels={"age": 2, "job": 1})
    assert verify(GOOD, recoding=other).problems == ("column 'age' holds values that its declared level does not give",)


def test_a_row_moved_to_another_class_is_caught() -> None:
    assert verify(replaced("age", 0, "[30, 40]"), k=2).problems == (
        "1 released rows are not original rows at the declared levels",
    )


def test_a_sensitive_value_moved_to_another_row_is_caught() -> None:
    assert verify(replaced("ill", 0, 1)).problems == ("1 released rows are not original rows at the declared levels",)


def test_an_invented_column_is_caught() -> None:
    invented = GOOD.append_column("extra", pa.array([0] * 9))
    assert verify(invented).problems == ("column 'extra' is released but is not in the original",)


def test_what_cannot_be_checked_is_a_problem() -> None:
    assert verify(GOOD, quasi=("age", "zip")).problems == ("the quasi-identifiers ['zip'] are not in the release",)
    assert verify(GOOD, quasi=()).problems == ("no quasi-identifier was named",)
    unknown = verify_release(GOOD, quasi=["age"], require=[{"model": "magic"}], original_rows=10, suppression_limit=0.1)
    assert "not one this check knows" in unknown.problems[0]
    nothing = verify_release(GOOD, quasi=["age"], require=[], original_rows=10, suppression_limit=0.1)
    assert nothing.problems == ("no privacy model was required",)


def test_require_stops_a_release_with_a_problem() -> None:
    with pytest.raises(PrivacyError, match="Nothing may leave"):
        verify(GOOD.slice(1)).require()


def test_the_top_level_covers_missing_values() -> None:
    top = Recoding(original=ORIGINAL, hierarchies=HIERARCHIES, levels={"age": 3, "job": 2})
    table = pa.table({"age": ["*"] * 10, "job": ["*"] * 10, "ill": ORIGINAL.column("ill")})
    assert verify(table, recoding=top).ok


def test_the_check_imports_neither_search_nor_hierarchies() -> None:
    program = "import sys, tacit.anonymize.verify; print([m for m in sys.modules if m.startswith('tacit.')])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    others = {name for name in eval(loaded) if not name.startswith("tacit.anonymize.verify")}  # noqa: S307 - our own output
    assert others == {"tacit.anonymize", "tacit.errors"}


UNKNOWN: list[dict[str, Any]] = [
    {"model": "magic", "k": 3},
    {"k": 3},
    {"model": ["k-anonymity"], "k": 3},
    {"model": "k-anonymity"},
    {"model": "k-anonymity", "k": 3.0},
    {"model": "k-anonymity", "k": True},
    {"model": "k-anonymity", "k": "3"},
    {"model": "k-anonymity", "k": 0},
    {"model": "k-anonymity", "k": 3, "unless": "rare"},
    {"model": "average-risk", "threshold": float("nan")},
    {"model": "entropy-l-diversity", "column": "ill", "l": 1},
    {"model": "delta-disclosure", "column": "ill", "delta": 1},
    {"model": "delta-disclosure", "column": "ill", "delta": 1, "base": 10},
    {"model": "t-closeness", "column": "ill", "t": 0.2, "distance": "manhattan"},
    {"model": "estimated-k-map", "k": 2, "population_size": 50, "significance": 0.1, "estimator": "normal"},
]


@pytest.mark.parametrize("form", UNKNOWN, ids=str)
def test_a_requirement_of_an_unknown_form_is_a_problem(form: Any) -> None:
    found = verify_release(GOOD, quasi=["age", "job"], require=[form], original_rows=10, suppression_limit=0.1, original=ORIGINAL)
    assert len(found.problems) == 1
    assert "not one this check knows" in found.problems[0]


@pytest.mark.parametrize(
    "form",
    [
        {"model": "t-closeness", "column": "ill", "t": 0.5, "distance": "ordered"},
        {"model": "t-closeness", "column": "ill", "t": 0.5, "distance": "hierarchical"},
        {"model": "t-closeness", "column": "ill", "t": 0.5, "distance": "equal", "order": ["0", "1"]},
        {"model": "t-closeness", "column": "ill", "t": 0.9, "distance": "ordered", "order": ["0"]},
        {"model": "t-closeness", "column": "ill", "t": 0.9, "distance": "ordered", "order": ["0", "1", "0"]},
        {"model": "t-closeness", "column": "ill", "t": 0.9, "distance": "hierarchical", "tree": [["0", "none"]]},
        {"model": "distinct-l-diversity", "column": "job", "l": 1},
        {"model": "distinct-l-diversity", "column": "income", "l": 1},
        {"model": "basic-beta-likeness", "column": "income", "beta": 9},
        {"model": "lkc", "column": "income", "l": 1, "k": 1, "c": 1},
        {"model": "k-map", "k": 1},
        {"model": "delta-presence", "d_min": 0, "d_max": 1},
        {"model": "km-anonymity", "k": 1, "m": 1},
        {"model": "estimated-k-map", "k": 2, "population_size": 9, "significance": 0.1, "estimator": "poisson"},
        {"model": "population-uniqueness", "threshold": 0.9, "population_size": 9, "estimator": "dankar"},
    ],
    ids=str,
)
def test_what_a_requirement_needs_and_has_not_is_a_problem(form: Any) -> None:
    found = verify_release(GOOD, quasi=["age", "job"], require=[form], original_rows=10, suppression_limit=0.1, original=ORIGINAL)
    assert len(found.problems) >= 1


OF_THE_INPUT: list[dict[str, Any]] = [
    {"model": "t-closeness", "column": "ill", "t": 0.9, "distance": "equal"},
    {"model": "basic-beta-likeness", "column": "ill", "beta": 9},
    {"model": "enhanced-beta-likeness", "column": "ill", "beta": 9},
    {"model": "delta-disclosure", "column": "ill", "delta": 9, "base": 2},
]


@pytest.mark.parametrize("form", OF_THE_INPUT, ids=str)
def test_shares_of_the_input_need_the_input_and_all_of_it(form: Any) -> None:
    def found(**more: Any) -> tuple[str, ...]:
        return verify_release(
            GOOD, quasi=["age", "job"], require=[form], original_rows=10, suppression_limit=0.1, **more
        ).problems

    assert found(original=ORIGINAL) == ()
    assert "the input is not at hand" in found()[0]
    assert "the original has not the 10 rows" in found(original=GOOD)[0]  # the kept rows only


def test_a_row_count_that_the_original_has_not_is_a_problem() -> None:
    """Stating fewer original rows would hide suppressed ones."""
    hidden = verify_release(
        GOOD.slice(0, 6),
        quasi=["age"],
        require=[{"model": "k-anonymity", "k": 3}],
        original_rows=6,
        suppression_limit=0,
        recoding=RECODING,
    )
    assert "the original has not the 6 rows" in hidden.problems[0]


def test_columns_of_one_name_are_a_problem() -> None:
    doubled = pa.Table.from_arrays([*GOOD.columns, GOOD.column("age")], names=[*GOOD.column_names, "age"])
    assert verify(doubled).problems == ("two columns of the release have one name",)


def test_a_model_that_the_search_dropped_is_missed() -> None:
    """3-anonymous, and one class of one value: a search that had dropped the second model would have released it."""
    require = [{"model": "k-anonymity", "k": 3}, {"model": "distinct-l-diversity", "column": "ill", "l": 2}]
    asked: Any = {"quasi": ["age", "job"], "require": require, "original_rows": 10, "suppression_limit": 0.1}
    assert verify_release(GOOD, **asked).ok
    alike = GOOD.set_column(2, "ill", pa.array([0, 0, 0, 0, 1, 0, 1, 0, 1]))
    assert verify_release(alike, **asked).problems == ("1 of 3 classes hold fewer than 2 values of column 'ill'",)


def test_no_problem_tells_a_value() -> None:
    secret = pa.table({"age": ["hidden-1", "hidden-2"], "job": ["low", "low"], "ill": [0, 1]})
    assert "hidden" not in " ".join(verify(secret, limit=0.9).problems)


def test_an_empty_release_has_suppressed_everything() -> None:
    assert verify(GOOD.slice(9)).problems == ("10 of 10 rows are left out, where 1 may be",)


def test_no_module_of_the_check_imports_another_part_of_tacit_even_later() -> None:
    folder = Path(str(tacit.anonymize.verify.__file__)).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                allowed = ("tacit.errors", "tacit.tables", "tacit.anonymize.verify.")
                assert not name.startswith("tacit") or name.startswith(allowed), (path.name, name)
