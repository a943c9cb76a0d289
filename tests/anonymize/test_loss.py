import numpy as np
import pytest

from tacit.anonymize.loss import Loss
from tacit.errors import ConfigError


def test_loss_is_zero_when_nothing_changed_and_one_when_all_is_star() -> None:
    leaf = np.array([0.25, 0.0])
    assert Loss().columns(10 * leaf, 10, leaf).tolist() == [0, 0]
    assert Loss().columns(np.array([10.0, 10.0]), 10, leaf).tolist() == [1, 1]


def test_loss_by_hand() -> None:
    # 10 rows, a tree of 4 leaves: 6 rows in a group of 2 (share 1/2), 3 raw (1/4), 1 suppressed (1): r = 3 + 3/4 + 1 = 4.75,
    # b = 10/4, (r - b) / (n - b) = 2.25 / 7.5
    assert Loss().columns(np.array([4.75]), 10, np.array([0.25])) == pytest.approx([0.3])


def test_a_domain_of_one_value_loses_nothing() -> None:
    assert Loss().columns(np.array([10.0]), 10, np.array([1.0])).tolist() == [0]


def test_the_aggregates_follow_their_formulas() -> None:
    columns = [np.array([0.2]), np.array([0.5])]
    assert Loss().combine(columns).item() == pytest.approx(0.35)
    assert Loss(aggregate="geometric mean").combine(columns).item() == pytest.approx((1.2 * 1.5) ** 0.5 - 1)


def test_an_unknown_aggregate_is_refused() -> None:
    with pytest.raises(ConfigError, match="arithmetic mean, geometric mean"):
        Loss(aggregate="median")  # type: ignore[arg-type]
