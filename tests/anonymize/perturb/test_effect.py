"""Linkage against a slow obvious one, and every figure of the effect against another way to compute it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from anonymize.perturb.tables import people, values
from tacit.anonymize.perturb import (
    Linkage,
    add_noise,
    add_private_noise,
    code_extremes,
    pram,
    rank_swap,
    round_values,
    sample_rows,
    shuffle,
)
from tacit.anonymize.perturb.effect import measure_effect
from tacit.anonymize.perturb.linkage import linked
from tacit.anonymize.perturb.transitions import Transition
from tacit.anonymize.risk import measure_risk
from tacit.errors import ConfigError, DataError
from tacit.noise import OsSource, SeededSource
from tacit.privacy import Ledger
from tacit.tables import Bounds

SOURCE = OsSource.from_os()
TOWNS = ("Kiel", "Jena", "Gera")


def slowly_linked(original: pa.Table, released: pa.Table, known: list[str], rows: Any, targets: Any) -> float:
    """The definition, one target and one row after the other, in Python's floats."""
    spreads = {}
    for name in known:
        there = [value for value in original[name].to_pylist() if value is not None]
        spreads[name] = (float(np.std(there)) or 1.0) if not isinstance(there[0], str) else None
    total = 0.0
    for target in targets:
        distances = []
        for row in range(released.num_rows):
            distance = 0.0
            for name in known:
                one, two, spread = original[name][int(target)].as_py(), released[name][row].as_py(), spreads[name]
                if one is None or two is None:
                    distance += (one is None) != (two is None)
                elif spread is None:
                    distance += one != two
                else:
                    distance += (one / spread - two / spread) ** 2
            distances.append(distance)
        nearest = [row for row, distance in enumerate(distances) if distance <= min(distances) * (1 + 1e-12)]
        total += sum(int(rows[row]) == int(target) for row in nearest) / len(nearest)
    return total / len(targets)


@pytest.mark.parametrize("known", [["age"], ["town"], ["score"], ["age", "town", "score"]])
def test_linkage_equals_the_slow_one(known: list[str]) -> None:
    original = people(60, seed=4)
    noisy = rank_swap(add_noise(original, ["score"], scale=0.2, source=SOURCE).table, ["age"], window=0.1, source=SOURCE).table
    rows = np.array([at for at in range(60) if at % 3])
    released, targets = noisy.take(pa.array(rows)), np.arange(60)
    for one, places in ((noisy, np.arange(60)), (released, rows)):
        found = linked(original, one, known, rows=places, targets=targets)
        assert found == pytest.approx(slowly_linked(original, one, known, places, targets), abs=1e-12)


def test_by_hand_equal_rows_are_guessed_and_rows_left_out_are_missed() -> None:
    """a is one of two equal rows: 1/2 each; b is alone: 1; c is not released: 0, though b is nearest. Together 2 of 4."""
    original = pa.table({"x": ["a", "a", "b", "c"]})
    released = original.slice(0, 3)
    assert linked(original, released, ["x"], rows=np.arange(3), targets=np.arange(4)) == 0.5
    assert linked(original, original, ["x"], rows=np.arange(4), targets=np.arange(4)) == 0.75


def test_linking_the_original_is_its_average_prosecutor_risk() -> None:
    table = people(300)
    risk = measure_risk(table, ["age", "town"], threshold=0.2)
    everyone = np.arange(300)
    assert linked(table, table, ["age", "town"], rows=everyone, targets=everyone) == pytest.approx(risk.average)


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    table, everyone = people(200), np.arange(200)
    whole = linked(table, table, ["age", "score"], rows=everyone, targets=everyone)
    monkeypatch.setattr("tacit.anonymize.perturb.linkage._CELLS", 450)
    assert linked(table, table, ["age", "score"], rows=everyone, targets=everyone) == pytest.approx(whole, abs=1e-12)


