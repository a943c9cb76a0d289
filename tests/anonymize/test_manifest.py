"""What travels with a table tells nothing of its rows that the table does not: change a row, keep the table, and it stays byte-equal."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize import (
    Anonymization,
    IntervalHierarchy,
    KAnonymity,
    Loss,
    Microaggregation,
    NonUniformEntropy,
    TCloseness,
    TreeHierarchy,
    anonymize,
)
from tacit.anonymize.manifest import custodian_record
from tacit.errors import DataError

AGE = IntervalHierarchy.from_widths(0, 60, [5, 10, 20])
TOWNS = ("Kiel", "Husum", "Jena", "Gera", "Bonn", "Trier")
TOWN = TreeHierarchy.from_groups({"coast": ["Kiel", "Husum"], "hills": ["Jena", "Gera"], "rhine": ["Bonn", "Trier"]})
DECLARED: Mapping[str, Any] = {"age": AGE, "town": TOWN}
ROWS = 24


def people(chance: np.random.Generator) -> pa.Table:
    """Return a small table in which few values are rare, so that some rows are left out."""
    ages = np.where(chance.random(ROWS) < 0.85, chance.integers(10, 30, ROWS), chance.integers(0, 61, ROWS))
    towns = chance.choice(TOWNS, ROWS, p=(0.4, 0.3, 0.15, 0.05, 0.05, 0.05))
    return pa.table({"age": ages, "town": towns, "ill": chance.choice(("flu", "cold", "gout"), ROWS)})


def changed(table: pa.Table, chance: np.random.Generator) -> pa.Table:
    """Return the table with another age or town in one row."""
    name = str(chance.choice(("age", "town")))
    values = table.column(name).to_pylist()
    values[int(chance.integers(ROWS))] = int(chance.integers(0, 61)) if name == "age" else str(chance.choice(TOWNS))
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def released(table: pa.Table, **more: Any) -> Anonymization | None:
    """Return the release of a table, None where there is none."""
    asked = {"quasi": DECLARED, "require": [KAnonymity(3)], "suppression_limit": 0.3, "keep": ["ill"]}
    try:
        return anonymize(table, **{**asked, **more})
    except DataError:
        return None


def text(result: Anonymization) -> str:
    return json.dumps(result.manifest())


_CASES: dict[str, dict[str, Any]] = {
    "full-domain": {},
    "suppressed rows that cost less": {"minimize": Loss(generalization_vs_suppression=0.2)},
    "a metric of all original values": {"minimize": NonUniformEntropy()},
    "hierarchies from the data": {"quasi": ["age", "town"]},
    "rounds": {"recoding": "local"},
    "intervals of a class": {"recoding": "mondrian", "suppression_limit": 0},
    "means of a class": {"recoding": Microaggregation(k=3), "suppression_limit": 0},
    "a research subset": {"subset": np.arange(ROWS) % 3 > 0},
}


@pytest.mark.parametrize("case", _CASES)
def test_a_changed_row_that_the_table_does_not_show_does_not_show_in_the_manifest(case: str) -> None:
    """28 changes of one row of 7 tables a case; those that leave the released table byte-equal leave the manifest so, too."""
    chance, equal = np.random.default_rng(list(_CASES).index(case)), 0
    for _ in range(7):
        table = people(chance)
        first = released(table, **_CASES[case])
        for _ in range(4):
            other = released(changed(table, chance), **_CASES[case])
            if first is not None and other is not None and first.table.equals(other.table):
                equal += 1
                assert text(other) == text(first)
    assert equal >= 2, "else nothing was compared"


def test_who_of_a_research_subset_is_left_out_does_not_show() -> None:
    """One row more in the subset, and suppressed: only the custodian's record counts it."""
    table = pa.table({"age": [11] * 6 + [55, 56], "town": ["Kiel"] * 8})
    told = []
    for last in (True, False):
        subset = np.array([True] * 6 + [True, last])
        result = released(table, subset=subset, keep=[])
        assert result is not None
        assert result.suppressed == 1 + last
        assert custodian_record(result)["suppressed"] == 1 + last
        told.append(text(result))
    assert told[0] == told[1]
    assert json.loads(told[0])["rows"] is None


