"""Every model of one table: a release that meets it with equality passes, and the same with one row changed does not.

The numbers were worked out by hand, beside each.
"""

import math
from typing import Any

import pytest

from anonymize.verify.releases import check, spread

LUNG = [["flu", "lung", "*"], ["cold", "lung", "*"], ["gout", "joint", "*"], ["sprain", "joint", "*"]]
EVEN: dict[str | None, int] = {"flu": 1, "cold": 1, "gout": 1, "sprain": 1}


def out_of_half(flu: int, cold: int) -> tuple[Any, Any]:
    """One class with these rows, of an input with as many of either value."""
    released = spread({"flu": flu, "cold": cold})
    return released, [*released, *spread({"flu": cold, "cold": flu}, "rest")]


def whole(counts: dict[str | None, int], quasi: str = "[20, 30)") -> tuple[Any, Any]:
    return spread(counts, quasi), None


# (model, release and input that meet it with equality, the same with one row more, less or changed)
CASES: list[tuple[dict[str, Any], tuple[Any, Any], tuple[Any, Any]]] = [
    ({"model": "k-anonymity", "k": 3}, whole({"flu": 3}), whole({"flu": 2})),
    ({"model": "distinct-l-diversity", "column": "ill", "l": 2}, whole({"flu": 9, None: 1}), whole({"flu": 10})),
    # ln 2 exactly; 3 and 2 of 5 have 0.6730 < 0.6931
    ({"model": "entropy-l-diversity", "column": "ill", "l": 2}, whole({"flu": 2, "cold": 2}), whole({"flu": 3, "cold": 2})),
    # G(5) - (3 G(3) + 2 G(2)) / 5 = 2/3; with 4 and 2, G(6) - (4 G(4) + 2 G(2)) / 6 = 28/45
    (
        {"model": "grassberger-l-diversity", "column": "ill", "l": math.exp(2 / 3)},
        whole({"flu": 3, "cold": 2}),
        whole({"flu": 4, "cold": 2}),
    ),
    # 3 < 2 (2), strictly; 4 is not
    (
        {"model": "recursive-l-diversity", "column": "ill", "c": 2, "l": 2},
        whole({"flu": 3, "cold": 2}),
        whole({"flu": 4, "cold": 2}),
    ),
    # 1 of 10 at most: 0.1 as written, which no double is
    (
        {"model": "alpha-k", "column": "ill", "alpha": 0.1, "k": 10},
        whole({str(i): 1 for i in range(10)}),
        whole({str(i): 1 for i in range(9)}),
    ),
    ({"model": "alpha-k", "column": "ill", "alpha": 0.7, "k": 2}, whole({"flu": 7, "cold": 3}), whole({"flu": 8, "cold": 3})),
    ({"model": "alpha-k", "column": "ill", "alpha": 0.6, "k": 5}, whole({"flu": 3, "cold": 2}), whole({"flu": 2, "cold": 2})),
    # |0.7 - 0.5| = 0.2; |8/11 - 1/2| = 0.227
    (
        {"model": "t-closeness", "column": "ill", "t": 0.2, "distance": "equal"},
        out_of_half(7, 3),
        out_of_half(8, 3),
    ),
    # q = 1/3 each; p = (1/2, 1/2, 0): (1/6 + 1/3) / 2 = 1/4; p = (1, 0, 0): (2/3 + 1/3) / 2
    (
        {"model": "t-closeness", "column": "ill", "t": 0.25, "distance": "ordered", "order": ["a", "b", "none here", "c"]},
        (spread({"a": 1, "b": 1}), spread({"a": 2, "b": 2, "c": 2})),
        (spread({"a": 2}), spread({"a": 2, "b": 2, "c": 2})),
    ),
    # the same with numbers, whose order as texts would be 10, 2, 9
    (
        {"model": "t-closeness", "column": "ill", "t": 0.25, "distance": "ordered", "order": "numeric"},
        (spread({"2": 1, "9": 1}), spread({"2": 2, "9": 2, "10": 2})),
        (spread({"2": 2}), spread({"2": 2, "9": 2, "10": 2})),
    ),
    # q = 1/4 each; flu and cold: 1/2 through the root; flu twice: 1/4 of cold's at half the height besides, 1/2 + 1/8
    (
        {"model": "t-closeness", "column": "ill", "t": 0.5, "distance": "hierarchical", "tree": LUNG},
        (spread({"flu": 1, "cold": 1}), spread(EVEN)),
        (spread({"flu": 2}), spread({value: 2 * count for value, count in EVEN.items()})),
    ),
    # missing hangs from the root: q = 1/2 each, so 1/2 goes all the way; with 2 of 3, 1/6
    (
        {
            "model": "t-closeness",
            "column": "ill",
            "t": 1 / 6,
            "distance": "hierarchical",
            "tree": [["flu", "lung"], ["gout", "joint"]],
        },
        (spread({"flu": 2, None: 1}), spread({"flu": 3, None: 3})),
        (spread({"flu": 3, None: 1}), spread({"flu": 3, None: 3})),
    ),
    # p = 0.7, q = 0.5: 0.4; 8 of 11: 0.4545
    ({"model": "basic-beta-likeness", "column": "ill", "beta": 0.4}, out_of_half(7, 3), out_of_half(8, 3)),
    ({"model": "enhanced-beta-likeness", "column": "ill", "beta": 0.4}, out_of_half(7, 3), out_of_half(8, 3)),
    # -ln(1/2) = 0.693 is the least: p = 0.84 has 0.68, p = 0.85 has 0.7
    ({"model": "enhanced-beta-likeness", "column": "ill", "beta": 9}, out_of_half(84, 16), out_of_half(85, 15)),
    # strict: log2((2/5) / (1/2)) = -0.32; log2((1/4) / (1/2)) = -1 is not below 1
    ({"model": "delta-disclosure", "column": "ill", "delta": 1, "base": 2}, out_of_half(3, 2), out_of_half(3, 1)),
    # the same in nats: ln(5/4) = 0.2231, ln(4/3) = 0.2877
    ({"model": "delta-disclosure", "column": "ill", "delta": math.log(4 / 3), "base": "e"}, out_of_half(5, 4), out_of_half(2, 1)),
    ({"model": "lkc", "column": "ill", "l": 1, "k": 2, "c": 0.5}, whole({"flu": 1, "cold": 1}), whole({"flu": 2, "cold": 1})),
]


