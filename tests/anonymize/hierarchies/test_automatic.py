import datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tacit.anonymize.hierarchies import (
    DateHierarchy,
    IntervalHierarchy,
    RedactionHierarchy,
    TreeHierarchy,
    automatic,
    automatic_hierarchies,
)
from tacit.errors import DataError
from tacit.tables.schema import Bounds, Categories, Column, Kind, Role, Schema


def numeric(low: float, high: float) -> Column:
    return Column(name="age", role=Role.QUASI, kind=Kind.NUMERIC, bounds=Bounds(low=low, high=high))


def test_declared_bounds_make_the_same_hierarchy_whatever_the_data_hold() -> None:
    for values in ([17, 90], [30, 31, 32], [None, 5000]):
        hierarchy = automatic(pa.array(values), numeric(0, 100))
        assert hierarchy == IntervalHierarchy.from_widths(0, 100, [10, 20, 40, 80])
        assert hierarchy.origin == "declared"


def test_declared_categories_make_the_same_hierarchy_whatever_the_data_hold() -> None:
    column = Column(name="c", role=Role.QUASI, kind=Kind.CATEGORICAL, categories=Categories(values=("a", "b", "c")))
    hierarchy = automatic(pa.array(["b", "b"]), column)
    assert (hierarchy, hierarchy.origin) == (TreeHierarchy(rows=(("a",), ("b",), ("c",))), "declared")


def test_soundness_2_what_comes_from_the_data_says_so() -> None:
    columns: list[Any] = [
        [1, 2, 30], [1.5, 2.5, 9.0], ["a"], ["a", "b"], ["a", "b", "c"], [True, False],
        [f"{i:05d}" for i in range(20)], ["2020-01-01", "2021-01-01", "2022-05-01"],
    ]  # fmt: skip
    for values in columns:
        undeclared = Column(name="x", role=Role.QUASI, kind=Kind.CATEGORICAL)
        for hierarchy in (automatic(pa.array(values)), automatic(pa.array(values), undeclared)):
            assert hierarchy.origin == "data"
            assert hierarchy.to_json()["origin"] == "data"


def test_numbers_get_round_intervals_that_hold_them_all() -> None:
    hierarchy = automatic(pa.array([17, 44, 90, None]))
    assert isinstance(hierarchy, IntervalHierarchy)
    assert (hierarchy.low, hierarchy.high, hierarchy.cuts[0]) == (15, 90, tuple(range(20, 90, 5)))
    assert hierarchy.cuts[-1] == (55,)


def test_whole_numbers_get_no_interval_of_one_number() -> None:
    hierarchy = automatic(pa.array([0, 1, 2, 5]))
    assert isinstance(hierarchy, IntervalHierarchy)
    assert hierarchy.to_json()["cuts"] == [[2, 4], [4]]
    assert automatic(pa.array([1]), numeric(0, 10)) == IntervalHierarchy.from_widths(0, 10, [2, 4, 8])


@settings(max_examples=200, deadline=None)
@example([0.0, 8.000000000008002e16, -2.2250738585072014e-308])  # least / width underflows
@given(st.lists(st.floats(-1e150, 1e150, allow_subnormal=False) | st.integers(-(10**15), 10**15).map(float), min_size=1))
def test_any_finite_numbers_lie_inside_their_hierarchy(numbers: list[float]) -> None:
    array = pa.array(numbers)
    automatic(array).check(array.unique())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(2**62), 2**62), min_size=1))
def test_any_whole_numbers_lie_inside_their_hierarchy(numbers: list[int]) -> None:
    array = pa.array(numbers, pa.int64())
    automatic(array).check(array.unique())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dates() | st.none(), min_size=1).filter(any))
def test_any_dates_lie_inside_their_hierarchy(dates: list[datetime.date | None]) -> None:
    array = pa.array(dates, pa.date32()).drop_null().unique()
    automatic(array).check(array)


def test_the_rarest_categories_merge_first_and_no_two_are_told_apart_again() -> None:
    tree = automatic(pa.array(["a"] * 9 + ["b"] * 5 + ["c"] * 2 + ["d"] * 2 + ["e"]))
    assert isinstance(tree, TreeHierarchy)
    assert tree.rows == (
        ("a", "a", "a", "*"),
        ("b", "b", "other", "*"),
        ("c", "other", "other", "*"),
        ("d", "other", "other", "*"),
        ("e", "other", "other", "*"),
    )


