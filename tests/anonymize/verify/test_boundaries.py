"""Where numbers are rounded: no stricter than 1e-9, no laxer than 2e-9; where they need not be: exact."""

import math
from typing import Any

import pytest

from anonymize.verify.releases import check, spread

HALF = (spread({"flu": 7, "cold": 3}), spread({"flu": 10, "cold": 10}))
THIRDS = (spread({"flu": 1, "cold": 1}), spread({"flu": 2, "cold": 2, "gout": 2}))
TREE = [["flu", "a"], ["cold", "b"]]

# (form without its threshold, name of the threshold, the class's own measure, whether more is allowed by a larger threshold)
ROUNDED: list[tuple[Any, str, float, int, Any]] = [
    ({"model": "t-closeness", "column": "ill", "distance": "equal"}, "t", 0.2, 1, HALF),
    ({"model": "t-closeness", "column": "ill", "distance": "hierarchical", "tree": TREE}, "t", 0.2, 1, HALF),
    (
        {"model": "t-closeness", "column": "ill", "distance": "ordered", "order": ["flu", "cold", "gout"]},
        "t",
        0.25,
        1,
        THIRDS,
    ),
]


@pytest.mark.parametrize(("form", "name", "measure", "sign", "tables"), ROUNDED, ids=[r[0]["distance"] for r in ROUNDED])
def test_a_rounded_threshold_may_be_missed_by_one_billionth_not_by_two(
    form: Any, name: str, measure: float, sign: int, tables: Any
) -> None:
    for missed, passes in ((0.0, True), (1e-9, True), (2e-9, False), (1e-6, False)):
        assert check(tables[0], {**form, name: measure - sign * missed}, tables[1]).ok is passes


@pytest.mark.parametrize(("missed", "passes"), [(1e-9, True), (2e-9, False)])
def test_entropies_too(missed: float, passes: bool) -> None:
    rows, entropy = spread({"flu": 3, "cold": 2}), -(0.6 * math.log(0.6) + 0.4 * math.log(0.4))
    for model, measure in (("entropy-l-diversity", entropy), ("grassberger-l-diversity", 2 / 3)):
        assert check(rows, {"model": model, "column": "ill", "l": math.exp(measure + missed)}).ok is passes


def test_enhanced_beta_against_the_logarithm_too() -> None:
    """q = 1/e is no fraction; the ratio of p and q that meets -ln q = ln 2 is 1 + ln 2 = 1.6931471805..., from both sides."""
    rows = 10**5
    for flu, passes in ((84657, True), (84658, False)):
        released = spread({"flu": flu, "cold": rows - flu})
        original = spread({"flu": rows, "cold": rows})
        assert check(released, {"model": "enhanced-beta-likeness", "column": "ill", "beta": 9}, original).ok is passes


def test_a_strict_bound_is_never_met_by_equality() -> None:
    """log2(2) = 1, ln(4/3): what the search keeps 1e-9 away from, the check keeps 0.5e-9 away from."""
    rows, original = spread({"flu": 2}), spread({"flu": 2, "cold": 2})
    for over, passes in ((0.0, False), (1e-9, True), (1e-10, False)):
        assert check(rows, {"model": "delta-disclosure", "column": "ill", "delta": 1 + over, "base": 2}, original).ok is passes


@pytest.mark.parametrize(
    ("form", "tables"),
    [
        ({"model": "basic-beta-likeness", "column": "ill", "beta": 0.4}, HALF),
        ({"model": "alpha-k", "column": "ill", "alpha": 0.7, "k": 10}, HALF),
        ({"model": "lkc", "column": "ill", "l": 1, "k": 10, "c": 0.7}, HALF),
        ({"model": "average-risk", "threshold": 0.1}, HALF),
    ],
    ids=str,
)
def test_counts_against_shares_are_exact(form: Any, tables: Any) -> None:
    """0.7 and 0.1 are no doubles: they are taken as the decimals they are written as, and 1e-15 below them is not met."""
    name = next(key for key in ("beta", "alpha", "c", "threshold") if key in form)
    assert check(tables[0], form, tables[1]).ok
    assert not check(tables[0], {**form, name: form[name] - 1e-15}, tables[1]).ok


def test_recursive_diversity_is_strict_and_exact() -> None:
    """3 < c 2 fails at c = 1.5 and holds for the next double above."""
    rows = spread({"flu": 3, "cold": 2})
    form = {"model": "recursive-l-diversity", "column": "ill", "l": 2}
    assert not check(rows, {**form, "c": 1.5}).ok
    assert check(rows, {**form, "c": math.nextafter(1.5, 2)}).ok
