"""Planted defects: each is a release that a broken search could have made, and each must be caught."""

import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest

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
    assert set(eval(loaded)) == {"tacit.anonymize", "tacit.anonymize.verify", "tacit.errors"}  # noqa: S307 - our own output