def test_a_category_called_other_is_not_merged_with_the_rest() -> None:
    tree = automatic(pa.array(["other"] * 5 + ["b", "b", "c", "d"]))
    assert isinstance(tree, TreeHierarchy)
    assert tree.rows[0][1] == "other"
    assert {row[1] for row in tree.rows[2:]} == {"(other)"}


@pytest.mark.parametrize("values", [["a"], ["a", "b"], [True, False], [1, 2], [7.5, None]])
def test_one_or_two_values_go_straight_to_the_top(values: Any) -> None:
    assert automatic(pa.array(values)).levels == 2


def test_postcodes_lose_characters_from_the_right() -> None:
    tree = automatic(pa.array([f"{i:05d}" for i in range(2000, 2030)]))
    assert isinstance(tree, RedactionHierarchy)
    assert (tree.length, tree.redact, tree.side, tree.alphabet) == (5, (1, 2, 3, 4), "right", 10)


@pytest.mark.parametrize("values", [["12345"], ["12345", "12346"], ["02139", "02140", "10001", None], ["1234", "1299", "2000"]])
def test_postcodes_lose_characters_however_few_there_are(values: Any) -> None:
    tree = automatic(pa.array(values))
    assert isinstance(tree, RedactionHierarchy)
    assert tree.levels == tree.length + 1 == len(values[0]) + 1
    assert tree.alphabet == 10


@pytest.mark.parametrize("values", [["123", "124", "125"], ["1234", "12345", "12346"], ["A123", "A124", "A125"]])
def test_few_texts_of_other_shapes_are_no_postcodes(values: Any) -> None:
    assert isinstance(automatic(pa.array(values)), TreeHierarchy)


def test_dates_get_the_units_that_merge_some_and_tell_some_apart() -> None:
    day = datetime.date(1950, 1, 1)
    born = [day + datetime.timedelta(days=11 * i) for i in range(1690)]
    many = automatic(pa.array(born))
    assert isinstance(many, DateHierarchy)
    assert many.units == ("month", "quarter", "year", "decade")
    assert (many.first, many.last) == (datetime.date(1950, 1, 1), datetime.date(2000, 12, 31))
    seen = automatic(pa.array([datetime.datetime(2020, 3, 1 + i % 20, i % 24) for i in range(100)]))
    assert isinstance(seen, DateHierarchy)
    assert seen.units == ("day",)  # one month, so a month tells nothing apart
    assert isinstance(automatic(pa.array([str(one) for one in born])), DateHierarchy)
    assert isinstance(automatic(pa.array(["2020-02-30", "2020-01-01", "2020-01-02"])), TreeHierarchy)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([None, None]),
        pa.array([None], pa.string()),
        pa.array([float("nan")]),
        pa.array([], pa.int64()),
        pa.array([1.0, float("inf"), 3.0]),
        pa.array([[1], [2], [7777]]),
        pa.array([1e308, -1e308, 3.0]),
    ],
)
def test_t16_a_column_that_allows_none_is_named_and_its_values_are_not(values: pa.Array) -> None:
    with pytest.raises(DataError, match="column 'x y'") as caught:
        automatic_hierarchies(pa.table({"x y": values}), ["x y"])
    assert "7777" not in str(caught.value)


def test_columns_are_built_by_name_with_what_the_schema_declares() -> None:
    data = pa.table({"age": [17, 44, 90], "city": ["a", "b", "c"], "score": [1, 2, 3]})
    built = automatic_hierarchies(data, ["age", "city"], Schema.of([numeric(0, 100)]))
    assert {name: hierarchy.origin for name, hierarchy in built.items()} == {"age": "declared", "city": "data"}
    with pytest.raises(DataError, match="'absent' is not in the table"):
        automatic_hierarchies(data, ["absent"])


@pytest.mark.parametrize("text", [pa.string(), pa.large_string(), pa.string_view()])
def test_every_type_of_text_is_read_alike(text: pa.DataType) -> None:
    for values in (["a", "b", "c"], [f"{i:05d}" for i in range(20)], ["2020-01-01", "2020-03-01", "2021-05-01"]):
        expected, array = automatic(pa.array(values)), pa.array(values).cast(text)
        assert automatic(array) == expected
        assert expected.generalize(array, 1)[0] == expected.generalize(pa.array(values), 1)[0]


@pytest.mark.data
def test_adult_gets_a_hierarchy_for_every_column(adult: pa.Table) -> None:
    for name, hierarchy in automatic_hierarchies(adult, adult.column_names).items():
        hierarchy.check(adult.column(name).combine_chunks().unique())
        assert hierarchy.levels >= 2
