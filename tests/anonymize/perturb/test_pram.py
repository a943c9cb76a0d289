from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anonymize.perturb.tables import FEW, hoeffding, people
from tacit.anonymize.perturb import Transition, pram
from tacit.anonymize.perturb import transitions as module
from tacit.errors import ConfigError, DataError, ShapeError
from tacit.noise import OsSource

SOURCE = OsSource.from_os()
TOWNS = ("Kiel", "Jena", "Gera")
MATRIX = np.array([[0.7, 0.2, 0.1], [0.0, 0.6, 0.4], [0.5, 0.25, 0.25]])


def shares(table: pa.Table, before: pa.Table) -> Any:
    """Return what each town became, as shares, and how many rows each had."""
    old, new = np.array(before["town"].to_pylist()), np.array(table["town"].to_pylist())
    counts = np.array([[((old == one) & (new == two)).sum() for two in TOWNS] for one in TOWNS])
    return counts / counts.sum(axis=1, keepdims=True), counts.sum(axis=1)


def test_each_category_becomes_the_others_with_the_chances_of_its_row() -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding on nine shares)."""
    table = people(20_000)
    found, rows = shares(
        pram(table, "town", Transition(categories=TOWNS, matrix=MATRIX), source=SOURCE, attacker=FEW).table, table
    )
    bounds = np.array([[hoeffding(count, 1e-9, events=9)] * 3 for count in rows])
    assert (np.abs(found - MATRIX) <= bounds).all()
    assert not (np.abs(found - MATRIX.T) <= bounds).all()  # columns taken for rows are seen
    assert not (np.abs(found - (0.85 * MATRIX + 0.15 * np.eye(3))) <= bounds).all()  # and 15% too few changes
    assert found[1, 0] == 0.0


def test_two_categories_made_invariant_by_hand() -> None:
    """30 rows of a, 10 of b; a stays with 9/10, b with 4/5. Outcome: 29 and 11; back: 27/29, 2/29 and 3/11, 8/11."""
    made = Transition(categories=("a", "b"), matrix=np.array([[0.9, 0.1], [0.2, 0.8]])).invariant([30, 10])
    stays = Fraction(9, 10) * Fraction(27, 29) + Fraction(1, 10) * Fraction(3, 11)
    back = Fraction(1, 5) * Fraction(27, 29) + Fraction(4, 5) * Fraction(3, 11)
    assert 30 * stays + 10 * back == 30
    assert made.matrix.tolist() == [
        pytest.approx([float(stays), float(1 - stays)]),
        pytest.approx([float(back), float(1 - back)]),
    ]


def test_an_invariant_matrix_keeps_the_expected_counts_whatever_it_is_made_of() -> None:
    generator = np.random.default_rng(0)
    for size in (2, 3, 5, 12):
        for counts in (generator.integers(0, 50, size) + (np.arange(size) == 0), np.eye(size)[0] * 7):
            matrix = generator.dirichlet(np.full(size, 0.3), size)
            made = Transition(categories=[str(at) for at in range(size)], matrix=matrix).invariant(counts)
            assert counts @ made.matrix == pytest.approx(counts, abs=1e-9)
            assert not np.allclose(counts @ matrix, counts)


def test_counts_stay_in_expectation_when_asked_for_and_else_do_not() -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding on three shares of 20,000)."""
    table, transition = people(20_000), Transition.retaining(TOWNS, 0.6)
    bound = hoeffding(20_000, 1e-9, events=3)
    for invariant in (True, False):
        effect = pram(table, "town", transition, invariant=invariant, source=SOURCE, attacker=FEW).effect.columns["town"]
        assert (effect.distance <= 1.5 * bound) == invariant
        assert effect.changed > 0.3


def test_the_estimate_undoes_the_expected_counts_exactly() -> None:
    transition = Transition(categories=("a", "b"), matrix=np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert transition.estimate([29, 11]) == pytest.approx([30, 10])
    with pytest.raises(ConfigError, match="cannot be inverted"):
        Transition.retaining(("a", "b"), 0.5).estimate([1, 1])


def test_the_edges_of_chance_stay_inside_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"town": list(TOWNS)})
    for chance, expected in ((0.0, ["Kiel", "Jena", "Kiel"]), (1 - 2**-53, ["Gera", "Gera", "Gera"])):
        monkeypatch.setattr(module, "fractions", lambda count, source, chance=chance: np.full(count, chance))
        made = pram(table, "town", Transition(categories=TOWNS, matrix=MATRIX), source=SOURCE)
        assert made.table["town"].to_pylist() == expected
    short = np.array([[0.3, 0.7 - 1e-10, 0.0], [1, 0, 0], [1, 0, 0]])  # a sum below 1 never makes what has no chance
    assert module._drawn(np.array([0]), short, np.array([1 - 2**-53])).tolist() == [1]


def test_missing_stays_and_the_type_stays() -> None:
    table = pa.table(
        {"a": pa.array([1, None, 2, 1]), "b": [True, False, None, True], "c": pa.array(["x", "y", None, "x"]).dictionary_encode()}
    )
    for name, categories in (("a", "12"), ("b", ("true", "false")), ("c", "xy")):
        made = pram(table, name, Transition.retaining(tuple(categories), 0.0), source=SOURCE)
        assert made.table[name].null_count == 1
        assert made.effect.columns[name].changed == 0.75
    assert made.table.schema.field("a").type == pa.int64()


def test_a_value_without_chances_is_refused_by_its_row_and_not_shown() -> None:
    table = pa.table({"town": ["Kiel", None, "Atlantis"]})
    with pytest.raises(DataError, match="in row 3 ") as refusal:
        pram(table, "town", Transition.retaining(TOWNS, 0.8), source=SOURCE)
    assert "Atlantis" not in str(refusal.value)
    with pytest.raises(DataError, match="cannot be read as int64"):
        pram(pa.table({"town": [1, 2]}), "town", Transition.retaining(TOWNS, 0.8), source=SOURCE)


def test_a_matrix_that_is_none_is_refused() -> None:
    for matrix in (np.eye(2), np.ones(3), np.eye(3)[:2]):
        with pytest.raises(ShapeError):
            Transition(categories=TOWNS, matrix=matrix)
    for matrix in (np.eye(3) * 0.9, np.array([[2.0, -1, 0], [0, 1, 0], [0, 0, 1]]), np.full((3, 3), np.nan)):
        with pytest.raises(ConfigError, match="sum is 1"):
            Transition(categories=TOWNS, matrix=matrix)
    for categories in (("a",), ("a", "a"), "ab"):
        with pytest.raises(ConfigError, match="categories"):
            Transition(categories=categories, matrix=np.eye(len(categories)))
    for share in (-0.1, 1.1):
        with pytest.raises(ConfigError, match="share"):
            Transition.retaining(TOWNS, share)
    with pytest.raises(ShapeError, match="counts"):
        Transition.retaining(TOWNS, 0.8).invariant([1, 2])
    assert not Transition.retaining(TOWNS, 0.8).matrix.flags.writeable
