import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tacit.anonymize.hierarchies import IntervalHierarchy, TreeHierarchy
from tacit.anonymize.hierarchy_spec import hierarchy_for
from tacit.errors import ConfigError
from tacit.tables.schema import Bounds, Categories, Column, Kind, Role


def numeric(low: float = 0.0, high: float = 100.0) -> Any:
    return Column(name="age", role=Role.QUASI, kind=Kind.NUMERIC, bounds=Bounds(low=low, high=high))


def categorical(*values: Any) -> Any:
    return Column(name="region", role=Role.QUASI, kind=Kind.CATEGORICAL, categories=Categories(values=values) if values else None)


@pytest.mark.parametrize(
    ("toml", "column", "form"),
    [
        ("h = { widths = [25, 50] }", numeric(), {"low": 0.0, "high": 100.0, "cuts": [[25.0, 50.0, 75.0], [50.0]]}),
        ("h = { cuts = [[18, 65], [65]] }", numeric(), {"low": 0.0, "high": 100.0, "cuts": [[18.0, 65.0], [65.0]]}),
        ("h = { groups = { x = ['a', 'b'] } }", categorical("a", "b"), {"rows": [["a", "x", "*"], ["b", "x", "*"]]}),
        ("h = { groups = { low = [9, 12] } }", numeric(), {"rows": [["9", "low", "*"], ["12", "low", "*"]]}),
        ("h = { rows = [['a', 'x'], ['b', 'x']] }", categorical("a"), {"rows": [["a", "x", "*"], ["b", "x", "*"]]}),
        ("h = { widths = [5], low = 0, high = 10 }", categorical(), {"low": 0.0, "high": 10.0, "cuts": [[5.0]]}),
        (
            "h = { order = ['a', 'b', 'c'], runs = [2] }",
            categorical("a"),
            {"rows": [["a", "a to b", "*"], ["b", "a to b", "*"], ["c", "c", "*"]]},
        ),
        (
            "h = { redact = [2, 3], length = 5 }",
            categorical(),
            {"redact": [2, 3], "length": 5, "side": "right", "align": "left", "pad": " ", "alphabet": 10},
        ),
        (
            "h = { units = ['month', 'year'], first = 1920-01-01, last = '2020-12-31' }",
            categorical(),
            {"first": "1920-01-01", "last": "2020-12-31", "units": ["month", "year"]},
        ),
        (
            "h = { cuts = [[5]], low = 0, high = 10, origin = 'data' }",
            categorical(),
            {"low": 0.0, "high": 10.0, "cuts": [[5.0]], "origin": "data"},
        ),
    ],
)
def test_every_spelling_gives_its_hierarchy_and_the_json_form_reads_back(toml: str, column: Any, form: Any) -> None:
    hierarchy = hierarchy_for(column, tomllib.loads(toml)["h"])
    assert hierarchy.to_json() == form
    assert hierarchy_for(column, json.loads(json.dumps(form))) == hierarchy


def test_a_file_is_looked_for_in_the_given_folder(tmp_path: Path) -> None:
    (tmp_path / "tree.csv").write_text("a;x\nb;x\n", encoding="utf-8")
    assert hierarchy_for(categorical("a"), {"file": "tree.csv"}, folder=tmp_path).to_json()["rows"] == [
        ["a", "x", "*"],
        ["b", "x", "*"],
    ]


def test_without_a_spelling_bounds_give_doubling_round_widths() -> None:
    hierarchy = hierarchy_for(numeric(0, 100))
    assert isinstance(hierarchy, IntervalHierarchy)
    assert hierarchy.to_json()["cuts"] == [list(range(10, 100, 10)), list(range(20, 100, 20)), [40, 80], [80]]
    assert hierarchy_for(numeric(0, 1)).to_json()["cuts"][0][0] == 0.1
    assert hierarchy_for(numeric(17, 43)).to_json()["cuts"][0] == list(range(19, 43, 2))


def test_without_a_spelling_categories_go_straight_to_the_top() -> None:
    hierarchy = hierarchy_for(categorical("a", "b"))
    assert isinstance(hierarchy, TreeHierarchy)
    assert hierarchy.rows == (("a", "*"), ("b", "*"))


def test_t16_a_missing_hierarchy_names_the_column_and_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"column 'region'.*groups.*bounds.*categories"):
        hierarchy_for(categorical())


@pytest.mark.parametrize(
    ("column", "spec", "says"),
    [
        (numeric(), {"width": [5]}, "'width' looks like 'widths'"),
        (numeric(), {}, "exactly one"),
        (numeric(), {"widths": [5], "cuts": [[5]]}, "exactly one"),
        (numeric(), {"groups": {"x": [1]}, "low": 0}, "exactly one"),
        (numeric(), {"widths": 5}, "wrong form"),
        (numeric(), {"cuts": [5]}, "wrong form"),
        (numeric(), {"rows": [5]}, "wrong form"),
        (numeric(), {"order": 5}, "wrong form"),
        (numeric(), {"redact": [1]}, "lacks what belongs to it"),
        (numeric(), {"redact": [1], "length": 5, "left": 1}, "exactly one"),
        (numeric(), {"redact": [1], "lenght": 5}, "'lenght' looks like 'length'"),
        (numeric(), {"units": ["month"]}, "lacks what belongs to it"),
        (numeric(), {"units": ["week", "month"], "first": "2020-01-01", "last": "2020-12-31"}, "units of dates"),
        (numeric(), {"rows": [["a"]], "origin": "census"}, "origin"),
        (numeric(), {"widths": [5], "low": 1}, "differs from the column's bounds"),
        (categorical("a"), {"widths": [5]}, "need declared bounds"),
        (categorical("a", "b"), {"groups": {"x": ["a"]}}, r"\['b'\] have no place"),
    ],
)
def test_a_wrong_spelling_is_refused_naming_the_column(column: Any, spec: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        hierarchy_for(column, spec)
    assert repr(column.name) in str(caught.value)
