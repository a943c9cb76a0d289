"""What hierarchies write, restated from their JSON forms, beside what they do write."""

import datetime
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import DateHierarchy, IntervalHierarchy, RedactionHierarchy, TreeHierarchy
from tacit.anonymize.verify.labels import at_level, last_level
from tacit.errors import PrivacyError

UNITS: Any = ("day", "month", "quarter", "year", "decade")
DAYS = [datetime.date(1999, 12, 31), datetime.date(2004, 1, 1), datetime.date(2009, 5, 17)]
ISO = pa.array(["2004-01-01", "2009-05-17 23:59:00"])
NUMBERS: Any = [0, 2, 3.5, 10]
EVERY: list[tuple[Any, pa.Array]] = [
    (IntervalHierarchy(low=0, high=10, cuts=((2, 4, 6.5), (4,))), pa.array(NUMBERS)),
    (IntervalHierarchy(low=0, high=10, cuts=((2, 4),)), pa.array([0, 2, 9])),
    (TreeHierarchy(rows=(("1", "odd"), ("2.5", "odd"), ("4", "even"))), pa.array([1, 2.5, 4])),
    (TreeHierarchy(rows=(("true", "yes"), ("false", "no"))), pa.array([True, False])),
    (RedactionHierarchy(length=4, redact=(1, 3), side="left", align="right", pad="0"), pa.array([12, 1234])),
    (RedactionHierarchy(length=4, redact=(1, 3)), pa.array(["ab", "abcd", ""])),
    (DateHierarchy(first="1999-01-01", last="2009-12-31", units=UNITS), pa.array(DAYS)),  # type: ignore[arg-type]
    (DateHierarchy(first="1999-01-01", last="2009-12-31", units=("day", "week")), pa.array(DAYS)),  # type: ignore[arg-type]
    (DateHierarchy(first="1999-01-01", last="2009-12-31"), ISO),  # type: ignore[arg-type]
    (
        DateHierarchy(first="1999-01-01", last="2009-12-31", units=UNITS),  # type: ignore[arg-type]
        pa.array([1_072_915_199_999_999_999], pa.timestamp("ns", "America/Lima")),
    ),
]


@pytest.mark.parametrize(("hierarchy", "values"), EVERY, ids=[type(h).__name__ for h, _ in EVERY])
def test_every_kind_of_hierarchy_is_restated(hierarchy: Any, values: pa.Array) -> None:
    form = hierarchy.to_json()
    assert last_level(form) == hierarchy.levels - 1
    assert at_level(values, form, 0) is values
    for level in range(1, hierarchy.levels - 1):
        with_missing = pa.concat_arrays([values, pa.nulls(1, values.type)])
        assert at_level(with_missing, form, level).to_pylist() == [*hierarchy.generalize(values, level)[0], None]
    assert set(at_level(values, form, hierarchy.levels - 1).to_pylist()) == {"*"}


WRONG: list[tuple[dict[str, Any], pa.Array, int]] = [
    ({"low": 0, "high": 9, "cuts": [[5]]}, pa.array([10]), 1),
    ({"low": 0, "high": 9, "cuts": [[5]]}, pa.array(["5"]), 1),
    ({"rows": [["a", "x", "*"]]}, pa.array(["b"]), 1),
    ({"rows": [["a", "x"]]}, pa.array(["a"]), 1),
    ({"rows": [["a", "x", "*"]]}, pa.array(["a"]), 3),
    ({"rows": [["a", "x", "*"]]}, pa.array(["a"]), True),
    ({"rows": [["a", "x", "*"]], "cuts": []}, pa.array(["a"]), 1),
    ({"prefix": 3}, pa.array(["a"]), 1),
    (RedactionHierarchy(length=2, redact=(1,)).to_json(), pa.array(["abc"]), 1),
    ({"first": "2000-01-01", "last": "2000-12-31", "units": ["year"]}, pa.array([datetime.date(2001, 1, 1)]), 1),
    ({"first": "2000-01-01", "last": "2000-12-31", "units": ["age"]}, pa.array([datetime.date(2000, 1, 1)]), 1),
]


@pytest.mark.parametrize(("form", "values", "level"), WRONG, ids=str)
def test_what_has_no_place_is_refused_never_missing(form: Any, values: pa.Array, level: int) -> None:
    with pytest.raises(PrivacyError):
        at_level(values, form, level)
