from typing import Any

import numpy as np
import pytest

from tacit.anonymize.classes import Recoded
from tacit.anonymize.utility.loss import Loss
from tacit.errors import ConfigError

LEAF = np.array([0.25, 0.0])


def recoded(shares: Any, weights: Any, kept: Any, leaf: Any, names: tuple[str, ...] = ()) -> Recoded:
    """Return what a recoding made of tuples, of which the loss sees shares, weights and which are kept."""
    table = np.array(shares, dtype=np.float64)
    zeros = np.zeros(table.shape, dtype=np.int64)
    ones = np.ones(table.shape[1], dtype=np.int64)
    return Recoded(
        weights=np.array(weights),
        kept=np.array(kept),
        class_of=np.arange(len(table)),
        codes=zeros,
        generalized=zeros,
        shares=table,
        leaf_shares=np.array(leaf),
        leaves=ones,
        levels=zeros,
        heights=ones,
        names=names,
    )


def test_loss_is_zero_when_nothing_changed_and_one_when_all_is_star() -> None:
    assert Loss().from_costs(10 * LEAF, 10, LEAF).tolist() == [0, 0]
    assert Loss().from_costs(np.array([10.0, 10.0]), 10, LEAF).tolist() == [1, 1]


# 10 rows, a tree of 4 leaves: 6 rows in a group of 2 (share 1/2), 3 raw (1/4), 1 suppressed that would have had 1/2.
# x = 0.5: r = 3 + 3/4 + 1 = 4.75, b = 10/4, (r - b) / (n - b) = 2.25 / 7.5
# x = 0.25: s = 0.5, so the suppressed row costs 1/2 + 0.5 * 1/2 = 3/4: r = 4.5, 2 / 7.5
# x = 0: s = 0, it costs its share 1/2: r = 4.25, 1.75 / 7.5
# x = 0.75: g = 0.5, s = 1: r = 0.5 * 3.75 + 1 = 2.875, b = 1.25, 1.625 / 8.75
# x = 1: g = 0: r = 1, b = 0, 1 / 10
@pytest.mark.parametrize(
    ("slider", "loss"), [(0.5, 0.3), (0.25, 0.2666666666), (0.0, 0.2333333333), (0.75, 0.1857142857), (1.0, 0.1)]
)
def test_loss_by_hand_at_every_place_of_the_slider(slider: float, loss: float) -> None:
    table = recoded([[0.5], [0.25], [0.5]], [6, 3, 1], [True, True, False], [0.25])
    assert Loss(generalization_vs_suppression=slider).columns(table).tolist() == [loss]  # floored to ten decimals


def test_a_domain_of_one_value_loses_nothing() -> None:
    assert Loss().from_costs(np.array([10.0]), 10, np.array([1.0])).tolist() == [0]


@pytest.mark.parametrize(
    ("aggregate", "plain", "weighted"),
    # weights 1 and 4, divided by the largest: 0.25 and 1
    [
        ("sum", 0.7, 0.55),
        ("arithmetic mean", 0.35, 0.275),
        ("geometric mean", (1.2 * 1.5) ** 0.5 - 1, (1.05 * 1.5) ** 0.5 - 1),
        ("maximum", 0.5, 0.5),
        ("rank", (0.5, 0.2), (0.5, 0.05)),
    ],
)
def test_the_aggregates_follow_their_formulas(aggregate: Any, plain: Any, weighted: Any) -> None:
    table = recoded([[0.2, 0.5]], [10], [True], [0.0, 0.0], ("a", "b"))
    assert Loss(aggregate=aggregate).score(table) == pytest.approx(plain)
    assert Loss(aggregate=aggregate, weights={"a": 1, "b": 4}).score(table) == pytest.approx(weighted)
    assert Loss(aggregate=aggregate, weights={"a": 30, "b": 120}).score(table) == pytest.approx(weighted)  # T5


def test_a_column_without_a_weight_weighs_one() -> None:
    table = recoded([[0.2, 0.5]], [10], [True], [0.0, 0.0], ("a", "b"))
    assert Loss(aggregate="sum", weights={"a": 2}).score(table) == pytest.approx(0.2 + 0.25)


def test_a_weight_of_zero_leaves_a_column_out_and_only_all_of_them_are_refused() -> None:
    table = recoded([[0.2, 0.5]], [10], [True], [0.0, 0.0], ("a", "b"))
    assert Loss(aggregate="sum", weights={"a": 0}).score(table) == pytest.approx(0.5)
    with pytest.raises(ConfigError, match=r"every quasi-identifier \(\['a', 'b'\]\) the weight 0"):
        Loss(weights={"a": 0, "b": 0.0}).score(table)


def test_a_suppressed_value_never_counts_less_than_a_released_one() -> None:
    shares = np.linspace(0, 1, 11)
    for slider in np.linspace(0, 1, 11):
        loss = Loss(generalization_vs_suppression=float(slider))
        assert (loss.suppressed_cost(shares) >= loss.kept_cost(shares) - 1e-15).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"aggregate": "median"}, "sum, arithmetic mean, geometric mean, maximum, rank"),
        ({"weights": {"a": -1.0}}, r"wrong for \['a'\]"),
        ({"weights": {"a": float("nan")}}, r"wrong for \['a'\]"),
        ({"generalization_vs_suppression": 1.5}, "0..1, got 1.5"),
    ],
)
def test_wrong_settings_are_refused(options: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Loss(**options)
