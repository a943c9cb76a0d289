import math
from typing import Any

import numpy as np
import pytest

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.evaluate import same_distribution
from tacit.models.finding import Basis


def test_two_halves_of_one_population_are_seldom_told_apart() -> None:
    """Seeded, 300 checks at 5%; a fresh seed would fail once in 700."""
    rng = np.random.default_rng(1)
    checks = [same_distribution(rng.random((60, 4)), rng.random((40, 4)), significance=0.05, permutations=99) for _ in range(300)]
    assert np.mean([not check.same for check in checks]) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize(("center", "spread"), [(0.5, 1.0), (0.0, 1.6)], ids=["shifted", "wider"])
def test_different_populations_are_told_apart_almost_always(center: float, spread: float) -> None:
    """Power at 400 rows a side, 20 seeded checks each."""
    rng = np.random.default_rng(2)
    pairs = [(rng.normal(center, spread, (400, 3)), rng.normal(size=(400, 3))) for _ in range(20)]
    assert np.mean([not same_distribution(*pair, permutations=999).same for pair in pairs]) >= 0.95


def test_members_sorted_by_a_feature_are_told_apart() -> None:
    rows = np.sort(np.random.default_rng(3).random(2000))[:, None]
    check = same_distribution(rows[:1600], rows[1600:])
    assert not check.same
    assert check.auc > 0.99
    assert check.p_value == 1 / 2000  # a permutation p-value is never zero


def test_a_feature_that_never_varies_and_tables_beyond_the_limit_do_no_harm() -> None:
    rng = np.random.default_rng(4)
    big = np.hstack([rng.normal(size=(12_000, 2)), np.ones((12_000, 1))])
    check = same_distribution(big, big[:300][::-1], permutations=999)
    assert check.n == 2500 + 150
    assert check.same


def test_the_finding_says_what_was_measured() -> None:
    rng = np.random.default_rng(5)
    check = same_distribution(rng.random((50, 2)), rng.random((50, 2)))
    (finding,) = check.findings(Basis.PUBLIC)
    assert (finding.value, finding.n, finding.basis, finding.confidence) == (check.auc, 50, Basis.PUBLIC, 0.95)
    assert finding.interval is not None
    assert finding.interval[0] <= check.auc <= finding.interval[1]
    assert finding.details["same"] is True
    assert check.findings()[0].basis is Basis.EXACT


@pytest.mark.parametrize("change", [{"significance": 0.9999}, {"permutations": 5000}, {"seed": 1}])
def test_every_setting_changes_the_outcome(change: dict[str, Any]) -> None:
    rng = np.random.default_rng(6)
    members, others = rng.random((50, 2)), rng.random((50, 2))
    assert same_distribution(members, others, **change) != same_distribution(members, others)


@pytest.mark.parametrize(
    ("members", "others", "settings", "error"),
    [
        (np.zeros((3, 2)), np.zeros((9, 2)), {}, DataError),
        (np.full((9, 2), np.nan), np.zeros((9, 2)), {}, DataError),
        (np.zeros(9), np.zeros((9, 2)), {}, ShapeError),
        (np.zeros((9, 3)), np.zeros((9, 2)), {}, ShapeError),
        (np.zeros((9, 2)), np.zeros((9, 2)), {"permutations": 99}, ConfigError),
        (np.zeros((9, 2)), np.zeros((9, 2)), {"significance": 0.0}, ConfigError),
        (np.zeros((9, 2)), np.zeros((9, 2)), {"permutations": 0}, ConfigError),
    ],
)
def test_bad_input_is_refused(members: Any, others: Any, settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        same_distribution(members, others, **settings)
