from typing import Any

import pytest

from tacit.anonymize.hierarchies import TreeHierarchy
from tacit.errors import ConfigError

SIZES = ["XS", "S", "M", "L", "XL"]


def test_neighbours_merge_in_runs_and_the_last_may_be_shorter() -> None:
    assert TreeHierarchy.from_order(SIZES, [2, 4]).rows == (
        ("XS", "XS to S", "XS to L", "*"),
        ("S", "XS to S", "XS to L", "*"),
        ("M", "M to L", "XS to L", "*"),
        ("L", "M to L", "XS to L", "*"),
        ("XL", "XL", "XL", "*"),
    )


def test_no_runs_go_straight_to_the_top() -> None:
    assert TreeHierarchy.from_order([1, 2], []).rows == (("1", "*"), ("2", "*"))


@pytest.mark.parametrize("runs", [[1], [0], [-2], [2, 3], [2, 2], [4, 2], [2.0], [True], ["2"]])
def test_runs_that_do_not_nest_are_refused(runs: Any) -> None:
    with pytest.raises(ConfigError, match="runs must be whole numbers"):
        TreeHierarchy.from_order(SIZES, runs)


@pytest.mark.parametrize("values", [["a", "a"], ["a", "b", "a to b"]])
def test_labels_that_would_merge_by_accident_are_refused(values: Any) -> None:
    with pytest.raises(ConfigError, match="equal labels"):
        TreeHierarchy.from_order(values, [2])


def test_an_empty_order_is_refused() -> None:
    with pytest.raises(ConfigError, match="rows"):
        TreeHierarchy.from_order([], [2])


def test_the_description_counts_groups_and_their_values() -> None:
    lines = TreeHierarchy.from_order(SIZES, [2, 4]).describe().splitlines()
    assert lines[0] == "5 categories (declared)"
    assert lines[2] == "  level 1: 3 groups of 1 to 2 values: XS to S, M to L, XL"
