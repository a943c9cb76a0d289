"""km-anonymity of columns of lists, and whether the released sets are the original ones with items made coarser."""

import random
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import TreeHierarchy
from tacit.anonymize.sets import KmAnonymity, anonymize_sets
from tacit.anonymize.verify import verify_release, verify_sets

TREE = [["milk", "food", "*"], ["bread", "food", "*"], ["soap", "home", "*"]]
KM = {"model": "km-anonymity", "k": 2, "m": 2}
PAIRS: Any = [["milk", "bread"], ["bread", "milk", "milk"], ["soap"], ["soap"], [], None]


def problems(records: Any, form: dict[str, Any] = KM, **more: Any) -> tuple[str, ...]:
    return verify_sets(pa.array(records, pa.list_(pa.string())), require=[form], **more).problems


def test_every_pair_occurs_twice_or_not_at_all() -> None:
    assert problems(PAIRS) == ()
    assert problems([*PAIRS, ["milk", "soap"]]) == ("1 of 2 combinations of 2 items are held by fewer than 2 records",)
    assert problems([*PAIRS, ["milk", "soap"]], {**KM, "m": 1}) == ()
    assert problems([*PAIRS, ["eggs"]], {**KM, "m": 1}) == ("1 of 4 combinations of 1 items are held by fewer than 2 records",)


@pytest.mark.parametrize(
    "form", [{**KM, "k": 0}, {**KM, "m": True}, {**KM, "l": 1}, {"model": "k-anonymity", "k": 2}, {}], ids=str
)
def test_another_requirement_is_a_problem(form: dict[str, Any]) -> None:
    assert "not one this check knows of sets" in problems(PAIRS, form)[0]


def test_what_is_no_column_of_lists_is_a_problem() -> None:
    assert verify_sets(pa.array(["milk"]), require=[KM]).problems != ()
    assert problems([["milk", None], ["milk"]]) != ()
    assert verify_sets(pa.array([["a"]]), require=[]).problems == ("no privacy model was required",)


def test_sets_stand_for_their_originals() -> None:
    original = pa.array([["milk"], ["bread", "soap"]])

    def found(released: Any) -> tuple[str, ...]:
        return problems(released, {**KM, "k": 1}, original=original, tree=TREE)

    assert found([["food"], ["food", "soap"]]) == ()
    assert found([["food"], ["food", "soap", "milk"]]) == ("1 released records hold an item that stands for none of their own",)
    assert found([["food"], ["food"]]) == ("1 of 3 items have no node that stands for them in every record that holds them",)
    assert found([["food"]]) == ("the original records, as many as the released ones, and the tree are not at hand",)
    twice = problems([["milk"], ["food"]], {**KM, "k": 1}, original=pa.array([["milk"], ["milk"]]), tree=TREE)
    assert twice == ("1 of 1 items have no node that stands for them in every record that holds them",)


def test_random_sets_are_judged_as_the_model_judges_them() -> None:
    r = random.Random(5)
    verdicts = []
    for _ in range(100):
        records = [[r.choice("abcd") for _ in range(r.randint(0, 3))] for _ in range(r.randint(3, 12))]
        column, model = pa.array(records, pa.list_(pa.string())), KmAnonymity(2, r.randint(1, 3))
        found = verify_sets(column, require=[model.to_json()])
        assert found.ok is model.holds(column)
        verdicts.append(found.ok)
    assert 10 < sum(verdicts) < 90


def test_what_the_set_search_releases_passes_inside_a_table_too() -> None:
    column = pa.array([["milk"], ["bread", "soap"], ["bread", "soap"], ["milk", "bread"]])
    result = anonymize_sets(column, TreeHierarchy(rows=tuple(tuple(row) for row in TREE)), KmAnonymity(2, 2))
    assert verify_sets(result.records, require=[KM], original=column, tree=TREE).problems == ()
    asked: Any = {"quasi": ["basket"], "require": [KM], "original_rows": 4, "suppression_limit": 0}
    assert verify_release(pa.table({"basket": result.records}), **asked).problems == ()
    assert not verify_release(pa.table({"basket": column}), **asked).ok
    k = [{"model": "k-anonymity", "k": 1}]
    assert verify_release(pa.table({"basket": column}), **{**asked, "require": k}).problems == (
        "something could not be measured (ArrowNotImplementedError)",
    )
