"""Which models are monotonic under suppression: found among random tables, where it can be found, and by hand."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from anonymize.privacy_models.by_definition import Counts, Row, classes_of, with_population, with_subset
from tacit.anonymize import privacy_models as models
from tacit.anonymize.classes import Classes

TREE = [["a", "p", "*"], ["b", "p", "*"], ["c", "q", "*"]]
ALONE: list[Any] = [
    models.KAnonymity(3),
    models.DistinctLDiversity("s", 2),
    models.EstimatedKMap(5, population_size=200, significance=0.1, estimator="poisson"),
    models.EstimatedKMap(5, population_size=60, significance=0.2, estimator="zero-truncated poisson"),
    models.NoProfitableAttack(7, 2),
    models.SampleUniqueness(0.1),  # by itself; see below
]
NOT_MONOTONIC: list[Any] = [
    models.EntropyLDiversity("s", 2),
    models.GrassbergerLDiversity("s", 2),
    models.RecursiveLDiversity("s", 1.5, 2),
    models.AlphaKAnonymity("s", 0.5, 2),
    models.BasicBetaLikeness("s", 0.5),
    models.EnhancedBetaLikeness("s", 0.5),
    models.DeltaDisclosure("s", 1, 2),
    models.TCloseness("s", 0.2),
    models.TCloseness("s", 0.2, order=["a", "b", "c"]),
    models.TCloseness("s", 0.2, tree=TREE),
    models.LKCPrivacy("s", 2, 2, 0.6),
]


def suppressed(asked: Sequence[Any], classes: Classes) -> int:
    """Return the rows of the classes left out: models are asked in turn, about the classes that held, until nothing changes."""
    rows, changed = int(classes.sizes.sum()), True
    while changed:
        changed = False
        for model in asked:
            held = model.holds(classes)
            classes, changed = classes.select(held), changed or not held.all()
    return rows - int(classes.sizes.sum())


def tables(count: int) -> Iterator[list[Row]]:
    rng = np.random.default_rng(5)
    for _ in range(count):
        rows = int(rng.integers(4, 60))
        quasi = zip(rng.integers(0, 6, rows).tolist(), rng.integers(0, 4, rows).tolist(), strict=True)
        yield list(zip(quasi, rng.choice(["a", "b", "c"], rows, p=rng.dirichlet(np.ones(3))).tolist(), strict=True))


def coarser(rows: list[Row]) -> list[Row]:
    """Raise a level of the first column: its values 0 to 5 become 0 to 2."""
    return [((first // 2, *others), value) for (first, *others), value in rows]


def rises(model: Any, count: int) -> int:
    """Return in how many tables more rows must be suppressed after a level is raised: each refutes "monotonic"."""
    return sum(
        suppressed([model], classes_of(coarser(rows))[1]) > suppressed([model], classes_of(rows)[1]) for rows in tables(count)
    )


@pytest.mark.parametrize("model", ALONE, ids=str)
def test_a_monotonic_model_never_needs_more_suppression_after_a_level_is_raised(model: Any) -> None:
    assert rises(model, 100) == 0


@pytest.mark.parametrize("model", NOT_MONOTONIC, ids=str)
def test_calling_the_others_monotonic_would_be_wrong(model: Any) -> None:
    assert not model.monotonic
    assert rises(model, 100) > 0


def test_only_k_anonymity_distinct_l_diversity_and_k_map_call_themselves_monotonic() -> None:
    assert [model.monotonic for model in ALONE] == [True] * 5 + [False]
    assert models.KMap(3).monotonic


@pytest.mark.parametrize(
    ("model", "fine", "raised"),
    [
        # the class that held and the row that was left out, together: 3 of 5 rows are x
        (models.EntropyLDiversity("s", 2), ["xxyy", "x"], ["xxxyy"]),
        (models.RecursiveLDiversity("s", 1.4, 2), ["xxyy", "x"], ["xxxyy"]),
        (models.AlphaKAnonymity("s", 0.5, 2), ["xxyy", "x"], ["xxxyy"]),
        # q = 4/10: p = 3/4 gains 0.875, p = 4/5 gains 1
        (models.BasicBetaLikeness("s", 0.9), ["xxxy", "x", "yyyyy"], ["xxxxy", "yyyyy"]),
        # q = 6/13: 0.288 of it is moved, then 0.338
        (models.TCloseness("s", 0.3), ["xxxy", "x", "xyyy", "xyyy"], ["xxxxy", "xyyy", "xyyy"]),
    ],
)
def test_by_hand_a_class_that_holds_fails_with_the_row_that_was_left_out(model: Any, fine: list[str], raised: list[str]) -> None:
    before, after = (
        suppressed([model], classes_of([((number,), v) for number, values in enumerate(table) for v in values])[1])
        for table in (fine, raised)
    )
    assert before == 1
    assert after > before


def test_by_hand_average_risk_loses_the_pairs_that_the_rows_alone_became() -> None:
    """{10, 2}: 2/12 <= 0.2, two rows alone go. As a pair they would make 3/14 > 0.2, so both pairs go."""
    fine, raised = (Classes(sizes=np.array(sizes), rows=14) for sizes in ([10, 2, 1, 1], [10, 2, 2]))
    assert (suppressed([models.AverageRisk(0.2)], fine), suppressed([models.AverageRisk(0.2)], raised)) == (2, 4)


def test_by_hand_sample_uniqueness_is_not_monotonic_beside_k_map() -> None:
    """One row alone stays among 21 while k-map takes two others; once k-map is content with these, three are too many of 23."""
    sizes = np.array([20, 1, 1, 1])
    fine, raised = (Classes(sizes=sizes, rows=23, population=np.array([99, 9, *few])) for few in ([1, 1], [9, 9]))
    both = [models.KMap(2), models.SampleUniqueness(0.05)]
    assert (suppressed(both, fine), suppressed(both, raised)) == (2, 3)


@pytest.mark.parametrize("estimator", ["zayatz", "dankar"])
def test_by_hand_population_uniqueness_rises_when_pairs_become_fours(estimator: Any) -> None:
    """Ten rows alone and ten pairs of 200 people; with fours for pairs, a row alone is likelier to be alone among the people."""
    fine, raised = (Classes(sizes=np.array(sizes), rows=30) for sizes in ([1] * 10 + [2] * 10, [1] * 10 + [4] * 5))
    model = models.PopulationUniqueness(0.135, population_size=200, estimator=estimator)  # 0.123 at most, then 0.149
    assert not model.monotonic
    assert (suppressed([model], fine), suppressed([model], raised)) == (0, 10)


@pytest.mark.parametrize(
    ("model", "view", "monotonic"),
    [
        (models.KMap(4), with_population, True),
        (models.NoProfitableAttack(7, 2, "journalist"), with_population, True),
        (models.DeltaPresence(0, 0.5), with_subset, False),
        (models.DeltaPresence(0.2, 0.6), with_subset, False),
    ],
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_models_of_a_population_are_monotonic_or_not_as_they_say(model: Any, view: Counts, monotonic: bool) -> None:
    rng, rose = np.random.default_rng(8), 0
    for _ in range(200):
        population = rng.integers(0, 12, int(rng.integers(5, 60))).tolist()
        sample = [name for name in population if rng.random() < 0.45]
        fine, raised = (view([n // step for n in population], [n // step for n in sample]) for step in (1, 2))
        rose += suppressed([model], raised) > suppressed([model], fine)
    assert model.monotonic is monotonic
    assert (rose == 0) is monotonic
