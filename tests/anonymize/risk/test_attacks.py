"""Attacks by hand, against loops, where nothing leaks (they must not find it) and where a leak was planted (they must)."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import IntervalHierarchy, TreeHierarchy
from tacit.anonymize.risk import attack_release, inference, linkability, singling_out
from tacit.anonymize.risk.attacks import attacks_for
from tacit.anonymize.risk.attacks.nearness import nearness
from tacit.errors import ConfigError, DataError

AGES = IntervalHierarchy.from_widths(0, 100, [10, 50])
CITIES = TreeHierarchy.from_groups({"north": [f"c{i}" for i in range(5)], "south": [f"c{i}" for i in range(5, 10)]})
HIERARCHIES: Any = {"age": AGES, "city": CITIES}
COLUMNS = ["age", "city", "job", "pay"]


def people(n: int, seed: int) -> pa.Table:
    """Independent columns: nothing about one is learned from the others, of anyone."""
    generator = np.random.default_rng(seed)
    return pa.table(
        {
            "age": generator.integers(0, 100, n),
            "city": [f"c{i}" for i in generator.integers(0, 10, n)],
            "job": [f"j{i}" for i in generator.integers(0, 12, n)],
            "pay": np.round(generator.normal(50, 15, n), 1),
            "ill": np.where(generator.random(n) < 0.5, "yes", "no"),
        }
    )


def generalized(table: pa.Table) -> pa.Table:
    """Age and city at level 1, job and pay starred."""
    ages = AGES.generalize(table.column("age").combine_chunks(), 1)[0]
    cities = CITIES.generalize(table.column("city").combine_chunks(), 1)[0]
    stars = ["*"] * table.num_rows
    return pa.table({"age": ages, "city": cities, "job": stars, "pay": stars, "ill": table.column("ill")})


def every_attack(original: pa.Table, released: pa.Table, control: pa.Table, **more: Any) -> list[Any]:
    tables, settings = (original, released, control), {"hierarchies": HIERARCHIES, **more}
    return [
        singling_out(*tables, columns=COLUMNS, width=4, **settings),
        linkability(*tables, known=(["age", "city"], ["job", "pay"]), **settings),
        inference(*tables, known=COLUMNS, secret="ill", **settings),
    ]


def test_where_nothing_leaks_no_attack_says_so() -> None:
    """The release is of other people. Seeds are fixed, so it cannot fail by chance; intervals at 1 - 1e-6, 400 attacks."""
    original, control, others = people(1000, 1), people(1000, 2), people(1000, 3)
    for released in (others, generalized(others)):
        for attack in every_attack(original, released, control, attacks=400, confidence=1 - 1e-6):
            low, high = attack.residual_interval
            assert low <= 0 <= high, attack


@pytest.mark.parametrize("tables", [20, pytest.param(300, marks=pytest.mark.slow)])
def test_every_attack_finds_a_planted_leak_and_claims_none_where_there_is_none(tables: int) -> None:
    """Power and validity at the stated n: 100 attacks on 300 people, with as many in the control, at 95%.

    Planted: the release is the original. Each attack must exclude that there is no risk, in every table: were its power below 0.95,
    300 of 300 would be seen with probability < 0.95^300 = 2.1e-7. No leak: the release is of other people. An interval that
    fails in at most 5% leaves out 0 in more than 37 of 300 tables with probability 1.9e-7, in more than 8 of 20 with 2.0e-7;
    seeds are fixed, so a failure is a change of the attacks, never chance.
    """
    found, wrong = np.zeros(3), np.zeros(3)
    for seed in range(tables):
        original, control, others = (people(300, 3 * seed + i) for i in range(3))
        leak = original.take(np.random.default_rng(seed).permutation(300))
        found += [attack.residual_interval[0] > 0 for attack in every_attack(original, leak, control, attacks=100)]
        ends = [attack.residual_interval for attack in every_attack(original, others, control, attacks=100)]
        wrong += [not low <= 0 <= high for low, high in ends]
    assert found.tolist() == [tables] * 3
    assert (wrong <= (37 if tables == 300 else 8)).all(), wrong


def test_without_a_control_the_rate_stands_alone() -> None:
    original, control = people(300, 1), people(300, 2)
    with_control = every_attack(original, original, control, attacks=100)
    alone = [
        singling_out(original, original, columns=COLUMNS, width=4, attacks=100),
        linkability(original, original, known=(["age", "city"], ["job", "pay"]), attacks=100),
        inference(original, original, known=COLUMNS, secret="ill", attacks=100),
    ]
    for attack, beside in zip(alone, with_control, strict=True):
        assert [attack.control_attacks, attack.control_rate, attack.residual] == [0, None, None]
        assert attack.rate == beside.rate
        assert list(attack.control_interval) == [0, 1]
        assert [finding.name for finding in attack.findings("after")] == [f"{attack.attack}: success, after"]
        assert "learned about anyone" in attack.findings("after")[0].assumption


def test_every_attack_that_a_release_allows_is_tried_and_told_as_it_goes() -> None:
    original, control = people(300, 1), people(300, 2)
    heard: list[tuple[int, int]] = []
    quasi = ["age", "city", "job", "pay"]
    settings: Any = {"quasi": quasi, "attacks": 50, "on_progress": lambda done, total: heard.append((done, total))}
    found = attack_release(original, original, control, secrets=["ill"], **settings)
    assert found == (
        singling_out(original, original, control, columns=quasi, attacks=50),
        linkability(original, original, control, known=(["age", "job"], ["city", "pay"]), attacks=50),
        inference(original, original, control, known=quasi, secret="ill", attacks=50),
    )
    assert heard == [(1, 3), (2, 3), (3, 3)]
    assert [attack.attack for attack in attack_release(original, original, quasi=["age"], attacks=5)] == ["singling out"]
    assert [attacks_for(rows) for rows in (1, 30_000, 60_000, 10**7)] == [1000, 1000, 500, 100]


def test_intervals_of_a_local_recoding_stand_for_the_numbers_in_them() -> None:
    """A Mondrian release writes "[17, 23]"; read as a mere text, it would look as if no attack could succeed."""
    original, control = people(400, 7).select(["age", "ill"]), people(400, 8).select(["age", "ill"])
    ages = original.column("age").to_pylist()
    released = original.set_column(0, "age", pa.array([f"[{age}, {age}]" for age in ages]))
    raw = inference(original, original, control, known=["age"], secret="ill", attacks=200)
    assert inference(original, released, control, known=["age"], secret="ill", attacks=200) == raw
    assert raw.residual is not None
    assert raw.residual > 0


def test_generalizing_takes_the_risk_away_before_and_after() -> None:
    original, control = people(2000, 5), people(2000, 6)
    before = every_attack(original, original, control, attacks=400)
    after = every_attack(original, generalized(original), control, attacks=400)
    for raw, coarse in zip(before, after, strict=True):
        assert coarse.rate < raw.rate / 2 or coarse.residual < raw.residual / 2, (raw, coarse)


def slow_inference(original: pa.Table, released: pa.Table, known: list[str], secret: str) -> int:
    """The nearest rows by counting columns that differ; all values are text."""
    rows, people_rows = released.to_pylist(), original.to_pylist()
    right = 0
    for person in people_rows:
        apart = [sum(row[name] != person[name] for name in known) for row in rows]
        near = Counter(row[secret] for row, distance in zip(rows, apart, strict=True) if distance == min(apart))
        best = max(near.values())
        winners = {value for value, count in near.items() if count == best}
        if len(winners) == 1:
            right += winners == {person[secret]}
        else:  # ties are decided by the order of the values in the original
            order = [*dict.fromkeys([*(p[secret] for p in people_rows), *(r[secret] for r in rows)])]
            right += min(winners, key=order.index) == person[secret]
    return right


@pytest.mark.parametrize("seed", range(5))
def test_inference_is_its_definition(seed: int) -> None:
    original, released = (people(60, seed + i).select(["city", "job", "ill"]) for i in (0, 100))
    found = inference(original, released, original, known=["city", "job"], secret="ill", attacks=60)
    assert (found.successes, found.attacks) == (slow_inference(original, released, ["city", "job"], "ill"), 60)


def test_inference_of_numbers_is_right_within_the_tolerance() -> None:
    released = pa.table({"city": ["a", "a", "b"], "pay": [90.0, 110.0, 50.0]})
    original = pa.table({"city": ["a", "a", "b", "b"], "pay": [104.0, 106.0, 50.0, None]})
    found = inference(original, released, original, known=["city"], secret="pay")
    assert (found.successes, found.attacks) == (2, 4)  # the guesses are 100, 100, 50 and 50: within 5% of 104 and of 50
    assert inference(original, released, original, known=["city"], secret="pay", tolerance=0.06).successes == 3
    assert inference(original, released, original, known=["city"], secret="pay", tolerance=0.0).successes == 1


def test_linkability_by_hand() -> None:
    released = pa.table({"a": ["x", "y", "z"], "b": ["p", "q", "r"]})
    original = pa.table({"a": ["x", "y", "z"], "b": ["p", "q", "p"]})
    found = linkability(original, released, pa.table({"a": ["x"], "b": ["q"]}), known=(["a"], ["b"]))
    assert (found.successes, found.attacks, found.control_successes, found.control_attacks) == (2, 3, 0, 1)
    assert linkability(original, released, original, known=(["a"], ["b"]), neighbours=3).successes == 3


def test_linkability_breaks_ties_of_the_two_records_apart() -> None:
    """In a class of 50 equal rows each record takes one at random: they meet once in 50 (5,000 tries; Hoeffding at 1e-6: 0.039)."""
    stars = pa.table({"a": ["*"] * 50, "b": ["*"] * 50})
    crowd = pa.table({"a": ["x"] * 5000, "b": ["p"] * 5000})
    assert abs(linkability(crowd, stars, crowd, known=(["a"], ["b"]), attacks=5000).rate - 0.02) < 0.039


def test_singling_out_by_hand() -> None:
    released = pa.table({"a": ["x", "y", "z"], "age": ["[0, 10)", "*", "[10, 20)"]})
    original = pa.table({"a": ["x", "y", "y", "w"], "age": [5, 40, 40, 15]})
    found = singling_out(original, released, original, columns=["a", "age"], width=2, hierarchies={"age": AGES})
    # (x, [0, 10)) fits the first; (y, *) fits two; (z, [10, 20)) fits nobody
    assert (found.successes, found.attacks) == (1, 3)


def test_a_number_is_described_by_the_side_that_leads_away_from_the_median() -> None:
    released = pa.table({"pay": [1.0, 5.0, 9.0]})
    original = pa.table({"pay": [0.5, 2.0, 6.0, 8.0, 9.5]})
    found = singling_out(original, released, original, columns=["pay"])
    assert (found.successes, found.attacks) == (2, 3)  # <= 1 fits 0.5; >= 5 fits three; >= 9 fits 9.5


def test_the_descriptions_that_fit_the_fewest_released_rows_are_tried() -> None:
    """Half of the rows are alone: of the four descriptions drawn for one attack, one is of such a row in 15 of 16 cases."""
    half = pa.table({"a": [f"v{i}" for i in range(100)] + ["common"] * 100})
    found = [singling_out(half, half, half, columns=["a"], attacks=1, seed=seed).successes for seed in range(40)]
    assert sum(found) >= 30  # 37.5 are expected, 20 when the first drawn is tried


def test_original_and_control_are_brought_to_one_size() -> None:
    """With fewer people more descriptions fit one: a small control must not look safer or worse than it is."""
    crowd, released, few = (
        table.set_column(0, "age", table.column("age").cast(pa.string()))
        for table in (people(4000, 1), people(1000, 3), people(500, 2))
    )
    found = singling_out(crowd, released, few, columns=["age", "city"], width=2, attacks=500, confidence=1 - 1e-6)
    assert found.control_rate == pytest.approx(
        0.3, abs=0.1
    )  # 1,000 cells: Poisson of mean 1/2 is 1 with 0.30, of mean 4 with 0.07
    low, high = found.residual_interval
    assert low <= 0 <= high


def test_a_label_stands_for_the_values_under_it_at_any_level() -> None:
    released = pa.table({"age": ["[0, 10)", "[0, 50)", "*", "7", None], "city": ["c1", "north", "south", "*", "c2"]})
    persons = pa.table({"age": [7, 60, None], "city": ["c1", "c7", None]})
    near = nearness(persons, released, ["age", "city"], HIERARCHIES)
    every = np.arange(3)
    assert near["age"].distances(every).tolist() == [[0, 0, 0, 0, 1], [1, 1, 0, 1, 1], [1, 1, 0, 1, 0]]
    assert near["city"].distances(every).tolist() == [[0, 0, 1, 0, 1], [1, 1, 0, 0, 1], [1, 1, 1, 0, 1]]


def test_numbers_are_as_far_apart_as_their_share_of_the_range() -> None:
    persons, released = pa.table({"pay": [0.0, None, 10.0]}), pa.table({"pay": [5.0, None, 20.0]})
    near = nearness(persons, released, ["pay"], {})
    assert near["pay"].distances(np.arange(3)).tolist() == [[0.25, 1, 1], [1, 0, 1], [0.25, 1, 0.5]]


def test_the_attacks_are_fixed_by_their_seed() -> None:
    original, control = people(300, 1), people(300, 2)
    first, again, other = (every_attack(original, original, control, attacks=50, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_bad_input_is_refused() -> None:
    one, other = people(20, 1), people(20, 2)
    with pytest.raises(ConfigError, match="must not be known"):
        inference(one, one, other, known=["age", "ill"], secret="ill")
    with pytest.raises(DataError, match="released as it was"):
        inference(one, generalized(one), other, known=["city"], secret="pay")
    with pytest.raises(ConfigError, match="share no column"):
        linkability(one, one, other, known=(["age"], ["age"]))
    with pytest.raises(ConfigError, match="no column"):
        linkability(one, one, other, known=(["age"], []))
    with pytest.raises(ConfigError, match="width"):
        singling_out(one, one, other, columns=["age"], width=0)
    with pytest.raises(ConfigError, match="attacks"):
        inference(one, one, other, known=["age"], secret="ill", attacks=0)
    with pytest.raises(DataError, match="no rows"):
        inference(one, one, other.slice(0, 0), known=["age"], secret="ill")
    with pytest.raises(DataError, match="no rows"):
        inference(one, one.slice(0, 0), other, known=["age"], secret="ill")
    with pytest.raises(DataError, match="column 'age' is int64 in the original and string"):
        inference(one, one, generalized(other), known=["age"], secret="ill")
    with pytest.raises(DataError, match=r"column 'city': none of its released values.*Give the hierarchy"):
        inference(one, generalized(one), other, known=["city"], secret="ill")
    outside = one.set_column(0, "age", pa.array([7777] * 20))
    with pytest.raises(DataError, match="column 'age'") as caught:
        inference(outside, generalized(one), other, known=["age"], secret="ill", hierarchies=HIERARCHIES)
    assert "7777" not in str(caught.value)