def test_the_columns_figures_equal_those_of_others() -> None:
    table = people(2_000)
    effect = rank_swap(table, ["age"], window=0.1, source=SOURCE).effect
    made = add_noise(table, ["age", "score"], scale=0.7, source=SOURCE)
    for name in ("age", "score"):
        before, after = values(table, name), values(made.table, name)
        before, after = before[~np.isnan(before)], after[~np.isnan(after)]
        found = made.effect.columns[name]
        assert found.distance == pytest.approx(stats.ks_2samp(before, after).statistic * len(before) / 2_000)
        assert [found.mean_before, found.mean_after] == pytest.approx([before.mean(), after.mean()])
        assert [found.deviation_before, found.deviation_after] == pytest.approx([before.std(), after.std()])
        assert found.changed == len(before) / 2_000
    assert effect.correlated == ("age", "income", "score")
    expected = np.corrcoef(values(table, "age"), values(table, "income"))[0, 1]
    assert effect.correlations_before[0][1] == pytest.approx(expected)
    there = table["score"].is_valid().to_numpy()
    assert effect.correlations_before[0][2] == pytest.approx(
        np.corrcoef(values(table, "age")[there], values(table, "score")[there])[0, 1]
    )


def test_categories_by_hand_total_variation_counts_missing_as_a_value() -> None:
    """Shares before (1/2, 1/4, 1/4 missing), after (1/4, 3/4, 0): half of 1/4 + 1/2 + 1/4."""
    before, after = pa.table({"x": ["a", "a", "b", None]}), pa.table({"x": ["a", "b", "b", "b"]})
    effect = measure_effect(before, after, ["x"], rows=np.arange(4), attacker=Linkage(), source=SOURCE)
    assert effect.columns["x"].distance == 0.5
    assert effect.columns["x"].changed == 0.5
    assert effect.columns["x"].mean_before is None
    assert effect.correlations_before == ()
    assert effect.correlation_change == 0.0


def test_the_largest_change_of_a_correlation_is_told() -> None:
    before = pa.table({"x": [1, 2, 3, 4], "y": [1, 2, 3, 4]})
    after = before.set_column(1, "y", pa.array([4, 3, 2, 1]))
    effect = measure_effect(before, after, ["y"], rows=np.arange(4), attacker=Linkage(), source=SOURCE)
    assert effect.correlation_change == pytest.approx(2.0)


def test_targets_are_drawn_at_random_and_their_error_is_stated() -> None:
    effect = round_values(people(3_000), {"age": 5}, source=SOURCE, attacker=Linkage(known=["age", "income"], targets=200)).effect
    assert (effect.targets, effect.known) == (200, ("age", "income"))
    assert effect.linked_error == pytest.approx(math.sqrt(math.log(40) / 400))  # Hoeffding: 2 exp(-2 n e^2) = 0.05
    one, two = (round_values(people(3_000), {"age": 5}, source=SeededSource(7)).effect for _ in range(2))
    assert one == two


METHODS = {
    "noise": lambda table, name, **more: add_noise(table, [name], scale=0.3, source=SOURCE, **more),
    "swap": lambda table, name, **more: rank_swap(table, [name], window=0.5, source=SOURCE, **more),
    "extremes": lambda table, name, **more: code_extremes(table, name, top=2, source=SOURCE, **more),
    "rounding": lambda table, name, **more: round_values(table, {name: 5}, source=SOURCE, **more),
    "pram": lambda table, name, **more: pram(table, name, Transition.retaining(("1", "2"), 0.8), source=SOURCE, **more),
    "shuffle": lambda table, name, **more: shuffle(table, [name], source=SOURCE, **more),
}


@pytest.mark.parametrize("method", METHODS)
def test_none_of_these_is_called_differential_privacy_and_none_changes_its_input(method: str) -> None:
    table = pa.table({"x": [1, 2, 2, 1, 2, 1], "other": ["a", "b", "c", "d", "e", "f"]})
    copy = pa.table(table.to_pydict())
    made = METHODS[method](table, "x")
    record = made.to_json()
    assert record["claim"] == "perturbed values; not differential privacy"
    assert record["guarantee"] is None
    assert record["effect"]["use"] == "exact statistics of private rows: for the custodian, not for release"
    assert record["randomness"] == {"source": "os-aes256-ctr", "protects": True}
    assert table.equals(copy)
    assert made.table["other"].equals(table["other"])
    sampled = sample_rows(table, fraction=0.5, source=SeededSource(1))
    assert "not differential" in sampled.to_json()["claim"]
    assert not sampled.protects


