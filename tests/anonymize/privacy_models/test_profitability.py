"""Profitability: by hand, against brute force over all levels, and with planted defects."""

import itertools
import math
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pyarrow as pa
import pytest

from anonymize.brute_force import Problem, generalized, random_problem
from anonymize.privacy_models.planted import faulty
from tacit.anonymize.classes import Classes, information_lost
from tacit.anonymize.coding import code_table, distinct_tuples
from tacit.anonymize.hierarchies import TreeHierarchy
from tacit.anonymize.privacy_models import Profitability, model_from_json
from tacit.anonymize.search import search_levels
from tacit.anonymize.utility.loss import Loss

Person = tuple[str | None, ...]


def held(model: Any, sizes: list[int], lost: float, population: list[int] | None = None) -> list[bool]:
    people = None if population is None else np.array(population)
    classes = Classes(sizes=np.array(sizes), rows=sum(sizes), lost=np.full(len(sizes), lost), population=people)
    return model.holds(classes).tolist()  # type: ignore[no-any-return]


def test_information_lost_is_the_logarithm_of_what_is_covered_over_that_of_everything() -> None:
    """Two domains of 4: raw, two of four beside "*", all; a number without rows of its own counts as one of its domain."""
    shares = np.array([[0.25, 0.25], [0.5, 1.0], [1.0, 1.0], [0.0, 1.0]])
    assert information_lost(shares, np.array([4, 4])) == pytest.approx([0, 0.75, 1, 0.5], abs=1e-15)
    expected = 1 + mpmath.log(mpmath.mpf(2) / 3) / mpmath.log(15)
    assert information_lost(np.array([[2 / 3, 1.0]]), np.array([3, 5])) == pytest.approx([float(expected)], abs=1e-15)
    assert information_lost(np.array([[1.0]]), np.array([1])).tolist() == [0]


def test_by_hand_a_class_that_just_pays_and_one_of_a_row_less() -> None:
    """A quarter kept of 1,200 is 300: a loss of 1,200 among 5 rows costs 240, among 4 exactly 300, and more is asked for."""
    model = Profitability(1200, 1200, 300, 4)
    assert held(model, [5, 4, 3], 0.75) == [True, False, False]
    assert held(Profitability(1200, 1199.99, 300, 4), [4], 0.75) == [True]


def test_by_hand_an_attack_that_gains_nothing_does_not_happen() -> None:
    """300 / 4 = 75: at that cost nobody looks among 4 rows. Among 3 they do, and 400 is more than the 300 that are kept."""
    assert held(Profitability(1200, 1200, 300, 75), [4, 3], 0.75) == [True, False]
    assert held(Profitability(1200, 1200, 300, 74.99), [4], 0.75) == [False]


def test_by_hand_a_journalist_looks_among_the_population() -> None:
    assert held(Profitability(1200, 1200, 300, 4, "journalist"), [1, 9], 0.75, [5, 4]) == [True, False]
    assert held(Profitability(1200, 0, 300, 4, "journalist"), [1], 0.75, [0]) == [False]


def test_what_tells_nothing_is_not_worth_publishing_and_a_small_loss_publishes_everybody() -> None:
    assert held(Profitability(1200, 0, 300, 4), [1000], 1.0) == [False]
    assert held(Profitability(1200, 300, 300, 4), [1], 0.7) == [True]


# --- Brute force ---------------------------------------------------------------------------------------------------------


def released(form: Any, cells: list[Any], problem: Problem, alike: Counter[Any]) -> list[bool]:
    """Return which rows of a node are released, from the labels and shares of their cells, in 50 digits."""
    amount = {name: mpmath.mpf(str(form[name])) for name in ("benefit", "loss", "gain", "cost")}
    whole = mpmath.log(math.prod(len(tree) for tree in problem.trees))
    kept = []
    for row in cells:
        covered = math.prod((share for _, share in row), start=Fraction(1))
        lost = 1 + mpmath.log(mpmath.mpf(covered.numerator) / covered.denominator) / whole
        rows = alike[tuple(label for label, _ in row)]
        risk = amount["loss"] / rows if amount["gain"] / rows > amount["cost"] else 0
        kept.append(bool(amount["benefit"] * (1 - lost) - risk > mpmath.mpf(10) ** -20))
    return kept


