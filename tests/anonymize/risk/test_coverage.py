"""Which labels stand for which values, against loops over all pairs."""

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import IntervalHierarchy, TreeHierarchy
from tacit.anonymize.risk import coverage as module
from tacit.anonymize.risk.coverage import coverage, covering_pairs, crowd, only_labels
from tacit.errors import DataError

AGES = IntervalHierarchy.from_widths(0, 100, [10, 50])
TREE = TreeHierarchy.from_groups({"north": ["a", "b"], "south": ["c"]})


def test_by_hand() -> None:
    ages, labels = pa.array([7, 10, 60, None]), pa.array(["7", "[0, 10)", "[7, 10]", "[50, 100]", "*", None, "[x, y]"])
    stands = coverage(ages, labels, None)
    assert stands.astype(int).tolist() == [
        [1, 1, 1, 0, 1, 0, 0],
        [0, 0, 1, 0, 1, 0, 0],
        [0, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 1, 0],
    ]
    towns = coverage(pa.array(["a", "c"]), pa.array(["north", "south", "a", "*"]), TREE)
    assert towns.astype(int).tolist() == [[1, 0, 1, 1], [0, 1, 0, 1]]


def test_one_label_each_or_none_of_several() -> None:
    values = pa.array(["a", "b", "c"])
    assert only_labels(values, pa.array(["south", "north"]), TREE).tolist() == [1, 1, 0]  # type: ignore[union-attr]
    assert only_labels(values, pa.array(["a", "south"]), TREE).tolist() == [0, -1, 1]  # type: ignore[union-attr]
    assert only_labels(values, pa.array(["a", "north"]), TREE) is None


def test_a_value_outside_is_refused_where_the_hierarchy_is_declared_and_stands_alone_where_it_was_built() -> None:
    values, labels = pa.array([7, 170]), pa.array(["[0, 10)", "170", "*"])
    with pytest.raises(DataError, match="bounds"):
        coverage(values, labels, AGES)
    built = IntervalHierarchy.from_widths(0, 100, [10, 50], origin="data")
    assert coverage(values, labels, built).astype(int).tolist() == [[1, 0, 1], [0, 1, 1]]


@pytest.mark.parametrize("block", [20_000_000, 7])
@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_pairs_are_those_of_a_loop(seed: int, overlapping: bool, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CELLS", block)
    chance = random.Random(seed)
    raw = [(chance.randint(0, 30), chance.choice("abc")) for _ in range(40)]
    ages = ["[0, 10)", "[10, 20)", "[20, 30)", "[30, 40)"] + (["*", "[0, 50)"] if overlapping else [])
    shown = [(chance.choice(ages), chance.choice(["north", "south"])) for _ in range(10)]
    tables = [pa.table({"age": [row[0] for row in rows], "town [x]": [row[1] for row in rows]}) for rows in (raw, shown)]
    people, classes = (crowd(table, ["age", "town [x]"]) for table in tables)
    known: Any = {"age": AGES, "town [x]": TREE}
    found = {
        (raw[int(np.flatnonzero(people.of_row == one)[0])], shown[int(np.flatnonzero(classes.of_row == other)[0])])
        for one, other in zip(*covering_pairs(people, classes, ["age", "town [x]"], known), strict=True)
    }

    def fits(person: tuple[int, str], label: tuple[str, str]) -> bool:
        low, _, high = label[0].strip("[)").partition(", ")
        town = "south" if person[1] == "c" else "north"
        return (label[0] == "*" or int(low) <= person[0] < int(high)) and town == label[1]

    assert found == {(person, label) for person in raw for label in shown if fits(person, label)}


def test_too_many_comparisons_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    people, classes = crowd(pa.table({"a": ["a", "b"]}), ["a"]), crowd(pa.table({"a": ["a", "*"]}), ["a"])
    with pytest.raises(DataError, match="labels of the release overlap"):
        covering_pairs(people, classes, ["a"], {})
