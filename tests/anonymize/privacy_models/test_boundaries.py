"""For every model, by hand: a table that meets it with equality, and one that violates it by one row."""

import math
from typing import Any

import numpy as np
import pytest

from anonymize.privacy_models.by_definition import classes_of
from tacit.anonymize import privacy_models as models
from tacit.anonymize.classes import Classes

TREE = [["x", "g", "*"], ["y", "g", "*"], ["z", "h", "*"], ["w", "h", "*"]]


def held(model: Any, *classes: str) -> list[bool]:
    """Return the verdicts on classes written as their sensitive values."""
    rows = [((number,), value) for number, values in enumerate(classes) for value in values]
    return model.holds(classes_of(rows)[1]).tolist()  # type: ignore[no-any-return]


def counted(sizes: list[int], **more: Any) -> Classes:
    return Classes(sizes=np.array(sizes), rows=sum(sizes), **more)


@pytest.mark.parametrize(
    ("model", "met", "met_by", "violated", "violated_by"),
    [
        (models.KAnonymity(3), ["xxx"], [True], ["xx"], [False]),
        (models.DistinctLDiversity("s", 2), ["xxy"], [True], ["xx"], [False]),
        (models.EntropyLDiversity("s", 2), ["xxyy"], [True], ["xxxyy"], [False]),  # ln 2, and 0.673
        (models.EntropyLDiversity("s", 3), ["xxyyzz"], [True], ["xxyyz"], [False]),
        # G(5) - (3 G(3) + 2 G(2)) / 5 = 2/3 exactly; G(6) - (4 G(4) + 2 G(2)) / 6 = 28/45
        (models.GrassbergerLDiversity("s", math.exp(2 / 3)), ["xxxyy"], [True], ["xxxxyy"], [False]),
        # strict: 3 < 2 * 2 holds, 4 < 2 * 2 does not; with l = 3 the two commonest values do not help
        (models.RecursiveLDiversity("s", 2, 2), ["xxxyy"], [True], ["xxxxyy"], [False]),
        (models.RecursiveLDiversity("s", 2, 3), ["xxxyyyzz"], [True], ["xxxxyyyzz"], [False]),
        (
            models.RecursiveLDiversity("s", 1.1, 2),
            ["x" * 10 + "y" * 10],
            [True],
            ["x" * 11 + "y" * 10],
            [False],
        ),  # floats say 11 < 1.1 * 10
        (models.AlphaKAnonymity("s", 0.5, 4), ["xxyy"], [True], ["xxxyy"], [False]),
        (models.AlphaKAnonymity("s", 0.5, 4), ["xxyy"], [True], ["xyy"], [False]),
        (models.AlphaKAnonymity("s", 0.1, 2), ["abcdefghij"], [True], ["abcdefghi"], [False]),  # 0.1 has no exact float
        # p = 3/4 against q = 1/2: 1/4 is moved. Then q = 4/9: 11/36
        (models.TCloseness("s", 0.25), ["xxxy", "xyyy"], [True, True], ["xxxy", "xyyyy"], [False, True]),
        # (2/3 + 1/3) / 2 = 1/2. Then (5/7 + 3/7) / 2 = 4/7
        (
            models.TCloseness("s", 0.5, order=["x", "y", "z"]),
            ["xx", "yy", "zz"],
            [True] * 3,
            ["xx", "yy", "zzz"],
            [False, True, True],
        ),
        # 1/3 meets at height 1 of 2, 1/3 at the root: 1/6 + 1/3 = 1/2. Then 2/7 and 3/7: 4/7
        (models.TCloseness("s", 0.5, tree=TREE), ["xx", "yy", "zw"], [True] * 2 + [False], ["xx", "yy", "zww"], [False] * 3),
        # q = 3/8, p = 3/4. Then q = 1/3
        (models.BasicBetaLikeness("s", 1), ["xxxy", "yyyy"], [True, True], ["xxxy", "yyyyy"], [False, True]),
        (models.EnhancedBetaLikeness("s", 0.5), ["xxxy", "xyyy"], [True, True], ["xxxy", "xyyyy"], [False, True]),
        # gains of 3/4 against -ln(3/7) = 0.847, and of 1 against -ln(3/8) = 0.981: not the 1 that beta would allow
        (models.EnhancedBetaLikeness("s", 1), ["xxxy", "yyy"], [True, False], ["xxxy", "yyyy"], [False, False]),
        # strict: log2(1 / (2/3)) = 0.585 < 1, but log2(1 / (1/2)) = 1
        (models.DeltaDisclosure("s", 1, 2), ["xx", "y"], [True, False], ["xx", "yy"], [False, False]),
        # 2 classes of 4 rows: 1/2. A row alone: 3/5, so it goes
        (models.AverageRisk(0.5), ["xx", "yy"], [True, True], ["xx", "yy", "z"], [True, True, False]),
        # 300 / 5 = 60: an attack gains nothing; 300 / 4 = 75
        (models.NoProfitableAttack(300, 60), ["xxxxx"], [True], ["xxxx"], [False]),
        (models.NoProfitableAttack(0.3, 0.1), ["xxx"], [True], ["xx"], [False]),  # floats say 0.3 / 0.1 < 3
        (models.SampleUniqueness(0.2), ["xxxx", "y"], [True, True], ["xxx", "y"], [True, False]),
    ],
)
def test_equality_passes_and_one_row_more_or_less_fails(
    model: Any, met: list[str], met_by: list[bool], violated: list[str], violated_by: list[bool]
) -> None:
    assert held(model, *met) == met_by
    assert held(model, *violated) == violated_by


