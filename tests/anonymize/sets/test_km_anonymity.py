"""km-anonymity of sets against counting every combination with dictionaries, and by hand."""

import itertools
import types
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import TreeHierarchy
from tacit.anonymize.sets import AnonymizedSets, KmAnonymity, anonymize_sets, generalize, records
from tacit.anonymize.sets.records import count_itemsets, read_records
from tacit.errors import ConfigError, DataError, PrivacyError

TREE = TreeHierarchy(
    rows=(
        ("beer", "drinks", "*"),
        ("wine", "drinks", "*"),
        ("milk", "dairy", "*"),
        ("cheese", "dairy", "*"),
        ("yogurt", "dairy", "*"),
        ("soap", "home", "*"),
    )
)
ITEMS = [row[0] for row in TREE.rows]


def sets(*texts: str) -> pa.Array:
    return pa.array([text.split() for text in texts], pa.list_(pa.string()))


def by_counting(held: Any, k: int, m: int) -> bool:
    """Restate the definition: every combination of 1 to m items, in every record."""
    counts = Counter(
        combination
        for record in held
        if record is not None
        for size in range(1, m + 1)
        for combination in itertools.combinations(sorted(set(record)), size)
    )
    return all(count >= k for count in counts.values())


def random_records(seed: int, *, rows: int = 40) -> list[list[str] | None]:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(len(ITEMS)))
    found: list[list[str] | None] = [rng.choice(ITEMS, int(rng.integers(0, 5)), p=weights).tolist() for _ in range(rows)]
    found[0] = None
    return found


def test_a_combination_in_exactly_k_records_passes_and_in_one_less_fails() -> None:
    three = ["beer milk", "beer milk", "beer milk"]
    assert KmAnonymity(3, 2).holds(sets(*three))
    assert not KmAnonymity(3, 2).holds(sets(*three[:2], "beer", "milk"))  # each item thrice, the pair twice
    assert KmAnonymity(3, 1).holds(sets(*three[:2], "beer", "milk"))
    assert not KmAnonymity(4, 1).holds(sets(*three))


def test_what_an_attacker_with_one_item_more_would_see_is_not_promised() -> None:
    """All pairs of three items twice, the three together once."""
    held = sets("beer milk soap", "beer milk", "beer soap", "milk soap")
    assert KmAnonymity(2, 2).holds(held)
    assert not KmAnonymity(2, 3).holds(held)


@pytest.mark.parametrize(("k", "m"), [(2, 1), (2, 2), (3, 2), (2, 3), (2, 4), (5, 2)])
def test_random_records_are_judged_as_the_definition_does(k: int, m: int) -> None:
    verdicts = set()
    for seed in range(14):
        held = random_records(seed, rows=45 * (1 + seed))
        expected = by_counting(held, k, m)
        assert KmAnonymity(k, m).holds(pa.array(held, pa.list_(pa.string()))) is expected
        verdicts.add(expected)
    assert True in verdicts or m > 2
    assert False in verdicts


@pytest.mark.parametrize(("k", "m"), [(2, 1), (3, 2), (5, 2), (4, 3), (6, 4)])
def test_anonymized_sets_hold_by_counting_and_every_item_became_one_node_above_it(k: int, m: int) -> None:
    changed = 0
    for seed in range(15):
        held = random_records(seed)
        done = anonymize_sets(pa.array(held, pa.list_(pa.string())), TREE, KmAnonymity(k, m))
        released = done.records.to_pylist()
        assert by_counting(released, k, m)
        above = {row[0]: row for row in TREE.rows}
        assert all(label in above[item] for item, label in done.cut.items())
        assert released == [None if record is None else sorted({done.cut[item] for item in record}) for record in held]
        labels = set(done.cut.values())
        for row in TREE.rows:  # a group that is released stands for all of its items
            assert all(
                done.cut.get(row[0], label) == label for label in labels if label in row[1:] and done.cut.get(row[0]) != "*"
            )
        occurrences = [item for record in held if record is not None for item in set(record)]
        share = {label: sum(label in row[1:] for row in TREE.rows) / len(TREE.rows) for label in labels}
        assert done.loss == pytest.approx(sum(share[done.cut[item]] for item in occurrences) / len(occurrences), abs=1e-12)
        changed += 0 < done.loss < 1
    assert changed >= 3 or (k, m) in ((4, 3), (6, 4))


def test_what_holds_already_stays_as_it_is() -> None:
    held = sets("beer milk", "beer milk", "wine", "wine")
    done = anonymize_sets(held, TREE, KmAnonymity(2, 2))
    assert done.records.to_pylist() == [["beer", "milk"], ["beer", "milk"], ["wine"], ["wine"]]
    assert done.loss == 0
    assert done.to_json()["claim"] == "a syntactic property of these records; not differential privacy"


def test_by_hand_one_group_is_all_that_is_raised() -> None:
    """Milk and cheese once each, beer four times: the dairy is merged, the beer stays."""
    done = anonymize_sets(sets("beer milk", "beer cheese", "beer", "beer"), TREE, KmAnonymity(2, 2))
    assert done.records.to_pylist() == [["beer", "dairy"], ["beer", "dairy"], ["beer"], ["beer"]]
    assert done.loss == pytest.approx(2 * 0.5 / 6)
    assert done.cut == {"beer": "beer", "milk": "dairy", "cheese": "dairy"}


