from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import IntervalHierarchy, TreeHierarchy
from tacit.errors import ConfigError, DataError


def labels(hierarchy: Any, values: Any, level: int) -> Any:
    return hierarchy.generalize(pa.array(values), level)[0]


def shares(hierarchy: Any, values: Any, level: int) -> Any:
    return hierarchy.generalize(pa.array(values), level)[1].tolist()


def test_widths_count_from_the_lower_bound_and_the_last_interval_is_closed_and_may_be_shorter() -> None:
    ages = IntervalHierarchy.from_widths(17, 43, [5, 10])
    assert ages.to_json()["cuts"] == [[22, 27, 32, 37, 42], [27, 37]]
    assert labels(ages, [17, 21.9, 22, 42, 43], 1) == ["[17, 22)", "[17, 22)", "[22, 27)", "[42, 43]", "[42, 43]"]
    assert shares(ages, [17, 43], 1) == pytest.approx([5 / 26, 1 / 26])
    assert labels(ages, [26.5, 27, 43], 2) == ["[17, 27)", "[27, 37)", "[37, 43]"]
    assert ages.levels == 4


def test_widths_that_floating_point_blurs_still_nest() -> None:
    fine = IntervalHierarchy.from_widths(0, 1, [0.1, 0.3])
    assert set(fine.cuts[1]) <= set(fine.cuts[0])
    assert labels(fine, [0.3], 1) == ["[0.3, 0.4)"]
    assert labels(fine, [0.3], 2) == ["[0.3, 0.6)"]


@pytest.mark.parametrize("widths", [[5, 12], [10, 5], [5, 5], [0], [-1], [float("nan")], [True], ["5"], [1e-9]])
def test_widths_that_do_not_nest_or_make_no_sense_are_refused(widths: Any) -> None:
    with pytest.raises(ConfigError):
        IntervalHierarchy.from_widths(0, 100, widths)


@pytest.mark.parametrize("cuts", [[[5, 5]], [[0, 5]], [[5, 10]], [[7, 3]], [[3, 6], [4]], [[float("inf")]]])
def test_cuts_that_do_not_ascend_inside_the_bounds_or_split_an_interval_are_refused(cuts: Any) -> None:
    with pytest.raises(ConfigError):
        IntervalHierarchy(low=0, high=10, cuts=tuple(tuple(level) for level in cuts))


def test_groups_nest_and_a_shallow_group_stands_for_itself_below() -> None:
    tree = TreeHierarchy.from_groups({"north": {"coast": ["a", "b"], "hills": ["c"]}, "south": ["d"]})
    assert tree.rows == (
        ("a", "coast", "north", "*"),
        ("b", "coast", "north", "*"),
        ("c", "hills", "north", "*"),
        ("d", "south", "south", "*"),
    )


def test_a_column_of_numbers_is_matched_by_number() -> None:
    tree = TreeHierarchy.from_groups({"low": [1, "2"], "high": [3.5]})
    assert labels(tree, [1.0, 2.0, 3.5], 1) == ["low", "low", "high"]
    assert labels(tree, [2, 1], 1) == ["low", "low"]
    assert labels(tree, ["1", "3.5"], 1) == ["low", "high"]


def test_t6_the_share_of_a_group_counts_rows_of_the_hierarchy_not_values_of_the_data() -> None:
    small = TreeHierarchy.from_groups({"x": ["a", "b"], "y": ["c"]})
    with_unused = TreeHierarchy.from_groups({"x": ["a", "b"], "y": ["c", "never seen"]})
    assert shares(small, ["a"], 1) == [2 / 3]
    assert shares(with_unused, ["a"], 1) == [2 / 4]
    assert small.leaf_share == 1 / 3


def test_a_tree_that_splits_a_group_again_is_refused() -> None:
    with pytest.raises(ConfigError, match="lies under both"):
        TreeHierarchy(rows=(("a", "x", "left"), ("b", "x", "right")))


@pytest.mark.parametrize("rows", [(), ((),), (("a", "x"), ("b",)), (("a", "x"), ("a", "y"))])
def test_rows_that_are_none_ragged_or_doubled_are_refused(rows: Any) -> None:
    with pytest.raises(ConfigError):
        TreeHierarchy(rows=rows)


def test_two_rows_for_one_number_are_refused_when_numbers_come() -> None:
    with pytest.raises(ConfigError, match="two rows for the number"):
        TreeHierarchy(rows=(("1", "x"), ("1.0", "y"))).check(pa.array([1.0]))


@pytest.mark.parametrize("groups", [{}, {"x": "a"}, {"x": 5}, {"x": [["a"]]}, ["a"]])
def test_groups_that_are_not_tables_of_lists_are_refused(groups: Any) -> None:
    with pytest.raises(ConfigError):
        TreeHierarchy.from_groups(groups)


@pytest.mark.parametrize(
    ("hierarchy", "values"),
    [
        (IntervalHierarchy(low=0, high=10), [5.0, 7777.0]),
        (IntervalHierarchy(low=0, high=10), ["7777"]),
        (TreeHierarchy.from_groups({"x": [1, 2]}), [1, 7777]),
        (TreeHierarchy.from_groups({"x": ["a"]}), ["7777"]),
    ],
)
def test_a_value_outside_is_refused_and_not_shown(hierarchy: Any, values: Any) -> None:
    with pytest.raises(DataError) as caught:
        hierarchy.check(pa.array(values))
    assert "7777" not in str(caught.value)


def test_arx_hierarchy_files_are_read_with_either_delimiter(tmp_path: Path) -> None:
    for delimiter in ";,":
        file = tmp_path / "tree.csv"
        file.write_text(
            "\ufeff" + "\n".join(delimiter.join(row) for row in (("a", "x", "*"), ("b", "x", "*"))) + "\n", encoding="utf-8"
        )
        assert TreeHierarchy.from_csv(file).rows == (("a", "x", "*"), ("b", "x", "*"))
    with pytest.raises(ConfigError, match="cannot be read"):
        TreeHierarchy.from_csv(tmp_path / "absent.csv")
