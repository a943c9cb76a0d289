"""The three distances of t-closeness against the transport problem they solve, by linear programming."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from anonymize.privacy_models.by_definition import classes_of
from tacit.anonymize.privacy_models import TCloseness
from tacit.errors import ConfigError, DataError

LETTERS = "abcdef"
TREE = [
    ["a", "p", "u", "*"],
    ["b", "p", "u", "*"],
    ["c", "q", "u", "*"],
    ["d", "q", "u", "*"],
    ["e", "r", "v", "*"],
    ["f", "s", "v", "*"],
]


def transport(p: NDArray[np.float64], q: NDArray[np.float64], cost: NDArray[np.float64]) -> float:
    """Return the least cost of moving p to q, cost[i, j] for moving one unit from i to j."""
    m = len(p)
    leave, arrive = np.kron(np.eye(m), np.ones(m)), np.kron(np.ones(m), np.eye(m))
    return float(linprog(cost.ravel(), A_eq=np.vstack([leave, arrive]), b_eq=np.concatenate([p, q]), method="highs").fun or 0.0)


def meeting_height(one: str, other: str) -> float:
    paths = {row[0]: row for row in TREE}
    return next(h for h in range(4) if paths[one][h] == paths[other][h]) / 3


@pytest.mark.parametrize(
    ("options", "cost"),
    [
        ({}, lambda i, j: float(i != j)),
        ({"order": list(LETTERS)}, lambda i, j: abs(i - j) / 5),
        ({"order": list(reversed(LETTERS))}, lambda i, j: abs(i - j) / 5),
        ({"tree": TREE}, lambda i, j: meeting_height(LETTERS[i], LETTERS[j])),
    ],
    ids=["equal", "ordered", "reversed", "hierarchical"],
)
def test_a_distance_is_the_least_cost_of_moving_one_distribution_to_the_other(options: Any, cost: Any) -> None:
    """Li et al. 2007, section 4: each is the optimum of a transport problem; the linear program knows nothing of the formulas."""
    rng = np.random.default_rng(3)
    matrix = np.array([[cost(i, j) for j in range(6)] for i in range(6)])
    for _ in range(12):
        rows = [((int(rng.integers(0, 3)),), LETTERS[int(rng.integers(0, 6))]) for _ in range(40)]
        rows += [((3,), letter) for letter in LETTERS]
        names, classes = classes_of(rows)
        found = TCloseness("s", 0.5, **options).distances(classes)
        q = np.array([sum(value == letter for _, value in rows) for letter in LETTERS]) / len(rows)
        for name, distance in zip(names, found, strict=True):
            inside = [value for quasi, value in rows if quasi == name]
            p = np.array([inside.count(letter) for letter in LETTERS]) / len(inside)
            assert distance == pytest.approx(transport(p, q, matrix), abs=1e-9)


def test_the_two_examples_of_li_et_al_have_the_distances_of_the_paper() -> None:
    """Section 4.1: salaries 3k to 11k once each; {3k, 4k, 5k} is 0.375 away, {6k, 8k, 11k} 0.167."""
    rows = [((name,), str(k)) for k in range(3, 12) for name in ["x" if k <= 5 else "y" if k in (6, 8, 11) else "z"]]
    distances = TCloseness("s", 0.2, order="numeric").distances(classes_of(rows)[1])
    assert distances[:2] == pytest.approx([0.375, 1 / 6], abs=1e-12)


def test_only_the_values_of_the_input_count_in_an_order() -> None:
    rows = [((0,), "1"), ((0,), "2"), ((1,), "2"), ((1,), "5")]
    short = TCloseness("s", 0.2, order=[1, 2, 5]).distances(classes_of(rows)[1])
    assert TCloseness("s", 0.2, order=[0, 1, 2, 3, 4, 5, 9]).distances(classes_of(rows)[1]).tolist() == short.tolist()
    assert TCloseness("s", 0.2, order="numeric").distances(classes_of(rows)[1]).tolist() == short.tolist()


def test_t10_an_order_is_never_taken_from_the_data() -> None:
    """The same rows in another order of their values have another distance; one that leaves a value out is refused."""
    rows = [((0,), "low"), ((0,), "mid"), ((1,), "high"), ((1,), "high")]
    _, classes = classes_of(rows)
    right = TCloseness("s", 0.5, order=["low", "mid", "high"]).distances(classes)
    other = TCloseness("s", 0.5, order=["low", "high", "mid"]).distances(classes)
    assert not np.allclose(right, other)
    with pytest.raises(DataError, match="1 of the 3 values"):
        TCloseness("s", 0.5, order=["low", "mid"]).holds(classes)
    with pytest.raises(DataError, match="have no place in the order"):
        TCloseness("s", 0.5, order="numeric").holds(classes)
    twice = classes_of([((0,), "1"), ((0,), "01"), ((1,), "2")])[1]
    with pytest.raises(DataError, match="1 of the 3 values"):
        TCloseness("s", 0.5, order="numeric").holds(twice)
    with pytest.raises(DataError, match="3 of the 3 values"):
        TCloseness("s", 0.5, tree=[["a", "*"], ["b", "*"]]).holds(classes)


def test_the_message_about_a_value_without_a_place_does_not_hold_it() -> None:
    _, classes = classes_of([((0,), "secret"), ((0,), "low")])
    for model in (
        TCloseness("s", 0.5, order=["low"]),
        TCloseness("s", 0.5, order="numeric"),
        TCloseness("s", 0.5, tree=[["low", "*"]]),
    ):
        with pytest.raises(DataError) as refused:
            model.holds(classes)
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"order": ["a", "b"], "tree": [["a", "*"]]}, "two different distances"),
        ({"order": []}, "list each value once"),
        ({"order": ["a", "b", "a"]}, "list each value once"),
        ({"order": "ascending"}, "list each value once"),
        ({"tree": []}, "one row per value"),
        ({"tree": [["a", "*"], ["b"]]}, "one row per value"),
        ({"tree": [["a", "*"], ["a", "*"]]}, "one row per value"),
        ({"tree": [["a", "g", "h", "*"], ["b", "g", "i", "*"]]}, "under two groups"),
    ],
)
def test_an_order_or_tree_that_is_none_is_refused(options: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        TCloseness("s", 0.2, **options)


def test_a_tree_without_a_root_gets_one() -> None:
    bare = TCloseness("s", 0.5, tree=[["a", "g"], ["b", "h"]])
    assert bare.to_json()["tree"] == [["a", "g", "*"], ["b", "h", "*"]]
    rooted = TCloseness("s", 0.5, tree=[["a", "g", "any"], ["b", "h", "any"]])
    assert rooted.to_json()["tree"] == [["a", "g", "any"], ["b", "h", "any"]]