def test_missing_and_empty_lists_stay_and_doubled_items_count_once() -> None:
    held = pa.array([["beer", "beer"], None, [], ["beer"]], pa.list_(pa.string()))
    done = anonymize_sets(held, TREE, KmAnonymity(2, 2))
    assert done.records.to_pylist() == [["beer"], None, [], ["beer"]]
    chunked = pa.chunked_array([held.slice(0, 2), held.slice(2)])
    assert anonymize_sets(chunked, TREE, KmAnonymity(2, 2)).records.equals(done.records)
    sliced = pa.concat_arrays([sets("soap"), held]).slice(1)
    assert anonymize_sets(sliced, TREE, KmAnonymity(2, 2)).records.equals(done.records)


@pytest.mark.parametrize("held", [[], [[]], [None, []]])
def test_nothing_held_is_nothing_to_generalize(held: list[Any]) -> None:
    column = pa.array(held, pa.list_(pa.string()))
    done = anonymize_sets(column, TREE, KmAnonymity(2, 2))
    assert done.records.to_pylist() == held
    assert (done.loss, done.cut) == (0, {})


def test_numbers_are_items_by_their_text() -> None:
    tree = TreeHierarchy(rows=(("1", "low", "*"), ("2", "low", "*"), ("30", "high", "*")))
    done = anonymize_sets(pa.array([[1], [2], [30], [30]]), tree, KmAnonymity(2, 1))
    assert done.records.to_pylist() == [["low"], ["low"], ["30"], ["30"]]


def test_wrong_sets_are_refused_without_naming_an_item() -> None:
    for column, what in (
        (pa.array(["secret"]), "must be a column of lists"),
        (pa.array([["secret", None]]), "1 items inside the lists are missing"),
        (sets("secret", "beer"), "1 of the 2 items have no row in the tree"),
    ):
        with pytest.raises(DataError, match=what) as refused:
            anonymize_sets(column, TREE, KmAnonymity(2, 1))
        assert "secret" not in str(refused.value)
    with pytest.raises(DataError, match="no generalization meets km-anonymity"):
        anonymize_sets(sets("beer", "", ""), TREE, KmAnonymity(2, 1))


def test_too_many_combinations_are_refused_before_they_are_made() -> None:
    long = pa.array([[str(i) for i in range(21_000)]])
    with pytest.raises(ConfigError, match="combinations of 2 out of 21,000 items"):
        count_itemsets(read_records(long), 2)


def test_parameters_and_json_forms() -> None:
    model = KmAnonymity(5, 2)
    assert KmAnonymity.from_json(model.to_json()) == model
    for form in (
        {"model": "k-anonymity", "k": 5},
        {"model": "km-anonymity", "k": 5},
        {"model": "km-anonymity", "k": 5, "m": 2, "l": 1},
    ):
        with pytest.raises(ConfigError, match="keys model, k and m"):
            KmAnonymity.from_json(form)
    with pytest.raises(ConfigError, match="k must be a whole number >= 2"):
        KmAnonymity(1, 2)
    with pytest.raises(ConfigError, match="m must be a whole number >= 1"):
        KmAnonymity(2, 0)


def test_the_records_of_a_release_are_not_in_what_is_written_about_it() -> None:
    done = anonymize_sets(sets("beer milk", "beer cheese"), TREE, KmAnonymity(2, 2))
    assert isinstance(done, AnonymizedSets)
    assert "milk" not in str(done.to_json())
    assert "milk" not in repr(done)


def faulty(module: types.ModuleType, old: str, new: str) -> types.ModuleType:
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{text.count(old)} times: {old}"
    made = types.ModuleType(module.__name__)
    exec(compile(text.replace(old, new), module.__name__, "exec"), made.__dict__)  # noqa: S102 - our own source
    return made


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lengths[lengths >= size]", "lengths[lengths > size]"),  # records of exactly that many items
        ("keys * len(records.labels) + held", "keys + held"),  # combinations confused
        (
            "pairs = np.unique(owner * max(len(number), 1) + items)",
            "pairs = np.sort(owner * max(len(number), 1) + items)",
        ),  # doubles
    ],
)
def test_a_planted_defect_in_the_counting_is_seen(old: str, new: str) -> None:
    broken = faulty(records, old, new)
    differ = 0
    for seed in range(40):
        held = random_records(seed, rows=80)
        read = broken.read_records(pa.array(held, pa.list_(pa.string())))
        counts = [broken.count_itemsets(read, size)[1] for size in (1, 2)]
        differ += all((count >= 3).all() for count in counts) != by_counting(held, 3, 2)
    assert differ > 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("range(1, require.m + 1)", "range(1, require.m)"),  # the largest combinations left out
        ("while len(rare := ", "if len(rare := "),  # mended once and not looked at again
    ],
)
def test_a_planted_defect_in_the_generalization_is_caught_by_the_last_check(old: str, new: str) -> None:
    broken, caught = faulty(generalize, old, new), 0
    for seed in range(15):
        try:
            broken.anonymize_sets(pa.array(random_records(seed), pa.list_(pa.string())), TREE, KmAnonymity(3, 3))
        except PrivacyError:
            caught += 1
    assert caught > 0
