"""Boosting with trees drawn at random: leaf sums by a slow loop, their sensitivity on a fine grid, shapes without data."""

import math
from typing import Any

import numpy as np
import pytest

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.grid import clip_target
from tacit.noise.source import OsSource, SeededSource
from tacit.privacy.ledger import Ledger
from tacit.train.releases import Releases, vector_block
from tacit.train.trees.boosting import HESSIAN_SCALE, Boosting, draw_splits, leaf_of


def boosting(**more: Any) -> Boosting:
    return Boosting(**({"classes": 2, "rounds": 10, "depth": 2, "learning_rate": 0.5} | more))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_leaf_sums_are_those_of_the_rows_one_at_a_time(classes: int) -> None:
    generator = np.random.default_rng(1)
    one = boosting(classes=classes)
    leaves = generator.integers(0, 4, size=50)
    scores = generator.normal(size=(50, one.outputs))
    numbers = generator.integers(0, classes, size=50)
    slow = np.zeros((4, 2 * one.outputs))
    for leaf, score, number in zip(leaves, scores, numbers, strict=True):
        raised = np.exp([0.0, score[0]] if classes == 2 else score)
        p = (raised / raised.sum())[classes - one.outputs :]
        g = np.eye(classes)[number][classes - one.outputs :] - p
        v = np.concatenate([g, 2 * p * (1 - p)])
        slow[leaf] += v
    wanted = (numbers[:, None] == np.arange(classes - one.outputs, classes)).astype(float)
    np.testing.assert_allclose(one.total(leaves, scores, wanted), slow.ravel(), atol=1e-12)


def test_the_hessian_comes_free_of_charge() -> None:
    """The inequality of the proof, on a fine grid; with the Hessian times 3 it would not hold."""
    p = np.linspace(0, 1, 100_001)
    assert (p**2 * (1 + HESSIAN_SCALE**2 * (1 - p) ** 2) <= p * (1 + 1e-15)).all()
    assert not (p**2 * (1 + 3**2 * (1 - p) ** 2) <= p * (1 + 1e-15)).all()


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_no_row_moves_a_rounds_sums_by_more_than_the_noise_covers(classes: int) -> None:
    one, generator = boosting(classes=classes), np.random.default_rng(2)
    longest = 0.0
    for scale in (0.1, 1.0, 10.0, 100.0):
        for _ in range(200):
            scores = generator.normal(scale=scale, size=(1, one.outputs))
            wanted = np.eye(classes)[[generator.integers(classes)]][:, classes - one.outputs :]
            longest = max(longest, float(np.linalg.norm(one.total(np.zeros(1, dtype=np.int64), scores, wanted))))
    assert longest <= clip_target(one.clip_norm)
    assert longest > 0.99 * clip_target(one.clip_norm)


def test_shapes_are_drawn_without_a_row_and_cover_the_bounds() -> None:
    features, thresholds = draw_splits(SeededSource(1), rounds=400, depth=5, features=3)
    assert features.shape == thresholds.shape == (400, 5)
    assert set(features.ravel().tolist()) == {0, 1, 2}
    assert -1 <= thresholds.min() < -0.99
    assert 0.99 < thresholds.max() <= 1
    rows = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    assert leaf_of(rows, np.array([0, 1]), np.array([0.0, 0.0])).tolist() == [0, 1, 2, 3]


def test_with_hardly_any_noise_it_learns_what_no_linear_model_can(ledger: Ledger) -> None:
    generator = np.random.default_rng(4)
    rows = generator.uniform(-1, 1, size=(2000, 2))
    numbers = (rows[:, 0] * rows[:, 1] > 0).astype(np.int64)
    one = boosting(rounds=60, depth=4, learning_rate=0.5)
    block = vector_block(epsilon=10.0, delta=1e-5, length=one.length, steps=60)
    paid = Releases(block=block, ledger=ledger, budget="people", request_id="mine", purpose="test", source=SeededSource(3))
    heard: list[int] = []
    with paid:
        forest = one.grow(rows, numbers, paid, heard.append)
    assert heard == list(range(1, 61))
    assert np.mean((forest.scores(rows)[:, 0] > 0) == numbers) > 0.9


def test_leaves_of_noise_alone_take_small_steps() -> None:
    """A step is at most rate * |Z|, whose mean over 4,096 leaves is 0.24 with a standard deviation of 0.003 (half-normal): 0.3 is
    twenty of them away, a chance below 1e-80. Without noise in the denominator steps would be at their limit, 1.2."""
    one = boosting(depth=12, learning_rate=0.3)
    steps = one.steps(OsSource.from_os().normal(one.length) * 20.0, noise=20.0)
    assert steps.shape == (4096, 1)
    assert np.abs(steps).max() <= 0.3 * 4
    assert np.abs(steps).mean() < 0.3


@pytest.mark.parametrize(
    "change", [{"rounds": 0}, {"rounds": 1.5}, {"depth": 0}, {"depth": 13}, {"learning_rate": 0.0}, {"learning_rate": math.nan}]
)
def test_settings_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        boosting(**change)


def test_more_rows_than_float64_can_prove_are_refused() -> None:
    boosting().prove(10**6)
    with pytest.raises(PrivacyError, match="contributions"):
        boosting().prove(10**7)