def least(form: Any, problem: Problem, people: list[Person]) -> float | None:
    best, n = None, len(problem.rows)
    for node in itertools.product(*(range(len(tree[0])) for tree in problem.trees)):

        def cells(record: Any, node: Any = node) -> list[Any]:
            return [generalized(value, tree, level) for value, tree, level in zip(record, problem.trees, node, strict=True)]

        rows = [cells(record) for record in zip(*problem.columns, strict=True)]
        among = rows if form["attacker"] == "prosecutor" else [cells(person) for person in people]
        kept = released(form, rows, problem, Counter(tuple(label for label, _ in row) for row in among))
        if kept.count(False) > math.floor(problem.limit * n):
            continue
        losses = []
        for i, tree in enumerate(problem.trees):
            total = sum((row[i][1] if keep else Fraction(1) for row, keep in zip(rows, kept, strict=True)), Fraction(0))
            losses.append(math.floor((total - Fraction(n, len(tree))) / (n - Fraction(n, len(tree))) * 10**10) / 10**10)
        best = min(sum(losses) / len(losses), best if best is not None else 2.0)
    return best


def compare(attacker: str, seeds: range, build: Callable[[Any], Any] = model_from_json) -> tuple[int, int]:
    """Return on how many problems the search differs from brute force, and how many could be met below the top of the lattice."""
    differ = informative = 0
    for seed in seeds:
        problem, rng = random_problem(seed), np.random.default_rng(seed)
        form = {"model": "profitability", "benefit": 100, "gain": 10, "attacker": attacker}
        form |= {"loss": int(rng.choice([50, 150, 300])), "cost": int(rng.choice([1, 2, 4]))}
        people: list[Person] = [
            tuple([None, *(row[0] for row in tree)][rng.integers(0, len(tree) + 1)] for tree in problem.trees) for _ in range(30)
        ]
        people += list(zip(*problem.columns, strict=True))
        expected = least(form, problem, people)
        extra = people if attacker == "journalist" else []
        columns = {str(i): [*column, *(person[i] for person in extra)] for i, column in enumerate(problem.columns)}
        trees = {str(i): TreeHierarchy(rows=tree) for i, tree in enumerate(problem.trees)}
        coded = code_table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), trees)
        tuples = distinct_tuples(coded, extra=len(extra))
        allowed = math.floor(problem.limit * len(problem.rows))
        found = search_levels(coded, tuples, [build(form)], allowed=allowed, metric=Loss())
        differ += (None if found is None else found.score) != (None if expected is None else pytest.approx(expected, abs=3e-10))
        informative += found is not None and not isinstance(found.score, tuple) and 0 < found.score < 1
    return differ, informative


@pytest.mark.parametrize("attacker", ["prosecutor", "journalist"])
def test_the_search_finds_the_optimum(attacker: str) -> None:
    differ, informative = compare(attacker, range(10))
    assert differ == 0
    assert informative >= 1


@pytest.mark.slow
@pytest.mark.parametrize("attacker", ["prosecutor", "journalist"])
def test_the_search_finds_the_optimum_of_two_hundred_lattices(attacker: str) -> None:
    differ, informative = compare(attacker, range(5000, 5200))
    assert differ == 0
    assert informative >= 20


@pytest.mark.parametrize(
    ("attacker", "old", "new"),
    [
        ("prosecutor", "rows < deterring_rows", "rows <= deterring_rows"),
        (
            "prosecutor",
            "np.where(pays, self.loss / self.benefit / np.maximum(rows, 1), 0.0)",
            "self.loss / self.benefit / np.maximum(rows, 1)",
        ),
        ("prosecutor", "(1.0 - classes.lost)", "1.0"),
        ("prosecutor", "risk > TOLERANCE", "risk >= 0"),
        ("prosecutor", "self.loss / self.benefit / np.maximum(rows, 1)", "self.loss / self.benefit"),
        ("journalist", "self.attacker, str(self))", '"prosecutor", str(self))'),
        ("prosecutor", "monotonic: ClassVar[bool] = False", "monotonic: ClassVar[bool] = True"),
    ],
)
def test_a_planted_defect_is_seen(attacker: str, old: str, new: str) -> None:
    module = faulty("profitability", "profitability", old, new)

    def build(form: Any) -> Any:
        return module.Profitability(**{key: value for key, value in form.items() if key != "model"})

    assert compare(attacker, range(40), build)[0] > 0
