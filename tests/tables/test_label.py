"""From a column to class numbers, row by row, and what is refused on the way."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.errors import ConfigError, DataError
from tacit.tables import Column, Kind, LabelRule, Role, Schema, Table, labels

SECRET = "Wilhelmina Quux"


def _table(values: list[Any], kind: Kind = Kind.CATEGORICAL, role: Role = Role.LABEL) -> Table:
    return Table.from_arrow(pa.table({"income": values}), Schema.of([Column(name="income", role=role, kind=kind)]))


def test_labels_are_places_among_the_declared_classes() -> None:
    table = _table(["high", "low", "high"])
    found = labels(table, classes=["low", "high"])
    assert found.tolist() == [1, 0, 1]
    assert found.dtype == np.int64
    assert labels(table, classes=["high", "low"]).tolist() == [0, 1, 0]


def test_numeric_labels_are_compared_as_text_of_numbers() -> None:
    for values in ([0, 1], [0.0, 1.0]):
        for kind in (Kind.NUMERIC, Kind.CATEGORICAL):
            assert LabelRule(column="income", classes=("0", "1")).labels(_table(values, kind)).tolist() == [0, 1]


def test_a_threshold_makes_two_classes_and_belongs_to_the_lower() -> None:
    table = _table([0.0, 0.5, -1.0, 3.0], Kind.NUMERIC)
    assert LabelRule(column="income", classes=("no", "yes"), above=0.0).labels(table).tolist() == [0, 1, 0, 1]
    assert LabelRule(column="income", classes=("no", "yes"), above=0.5).labels(table).tolist() == [0, 0, 0, 1]


def test_labels_look_at_one_row_at_a_time() -> None:
    rule = LabelRule(column="income", classes=("no", "yes"), above=0.0)
    for other in (-1e9, 1e9):
        assert rule.labels(_table([1.0, -1.0, other], Kind.NUMERIC))[:2].tolist() == [1, 0]


@pytest.mark.parametrize("above", [None, 0.0])
def test_missing_and_nan_labels_are_refused_with_their_row(above: float | None) -> None:
    for nothing in (None, math.nan):
        table = _table([0.0, 1.0, nothing], Kind.NUMERIC)
        with pytest.raises(DataError, match=r"label column 'income' has no value in row 3 "):
            LabelRule(column="income", classes=("0", "1"), above=above).labels(table)


def test_an_undeclared_class_is_refused_with_its_row_and_without_its_value() -> None:
    with pytest.raises(DataError, match=r"row 2 .*not among the declared classes \['low', 'high'\]") as caught:
        labels(_table(["low", SECRET, "high"]), classes=["low", "high"])
    assert SECRET not in str(caught.value)


def test_one_class_only_is_refused() -> None:
    with pytest.raises(DataError, match=r"rows of label column 'income' have, all together, the classes \['low'\]"):
        labels(_table(["low", "low"]), classes=["low", "high"])
    with pytest.raises(DataError, match=r"classes \['yes'\]"):
        LabelRule(column="income", classes=("no", "yes"), above=-5).labels(_table([1.0, 2.0], Kind.NUMERIC))


@pytest.mark.parametrize(
    "settings",
    [
        {"classes": ("a",)},
        {"classes": ()},
        {"classes": ("a", "a")},
        {"classes": "ab"},
        {"classes": ("a", "")},
        {"classes": (0, 1)},
        {"classes": ("a", "b"), "above": math.nan},
        {"classes": ("a", "b"), "above": math.inf},
        {"classes": ("a", "b"), "above": "0"},
        {"classes": ("a", "b"), "above": True},
        {"classes": ("a", "b", "c"), "above": 0.0},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        LabelRule(column="income", **settings)


def test_a_threshold_on_text_a_missing_label_role_and_a_misspelt_column_are_refused() -> None:
    with pytest.raises(ConfigError, match="is categorical, so it has nothing above"):
        LabelRule(column="income", classes=("a", "b"), above=0.0).labels(_table(["1", "2"]))
    with pytest.raises(ConfigError, match='no column has role "label"'):
        labels(_table(["a", "b"], role=Role.FEATURE), classes=["a", "b"])
    with pytest.raises(ConfigError, match="Did you mean 'income'"):
        LabelRule(column="incom", classes=("a", "b")).labels(_table(["a", "b"]))
    with pytest.raises(ConfigError, match="must be a list"):
        labels(_table(["a", "b"]), classes="ab")
