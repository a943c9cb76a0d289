"""The exact search equals trying every combination of levels, on random small lattices (T4: scores are compared, never levels)."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anonymize.brute_force import Classes, Problem, least, random_problem, searched
from tacit.anonymize.classes import Classes as ClassesSeen
from tacit.anonymize.classes import Recoded
from tacit.anonymize.coding import code_table, distinct_tuples
from tacit.anonymize.hierarchies import TreeHierarchy
from tacit.anonymize.privacy_models import DistinctLDiversity, KAnonymity, KMap
from tacit.anonymize.recoding import as_recoded, full_domain
from tacit.anonymize.search.bounds import bound_of
from tacit.anonymize.search.requirements import Requirements
from tacit.anonymize.utility import (
    Ambiguity,
    AverageClassSize,
    Discernibility,
    EntropyLoss,
    Height,
    KullbackLeibler,
    Loss,
    NonUniformEntropy,
    PrecisionLoss,
)
from tacit.anonymize.utility.loss import Aggregate, Score

SEEDS = pytest.mark.parametrize("seeds", [range(30), pytest.param(range(30, 230), marks=pytest.mark.slow)], ids=str)
TWO_GROUPS = (("a", "x", "*"), ("b", "x", "*"), ("c", "y", "*"), ("d", "y", "*"))
AGGREGATES: tuple[Aggregate, ...] = ("sum", "arithmetic mean", "geometric mean", "maximum", "rank")


@dataclass(frozen=True)
class OddClasses:
    """A model that is not monotonic: two classes of odd size merge into one of even size."""

    monotonic: bool = False
    contextual: bool = False
    columns: tuple[str, ...] = ()

    def holds(self, classes: Any) -> Any:
        return classes.sizes % 2 == 1

    def to_json(self) -> Any:
        return {"model": "odd classes"}


@dataclass(frozen=True)
class AtLeastHalf:
    """A contextual model: a class is at least half as large as the mean of those released with it."""

    monotonic: bool = False
    contextual: bool = True
    columns: tuple[str, ...] = ()

    def holds(self, classes: Any) -> Any:
        return 2 * classes.sizes * len(classes) >= classes.sizes.sum()

    def to_json(self) -> Any:
        return {"model": "at least half"}


def odd(classes: Classes) -> list[bool]:
    return [len(rows) % 2 == 1 for rows in classes]


def at_least_half(classes: Classes) -> list[bool]:
    return [2 * len(rows) * len(classes) >= sum(map(len, classes)) for rows in classes]


def of_size(k: int) -> Any:
    return lambda classes: [len(rows) >= k for rows in classes]


def diverse(problem: Problem, values: int, k: int = 1) -> Any:
    return lambda classes: [len({problem.sensitive[r] for r in rows}) >= values and len(rows) >= k for rows in classes]


def agree(problem: Problem, expected: tuple[Any, int], found: Any) -> bool:
    if expected[0] is None or found is None:
        return expected[0] is None and found is None
    return bool(found.optimal) and bool(np.allclose(found.score, expected[0], rtol=0, atol=3e-10))


@SEEDS
def test_k_anonymity_and_every_form_of_the_loss(seeds: range) -> None:
    assert all(_loss_agrees(seed) for seed in seeds)


def _loss_agrees(seed: int) -> bool:
    problem, k, slider = random_problem(seed, subset=seed % 3 == 0), 2 + seed % 4, Fraction(seed // 5 % 5, 4)
    weights = [1, 2, 3][: len(problem.columns)] if seed % 2 else None
    expected = least(problem, of_size(k), aggregate=AGGREGATES[seed % 5], slider=slider, weights=weights)
    metric = Loss(
        aggregate=AGGREGATES[seed % 5],
        generalization_vs_suppression=float(slider),
        weights={str(i): weight for i, weight in enumerate(weights or [])},
    )
    return agree(problem, expected, searched(problem, [KAnonymity(k)], metric))


@SEEDS
def test_compositions_of_monotonic_and_other_models(seeds: range) -> None:
    for seed in seeds:
        problem = random_problem(seed)
        assert agree(problem, least(problem, odd), searched(problem, [OddClasses()])), seed
        assert agree(problem, least(problem, at_least_half), searched(problem, [AtLeastHalf()])), seed
        both = least(problem, lambda classes: [a and b for a, b in zip(of_size(2)(classes), odd(classes), strict=True)])
        assert agree(problem, both, searched(problem, [OddClasses(), KAnonymity(2)])), seed
        models = [KAnonymity(3), DistinctLDiversity("s", 2)]
        assert agree(problem, least(problem, diverse(problem, 2, 3)), searched(problem, models)), seed


@SEEDS
def test_of_a_research_subset_only_its_rows_count_but_for_the_population(seeds: range) -> None:
    for seed in seeds[:60]:
        problem = random_problem(seed, subset=True)
        expected = least(problem, of_size(2), population=of_size(4))
        models = [KAnonymity(2), KMap(4)]
        if all(problem.subset):  # no subset is no population
            expected, models = least(problem, of_size(4)), [KAnonymity(2), KAnonymity(4)]
        assert agree(problem, expected, searched(problem, models)), seed


def test_k_map_counts_the_population_and_k_anonymity_the_subset() -> None:
    tree = (("a", "*"), ("b", "*"))
    problem = Problem(
        columns=(("a", "a", "a", "b", "b", "b"),),
        trees=(tree,),
        sensitive=("s",) * 6,
        subset=(True, False, False, True, False, False),
        limit=Fraction(0),
    )
    assert searched(problem, [KMap(3)]).levels == (0,)
    assert searched(problem, [KMap(4)]).levels == (1,)
    assert searched(problem, [KAnonymity(2)]).levels == (1,)


class Exhaustive:
    """A metric without its bound: the search looks at every node."""

    def __init__(self, metric: Any) -> None:
        self.metric = metric

    def score(self, recoded: Recoded) -> Score:
        score: Score = self.metric.score(recoded)
        return score


METRICS = [
    Height(),
    Ambiguity(),
    Discernibility(),
    Discernibility(monotonic=True),
    NonUniformEntropy(),
    NonUniformEntropy(generalization_vs_suppression=0.3),
    PrecisionLoss(),
    PrecisionLoss(generalization_vs_suppression=0.2),
    PrecisionLoss(generalization_vs_suppression=0.8),
    EntropyLoss(),
    AverageClassSize(),
    AverageClassSize(generalization_vs_suppression=0.2),
    KullbackLeibler(),
]


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_every_metric_s_bound_loses_no_optimum(metric: Any) -> None:
    for seed in range(8):
        problem, models = random_problem(seed), [KAnonymity(2 + seed % 3)]
        found, everything = searched(problem, models, metric), searched(problem, models, Exhaustive(metric))
        assert (found is None) == (everything is None)
        if found is not None:
            assert found.score == pytest.approx(everything.score, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_no_coarser_release_scores_less_than_the_bound_whatever_it_suppresses(metric: Any) -> None:
    bound = bound_of(metric)
    assert (bound is None) == (metric in (KullbackLeibler(), PrecisionLoss(generalization_vs_suppression=0.2)))
    rng = np.random.default_rng(5)
    for _ in range(60 if bound is not None else 0):
        table = pa.table({name: rng.choice(["a", "b", "c", "d"], 12) for name in "pq"})
        coded = code_table(table, dict.fromkeys("pq", TreeHierarchy(rows=TWO_GROUPS)))
        tuples = distinct_tuples(coded)
        fine = rng.integers(0, 3, 2)
        coarse = fine + rng.integers(0, 3 - fine)
        low = as_recoded(coded, tuples, full_domain(coded, tuples, tuple(fine.tolist())))
        high = as_recoded(coded, tuples, full_domain(coded, tuples, tuple(coarse.tolist())))
        kept = rng.random(int(high.class_of.max()) + 1) < 0.7
        assert bound is not None
        least_score, score = bound(low), metric.score(replace(high, kept=kept[high.class_of]))
        assert least_score <= score + 1e-9


def test_a_contextual_model_is_asked_again_with_what_is_left() -> None:
    # of 10, 3, 1, 1 the mean is 3.75 and the ones go; of 10 and 3 it is 6.5, and the three goes
    classes = ClassesSeen(sizes=np.array([10, 3, 1, 1]), rows=15)
    assert Requirements((AtLeastHalf(),)).held(classes).tolist() == [True, False, False, False]


def test_a_bound_that_is_too_high_is_seen() -> None:
    """Planted fault: a bound above the score loses answers."""

    class Wrong(Exhaustive):
        def bound(self, recoded: Recoded, allowed: int) -> Score:
            return float(self.metric.score(recoded)) + 1.0

    problems = [random_problem(seed) for seed in range(40)]
    pairs = [(searched(p, [KAnonymity(2)], Wrong(Height())), searched(p, [KAnonymity(2)], Height())) for p in problems]
    assert any(wrong.score != right.score for wrong, right in pairs if right is not None)


def test_the_oracle_sees_a_model_that_wrongly_claims_to_be_monotonic() -> None:
    """Planted fault: classes fail raw, hold at level 1 and fail above, so condemning what is finer loses the only answer."""
    tree = tuple((leaf, group, "z", "*") for leaf, group in zip("abcd", "xxyy", strict=True))
    problem = Problem(
        columns=(("a", "a", "b", "c", "c", "d"),),
        trees=(tree,),
        sensitive=("s",) * 6,
        subset=(True,) * 6,
        limit=Fraction(0),
    )
    assert agree(problem, least(problem, odd), searched(problem, [OddClasses()]))
    assert searched(problem, [OddClasses(monotonic=True)]) is None