@pytest.mark.parametrize("method", [*METHODS, "sampling", "private noise"])
def test_each_perturbation_reports_its_risk_and_its_use_before_and_after(method: str, tmp_path: Path) -> None:
    """300 rows that a number tells apart, x being 1 for the first two and 2 for the others.

    Fails by chance when not one of 300 values moves, or when PRAM turns as many 2s into 1s as 1s into 2s: at most
    P(Bin(298, 0.2) <= 2) = 3.8e-26.
    """
    table = pa.table({"x": [1, 1] + [2] * 298, "alone": [float(row) for row in range(300)]})
    name = "x" if method == "pram" else "alone"
    source, knows = SeededSource(3), Linkage(known=[name], targets=300)
    if method == "sampling":
        effect = sample_rows(table, fraction=0.5, source=source, attacker=knows).effect
    elif method == "private noise":
        with Ledger.open(tmp_path / "ledger.sqlite", key_folder=tmp_path / "keys") as ledger:
            ledger.grant("survey", epsilon=1.0, delta=1e-6)
            bounds, price = {"alone": Bounds(low=0, high=300)}, {"epsilon": 1.0, "delta": 1e-6}
            paid: Any = {**price, "ledger": ledger, "budget": "survey", "request_id": "one"}
            effect = add_private_noise(table, bounds, source=source, attacker=knows, **paid).effect
    else:
        effect = METHODS[method](table, name, attacker=knows).effect
    before, figures = (2 / 300 if name == "x" else 1.0), effect.to_json()
    assert (effect.known, effect.targets, effect.linked_error) == ((name,), 300, 0.0)
    assert effect.linked_before == pytest.approx(before)
    assert effect.linked_after < before
    column = effect.columns[name]
    assert column.changed > 0 or method == "sampling"
    assert column.distance > 0 or method in ("swap", "shuffle")
    assert None not in (column.mean_before, column.mean_after, column.deviation_before, column.deviation_after)
    assert "alone" in effect.correlated
    assert {"linked_before", "linked_after", "columns", "correlations_before", "correlations_after"} <= set(figures)


@pytest.mark.parametrize("method", METHODS)
def test_bad_input_is_one_clear_error(method: str) -> None:
    make = METHODS[method]
    two_of_a_name = pa.table([pa.array([1, 2]), pa.array([1, 2])], names=["x", "x"])
    for table, words in (
        (pa.table({"x": pa.array([None, None], pa.int64())}), "every value of column 'x' is missing"),
        (pa.table({"x": pa.array([], pa.int64())}), "no rows"),
        (pa.table({"y": [1, 2]}), "is not in the table"),
        (two_of_a_name, "2 times|2 columns"),
        (pa.table({"x": [1, 2], "y": [[1], [2]]}), "lists or structures"),
    ):
        with pytest.raises(DataError, match=words):
            make(table, "x")
    if method not in ("pram", "shuffle"):
        with pytest.raises(DataError, match=r"numbers|no ranks"):
            make(pa.table({"x": ["1", "2", "two"]}), "x")
    with pytest.raises((DataError, ConfigError)):
        make(pa.table({"x": [1, 2]}), "x", attacker=Linkage(known=["z"]))


def test_infinite_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="infinite"):
        add_noise(pa.table({"x": [1.0, math.inf]}), ["x"], scale=0.3, source=SOURCE)


@pytest.mark.parametrize(
    "settings", [{"known": "age"}, {"known": ["a", "a"]}, {"targets": 0}, {"targets": True}, {"targets": 1.5}]
)
def test_an_attacker_who_is_none_is_refused(settings: Any) -> None:
    with pytest.raises(ConfigError):
        Linkage(**settings)