def test_delta_presence_holds_at_both_of_its_bounds_and_not_beyond() -> None:
    model = models.DeltaPresence(0.25, 0.5)
    assert model.holds(counted([4, 4, 4], subset=np.array([1, 2, 3]))).tolist() == [True, True, False]
    assert model.holds(counted([5, 4], subset=np.array([1, 2]))).tolist() == [False, True]
    assert models.DeltaPresence(0.1, 0.3).holds(counted([10, 10], subset=np.array([1, 3]))).all()


def test_t9_a_class_of_the_population_without_a_row_of_the_subset_fails_the_lower_bound() -> None:
    """Its people would be known not to be in the release. (That it cannot be suppressed either is tested with the search.)"""
    classes = counted([4, 4], subset=np.array([0, 2]))
    assert models.DeltaPresence(0.25, 0.5).holds(classes).tolist() == [False, True]
    assert models.DeltaPresence(0, 0.5).holds(classes).tolist() == [True, True]


def test_k_map_counts_the_population_and_not_the_sample() -> None:
    classes = counted([1, 5, 9], population=np.array([5, 5, 4]))
    assert models.KMap(5).holds(classes).tolist() == [True, True, False]


def test_a_journalist_looks_among_the_rows_of_the_population() -> None:
    classes = counted([1, 5, 9], population=np.array([5, 5, 4]))
    assert models.NoProfitableAttack(300, 60, "journalist").holds(classes).tolist() == [True, True, False]
    assert models.NoProfitableAttack(300, 60, "prosecutor").holds(classes).tolist() == [False, True, True]


def test_lkc_counts_rows_equal_in_any_two_of_three_columns() -> None:
    """By hand: eight rows, all pairs of two columns make four groups of two; one row less leaves groups of one."""
    cube = [((a, b, c), "xy"[(a + b + c) % 2]) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    assert (
        models.LKCPrivacy("s", 2, 2, 0.5).holds(classes_of(cube)[1]).all()
    )  # two rows, one x and one y, in each of the 12 groups
    assert not models.LKCPrivacy("s", 3, 2, 0.5).holds(classes_of(cube)[1]).any()  # knowing all three, each is alone
    # without row 000 the rows that agree with it in two columns (100, 010, 001) are alone in those two
    names, classes = classes_of(cube[1:])
    assert [sum(name) != 1 for name in names] == models.LKCPrivacy("s", 2, 2, 1).holds(classes).tolist()
    assert models.LKCPrivacy("s", 1, 3, 0.7).holds(classes).all()  # groups of 3 and 4 rows, at most 2 of 3 the same
    assert not models.LKCPrivacy("s", 1, 3, 0.6).holds(classes).all()


@pytest.mark.parametrize(
    ("estimator", "significance", "least"),
    # mean 5 * 100 / 1000 = 1/2: P(0) = 0.607, P(<= 1) = 0.910, P(<= 2) = 0.986; given one at least: 0.771, 0.963
    [("poisson", 0.1, 2), ("poisson", 0.05, 3), ("zero-truncated poisson", 0.1, 3), ("zero-truncated poisson", 0.25, 2)],
)
def test_estimated_k_map_asks_for_the_rows_of_the_cumulative_sum(estimator: Any, significance: float, least: int) -> None:
    model = models.EstimatedKMap(5, population_size=1000, significance=significance, estimator=estimator)
    assert model.least_rows(100) == least
    assert model.holds(counted([least, least - 1, 101 - 2 * least])).tolist() == [True, False, True]


def test_population_uniqueness_by_zayatz_meets_its_threshold_with_equality() -> None:
    """One row alone and two pairs from 10 people: c = 1 / (1 + 2 * 10/9) = 9/29, so 18/29 of 10 people are unique."""
    model = models.PopulationUniqueness(18 / 290, population_size=10, estimator="zayatz")
    assert model.holds(counted([1, 2, 2])).tolist() == [True, True, True]
    assert model.holds(counted([1, 2])).tolist() == [False, True]
    assert models.PopulationUniqueness(18 / 291, population_size=10, estimator="zayatz").holds(counted([1, 2, 2])).tolist() == [
        False,
        True,
        True,
    ]