@pytest.mark.parametrize(("form", "meets", "misses"), CASES, ids=[str(case[0]["model"]) for case in CASES])
def test_equality_passes_and_one_row_further_does_not(form: Any, meets: Any, misses: Any) -> None:
    assert check(meets[0], form, meets[1]).problems == ()
    assert not check(misses[0], form, misses[1]).ok


def classes(*sizes: int) -> list[tuple[str, str]]:
    return [(f"class {number}", "flu") for number, size in enumerate(sizes) for _ in range(size)]


def test_the_average_risk_is_classes_by_released_rows() -> None:
    form = {"model": "average-risk", "threshold": 0.3}
    assert check(classes(8, 1, 1), form).ok  # 3 / 10
    assert not check(classes(7, 1, 1), form).ok
    assert not check(classes(7, 1, 1), form, classes(8, 1, 1, 90)).ok  # rows left out are no rows released


def test_sample_uniqueness_counts_released_rows_alone() -> None:
    form = {"model": "sample-uniqueness", "threshold": 0.2}
    assert check(classes(8, 1, 1), form).ok  # 2 / 10
    assert not check(classes(7, 1, 1), form).ok


def test_estimated_k_map_asks_for_the_rows_of_a_rare_class_of_k() -> None:
    """10 rows of 50, k = 5: mean 1. P(X <= 2) = 2.5 / e = 0.9197, P(X <= 3) = 0.9810: 4 rows at 0.05, 3 at 0.1."""
    form = {"model": "estimated-k-map", "k": 5, "population_size": 50, "significance": 0.05, "estimator": "poisson"}
    assert check(classes(6, 4), form).ok
    assert not check(classes(7, 3), form).ok
    assert check(classes(7, 3), {**form, "significance": 0.1}).ok
    # given X > 0: (P(X <= 3) - 1 / e) / (1 - 1 / e) = 0.9699, and 0.8731 for 2
    assert not check(classes(7, 3), {**form, "estimator": "zero-truncated poisson"}).ok
    assert check(classes(6, 4), {**form, "estimator": "zero-truncated poisson"}).ok
    assert not check(classes(7, 3), {**form, "estimator": "zero-truncated poisson", "significance": 0.1}).ok


def test_estimated_k_map_never_asks_for_more_than_k_rows() -> None:
    form = {"model": "estimated-k-map", "k": 2, "population_size": 5, "significance": 0.001, "estimator": "poisson"}
    assert check(classes(2, 3), form).ok
    assert not check(classes(1, 4), form).ok


def test_population_uniqueness_by_zayatz() -> None:
    """f1 = 1, f2 = 1, n = 3 of N = 6: h(2) / h(1) = 2 (3 / 5), so uniques = (1 / (1 + 6/5)) 6/3 = 10/11, 5/33 of the people."""
    form = {"model": "population-uniqueness", "population_size": 6, "estimator": "zayatz"}
    assert check(classes(1, 2), {**form, "threshold": 5 / 33}).ok
    assert not check(classes(1, 2), {**form, "threshold": 5 / 33 - 1e-8}).ok
    assert check(classes(2, 2), {**form, "threshold": 0}).ok
    assert not check(classes(1, 1), {**form, "threshold": 0.9, "estimator": "snb"}).ok  # no pair: no solution, no promise
