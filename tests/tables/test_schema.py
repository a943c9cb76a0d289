"""Columns, roles, bounds and categories cannot exist in a wrong state, and say what to write instead."""

import copy
import math

import pytest

from tacit.errors import ConfigError
from tacit.tables import Bounds, Categories, Column, Kind, Origin, OriginKind, Role, Schema


def _age(role: str = "quasi") -> Column:
    return Column(name="age", role=Role(role), kind=Kind.NUMERIC, bounds=Bounds(low=17, high=90))


def test_an_origin_reads_what_it_prints() -> None:
    for text in ("declared", "declared: by law", "public: census table B01001", "charged: request-7"):
        assert str(Origin.parse(text)) == text
    assert Origin.parse("public: census").kind is OriginKind.PUBLIC


@pytest.mark.parametrize("text", ["public", "charged:", "seen in the data", ""])
def test_an_origin_that_names_no_source_or_is_unknown_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Origin.parse(text)


@pytest.mark.parametrize(
    ("low", "high"), [(1, 1), (2, 1), (math.nan, 1), (0, math.inf), (-1.7e308, 1.7e308), ("0", "1"), (False, True)]
)
def test_bounds_that_bound_nothing_are_refused(low: float, high: float) -> None:
    with pytest.raises(ConfigError, match="bounds must be"):
        Bounds(low=low, high=high)


@pytest.mark.parametrize("values", [(), ("a", "a"), ("1", 1), ("",), "abc", (True,), (0.5,), (None,)])
def test_categories_that_are_no_list_of_different_texts_are_refused(values: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="categories must be"):
        Categories(values=values)


def test_whole_numbers_become_categories_by_their_digits() -> None:
    assert Categories(values=(1, 2)).values == ("1", "2")  # type: ignore[arg-type]


def test_a_misspelt_role_or_kind_is_answered_with_the_right_one() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'sensitive'"):
        Column(name="x", role="sensitiv", kind=Kind.TEXT)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="Did you mean 'numeric'"):
        Column(name="x", role=Role.FEATURE, kind="numeri")  # type: ignore[arg-type]


def test_a_column_without_a_name_or_with_what_its_kind_cannot_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="must have a name"):
        Column(name="", role=Role.FEATURE, kind=Kind.TEXT)
    with pytest.raises(ConfigError, match="cannot have bounds"):
        Column(name="x", role=Role.FEATURE, kind=Kind.CATEGORICAL, bounds=Bounds(low=0, high=1))
    with pytest.raises(ConfigError, match="cannot have categories"):
        Column(name="x", role=Role.FEATURE, kind=Kind.NUMERIC, categories=Categories(values=("a",)))


def test_a_schema_has_one_label_and_one_unit_at_most_and_every_name_once() -> None:
    label = Column(name="y", role=Role.LABEL, kind=Kind.TEXT)
    with pytest.raises(ConfigError, match="at most one column"):
        Schema.of([label, Column(name="z", role=Role.LABEL, kind=Kind.TEXT)])
    with pytest.raises(ConfigError, match="different names"):
        Schema.of([_age(), _age("feature")])
    with pytest.raises(ConfigError, match="under 'alter'"):
        Schema({"alter": _age()})


def test_a_schema_answers_a_misspelt_column_with_the_right_one() -> None:
    schema = Schema.of([_age()])
    with pytest.raises(ConfigError, match="Did you mean 'age'"):
        schema["aeg"]
    assert schema["age"].name == "age"
    assert "age" in schema
    assert len(schema) == 1


def test_changing_the_dictionary_a_schema_was_made_of_does_not_change_the_schema() -> None:
    columns = {"age": _age()}
    schema = Schema(columns)
    columns.clear()
    assert schema.names() == ["age"]
    assert copy.deepcopy(schema) == schema


def test_names_are_given_in_order_and_by_role() -> None:
    schema = Schema.of(
        [_age(), Column(name="y", role=Role.LABEL, kind=Kind.TEXT), Column(name="b", role=Role.QUASI, kind=Kind.TEXT)]
    )
    assert schema.names() == ["age", "y", "b"]
    assert schema.names(Role.QUASI) == ["age", "b"]
    assert schema.names(Role.UNIT) == []


def test_a_column_comes_back_from_its_json_form() -> None:
    work = Categories(values=("a", "b"), origin=Origin.parse("public: registry"))
    for column in (_age(), Column(name="w", role=Role.FEATURE, kind=Kind.CATEGORICAL, categories=work)):
        assert Column.from_json(column.to_json()) == column


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"role": None},
        {"bounds": {"low": 0}},
        {"bounds": {"low": 0, "high": 1, "origin": "declared", "x": 1}},
        {"bounds": 3},
        {"bounds": {"low": 0, "high": 1, "origin": 5}},
    ],
)
def test_a_column_with_unknown_or_missing_json_entries_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Column.from_json({**_age().to_json(), **change})
