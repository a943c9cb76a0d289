"""Classes against people: delta-presence (T9) and k-map, at declared levels and in local recodings."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.verify import Recoding, Verification, verify_release

FORM = {"age": {"low": 0.0, "high": 40.0, "cuts": [[20.0]]}}
PEOPLE = pa.table({"age": [1.0, 2.0, 3.0, 4.0, 25.0, 26.0, 27.0, 28.0]})
SUBSET = np.array([True, True, False, False, True, False, False, False])
RELEASED = pa.table({"age": ["[0, 20)", "[0, 20)", "[20, 40]"]})


def presence(low: float, high: float, released: pa.Table = RELEASED, subset: Any = SUBSET, **recoding: Any) -> Verification:
    return verify_release(
        released,
        quasi=["age"],
        require=[{"model": "delta-presence", "d_min": low, "d_max": high}],
        original_rows=int(subset.sum()),
        suppression_limit=0.9,
        recoding=Recoding(**{"original": PEOPLE, "hierarchies": FORM, "levels": {"age": 1}, **recoding}),
        subset=subset,
    )


def test_presence_holds_with_equality_at_both_ends() -> None:
    """2 of 4 young and 1 of 4 old people are in the subset."""
    assert presence(0.25, 0.5).problems == ()
    assert presence(0.26, 0.5).problems == ("1 of 2 classes have a share of the subset outside 0.26 to 0.5",)
    assert presence(0.25, 0.49).problems == ("1 of 2 classes have a share of the subset outside 0.25 to 0.49",)


def test_a_class_of_people_with_nobody_of_the_subset_fails_a_lower_bound() -> None:
    """T9: nobody of the old is released, which tells of each of them that they are not in."""
    young = np.array([True, True, False, False, False, False, False, False])
    assert presence(0, 0.5, RELEASED.slice(0, 2), young).problems == ()
    assert presence(0.1, 0.5, RELEASED.slice(0, 2), young).problems == (
        "1 of 2 classes have a share of the subset outside 0.1 to 0.5",
    )


def test_a_class_whose_rows_were_all_left_out_is_outside_the_promise() -> None:
    assert presence(0.3, 0.5, RELEASED.slice(0, 2)).problems == ()


def test_a_class_released_in_part_must_hold_by_what_is_seen_and_by_what_is_there() -> None:
    assert presence(0.25, 0.5, RELEASED.slice(1, 2)).problems == ()
    assert not presence(0.26, 0.5, RELEASED.slice(1, 1)).ok
    assert not presence(0, 0.4, RELEASED.slice(1, 1)).ok


def test_presence_in_a_local_recoding_needs_what_everybody_becomes() -> None:
    everyone = pa.table({"age": ["[1, 4]"] * 4 + ["[25, 28]"] * 4})
    released = pa.table({"age": ["[1, 4]", "[1, 4]", "[25, 28]"]})
    local: Any = {"levels": None, "origins": [0, 1, 4]}
    assert presence(0.25, 0.5, released, everyone=everyone, **local).problems == ()
    assert not presence(0.26, 0.5, released, everyone=everyone, **local).ok
    assert "is not at hand" in presence(0.25, 0.5, released, **local).problems[0]
    for wrong in (["[1, 4]"] * 3 + ["[1, 3]"] + ["[25, 28]"] * 4, ["[1, 4]"] * 4 + ["[20, 40]"] * 4):
        found = presence(0.25, 0.5, released, everyone=pa.table({"age": wrong}), **local).problems
        assert "is not what it became, or covers nobody" in found[0]
    assert "cannot be confirmed" in presence(0.25, 0.5, released, everyone=everyone.slice(1), **local).problems[0]


def k_map(k: int, released: pa.Table, original: pa.Table, people: pa.Table | None, **recoding: Any) -> Verification:
    return verify_release(
        released,
        quasi=["age"],
        require=[{"model": "k-map", "k": k}],
        original_rows=original.num_rows,
        suppression_limit=0,
        recoding=Recoding(**{"original": original, "hierarchies": FORM, **recoding}),
        population=people,
    )


@pytest.mark.parametrize("local", [False, True])
def test_k_map_counts_people_not_rows(local: bool) -> None:
    """One row of each class; four people each, and a fifth who is old if 40 is."""
    original = pa.table({"age": [2.0, 28.0]})
    label = ["[1, 4]", "[25, 40]"] if local else ["[0, 20)", "[20, 40]"]
    how: Any = {"levels": None, "origins": [0, 1]} if local else {"levels": {"age": 1}}
    released = pa.table({"age": label})
    assert k_map(4, released, original, PEOPLE, **how).problems == ()
    assert k_map(5, released, original, PEOPLE, **how).problems == ("2 of 2 classes have fewer than 5 rows in the population",)
    more = pa.table({"age": pa.array([*PEOPLE.column("age").to_pylist(), 40, None])})
    assert k_map(5, released, original, more, **how).problems == ("1 of 2 classes have fewer than 5 rows in the population",)


def test_a_journalist_finds_among_the_population_what_a_prosecutor_finds_among_the_rows() -> None:
    """One row each; four people each. 12 / 4 = 3: no gain at that cost, and some at 2.99; a prosecutor gains 12 of each row."""
    original, released = pa.table({"age": [2.0, 28.0]}), pa.table({"age": ["[0, 20)", "[20, 40]"]})

    def asked(cost: float, attacker: str, people: pa.Table | None = PEOPLE) -> tuple[str, ...]:
        return verify_release(
            released,
            quasi=["age"],
            require=[{"model": "no-profitable-attack", "gain": 12, "cost": cost, "attacker": attacker}],
            original_rows=2,
            suppression_limit=0,
            recoding=Recoding(original=original, hierarchies=FORM, levels={"age": 1}),
            population=people,
        ).problems

    assert asked(3, "journalist") == ()
    assert asked(2.99, "journalist") == ("2 of 2 classes are worth an attack to a journalist",)
    assert asked(12, "prosecutor", None) == ()
    assert asked(11.99, "prosecutor") == ("2 of 2 classes are worth an attack to a prosecutor",)


def test_k_map_without_what_it_needs_is_a_problem() -> None:
    original, released = pa.table({"age": [2.0]}), pa.table({"age": ["[0, 20)"]})
    assert "population table is not at hand" in k_map(1, released, original, None, levels={"age": 1}).problems[0]
    other = pa.table({"years": [2.0]})
    assert "not in the population" in k_map(1, released, original, other, levels={"age": 1}).problems[0]
    means = pa.table({"age": [2.0]})
    assert not k_map(1, means, original, PEOPLE, origins=[0], means=["age"]).ok