def test_how_far_a_class_reaches_behind_its_mean_does_not_show() -> None:
    """Ages 10, 20, 30 and 15, 20, 25 have one mean, and what a column lost would tell them apart."""
    told = []
    for ages in ([10, 20, 30], [15, 20, 25]):
        result = released(pa.table({"age": ages}), quasi={"age": AGE}, keep=[], recoding=Microaggregation(k=3))
        assert result is not None
        assert result.table.column("age").to_pylist() == [20.0] * 3
        assert custodian_record(result)["losses"]["age"] == pytest.approx((ages[2] - ages[0]) / 60)
        told.append(text(result))
    assert told[0] == told[1]


def test_a_list_of_values_travels_as_its_hash_alone(tmp_path: Path) -> None:
    """A hierarchy and an order of sensitive values are often written from the data: here each names one that is not released."""
    (tmp_path / "town.csv").write_text("Kiel;coast\nHusum;coast\nHallig;islet\n", encoding="utf-8")
    table = pa.table({"town": ["Kiel", "Husum"] * 3 + ["Hallig"], "ill": ["flu", "cold"] * 3 + ["rabies"]})
    result = anonymize(
        table,
        quasi={"town": TreeHierarchy.from_csv(tmp_path / "town.csv")},
        require=[KAnonymity(3), TCloseness("ill", 0.4, order=("cold", "flu", "rabies"))],
        suppression_limit=0.2,
    )
    assert result.suppressed == 1
    told = text(result)
    assert not [word for word in ("Hallig", "islet", "rabies", "coast") if word in told]
    rows = '{"rows":[["Kiel","coast","*"],["Husum","coast","*"],["Hallig","islet","*"]]}'  # by hand
    settings = json.loads(told)["settings"]
    assert settings["hierarchies"]["town"] == {"levels": 3, "sha256": hashlib.sha256(rows.encode()).hexdigest()}
    order = hashlib.sha256(b'["cold","flu","rabies"]').hexdigest()
    assert settings["models"][1] == {**TCloseness("ill", 0.4).to_json(), "distance": "ordered", "order": {"sha256": order}}
    assert "Hallig" in json.dumps(custodian_record(result)), "the custodian has it in full"


def test_declared_numbers_travel_and_what_was_built_from_the_data_does_not() -> None:
    table = people(np.random.default_rng(0))
    result = released(table)
    assert result is not None
    form = result.manifest()["settings"]["hierarchies"]["age"]
    assert {key: form[key] for key in ("low", "high", "cuts")} == AGE.to_json()
    built = released(table, quasi=["age", "town"])
    assert built is not None
    assert built.manifest()["settings"]["hierarchies"] == {"age": {"origin": "data"}, "town": {"origin": "data"}}
    assert built.manifest()["losses"] == {"age": None, "town": None}
    assert built.manifest()["score"] is None


def test_losses_that_are_told_are_those_of_the_metric() -> None:
    """Where the table tells them: compared with the sum over tuples that the search itself uses."""
    for seed in range(4):
        for minimize in (Loss(), Loss(aggregate="rank", weights={"age": 2}), Loss(generalization_vs_suppression=0.8)):
            result = released(people(np.random.default_rng(seed)), minimize=minimize)
            if result is None:
                continue
            told = result.manifest()
            assert list(told["losses"].values()) == pytest.approx(Loss().columns(result.recoded).tolist(), abs=2e-10)
            score = list(result.score) if isinstance(result.score, tuple) else result.score
            assert told["score"] == pytest.approx(score, abs=2e-10)
    cheap = released(people(np.random.default_rng(0)), minimize=Loss(generalization_vs_suppression=0.2))
    assert cheap is not None
    assert cheap.manifest()["score"] is None, "it counts what suppressed rows would have become"


def test_a_search_with_a_time_limit_does_not_tell_whether_it_ended() -> None:
    """How long a search takes depends on every row."""
    free, limited = (released(people(np.random.default_rng(1)), time_limit=limit) for limit in (None, 60.0))
    assert free is not None
    assert limited is not None
    assert free.manifest()["search"] == "full-domain search, proved optimal"
    assert (limited.optimal, limited.manifest()["search"]) == (True, "full-domain search, best found")
    assert limited.manifest()["settings"]["time_limit"] == 60


def test_a_recoding_whose_values_are_exact_says_so() -> None:
    table = people(np.random.default_rng(2))
    told = {}
    for recoding in ("mondrian", Microaggregation(k=3), "full-domain"):
        result = released(table, recoding=recoding)
        assert result is not None
        told[str(recoding)] = result.manifest()["tells"]
    exact = ["exact" in words for words in told.values()]
    assert exact == [True, True, False]
    assert "smallest and the largest value" in told["mondrian"]
