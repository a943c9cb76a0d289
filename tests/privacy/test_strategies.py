"""Strategies: what may be one, and the least error for the price against optima found by other means."""

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.special import binom

from privacy.test_participation import BANDED, BUFFERED, rows_of
from tacit.errors import ConfigError, LedgerError
from tacit.privacy.block import Block
from tacit.privacy.events import Composed, MatrixEvent, event_from_json, event_to_json
from tacit.privacy.factorization import (
    banded_strategy,
    buffered_strategy,
    prefix_deviation,
    step_deviation,
    tree_strategy,
)
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.participation import squared_sensitivity
from tacit.privacy.strategies import Banded, Buffered, Strategy, Tree


@pytest.mark.parametrize(
    "wrong",
    [(), (0.5,), (1.0, 1.1), (1.0, 0.5, 0.6), (1.0, 0.0), (1.0, -0.1), (1.0, math.nan), (1.0, "0.5"), (True,)],
)
def test_a_banded_strategy_without_a_proof_cannot_exist(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        Banded(coefficients=wrong)


@pytest.mark.parametrize(
    ("scales", "decays"),
    [
        ((), ()),
        ((0.6, 0.5), (0.1, 0.2)),
        ((0.5,), (1.0,)),
        ((0.5,), (-0.1,)),
        ((0.0,), (0.5,)),
        ((0.5,), (0.5, 0.5)),
        ((-0.5,), (0.5,)),
    ],
)
def test_a_buffered_strategy_without_a_proof_cannot_exist(scales: Any, decays: Any) -> None:
    with pytest.raises(ConfigError):
        Buffered(scales=scales, decays=decays)


@pytest.mark.parametrize("height", [-1, 1.0, True, 41])
def test_a_tree_has_a_height(height: Any) -> None:
    with pytest.raises(ConfigError):
        Tree(height=height)


EVENT = MatrixEvent(noise_multiplier=2.0, strategy=BANDED, steps=40, period=4, probability=0.25, replays=2, replay_steps=5)


@pytest.mark.parametrize(
    ("strategy", "probability"), [(BANDED, None), (BANDED, 0.25), (BUFFERED, None), (Tree(height=3), None)], ids=str
)
def test_an_event_comes_back_from_json(strategy: Strategy, probability: float | None) -> None:
    event = MatrixEvent(
        noise_multiplier=2.0, strategy=strategy, steps=40, period=4, probability=probability, replays=2, replay_steps=5
    )
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event
    assert ("probability" in event_to_json(event)) is (probability is not None)
    assert Composed(events=(event,)).events == (event,)


@pytest.mark.parametrize(
    "change",
    [
        {"strategy": {"strategy": "dense"}},
        {"strategy": {"strategy": "tree"}},
        {"strategy": {"strategy": "tree", "height": 2, "x": 1}},
        {"strategy": "tree"},
        {"steps": 0},
        {"steps": 4.0},
        {"period": 0},
        {"period": 3},
        {"replays": -1},
        {"replay_steps": 0},
        {"probability": None},
        {"probability": 1.5},
        {"noise_multiplier": 0.0},
        {"module": "os"},
    ],
)
def test_json_that_is_not_exactly_a_run_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(LedgerError):
        event_from_json(event_to_json(EVENT) | change)


def test_sampling_amplifies_nothing_but_bands_no_wider_than_a_turn() -> None:
    for strategy, period in ((BUFFERED, 40), (Tree(height=0), 40), (BANDED, 3)):
        with pytest.raises(ConfigError, match="at most one participation per band width"):
            MatrixEvent(
                noise_multiplier=1.0, strategy=strategy, steps=40, period=period, probability=0.5, replays=0, replay_steps=1
            )


def test_a_block_never_runs_more_than_its_event_says() -> None:
    right: dict[str, Any] = {"event": EVENT, "steps": 40, "spare_steps": 10, "checkpoint_every": 5}
    promise = Guarantee(epsilon=1.0, delta=1e-5)
    block = Block(**right, guarantee=promise)
    assert block.total_event == EVENT
    assert block.in_order
    for change in (
        {"steps": 41},
        {"steps": 39},
        {"spare_steps": 15},
        {"checkpoint_every": 3},
        {"checkpoint_every": 10, "spare_steps": 20},
    ):
        with pytest.raises(ConfigError, match="not paid for"):
            Block(**(right | change), guarantee=promise)


def cost(strategy: Strategy, steps: int, period: int) -> float:
    return prefix_deviation(strategy, steps=steps) * math.sqrt(squared_sensitivity(strategy, steps=steps, period=period))


def dense_optimum(steps: int) -> float:
    """The least RMSE of any factorization at one participation, by the fixed point of Denisov et al. 2022, Theorem 3.2."""
    prefix = np.tril(np.ones((steps, steps)))
    gram, dual = prefix.T @ prefix, np.ones(steps)
    for _ in range(80):
        half = np.diag(np.sqrt(dual))
        dual = np.diag(np.real(sqrtm(half @ gram @ half))).copy()
    return float(np.sqrt(dual.sum() / steps))


def dense(strategy: Strategy, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (covariance of the prefixes' noise, covariance of the steps'), the noise being least squares from C's noisy rows."""
    variances, steps_covariance = np.zeros((steps, steps)), np.zeros((steps, steps))
    rows = rows_of(strategy, steps)
    decoder = np.zeros((steps, len(rows)))
    for t in range(steps):  # prefix t from the rows released up to t
        known = [i for i, (step, _) in enumerate(rows) if step <= t]
        matrix = np.array([rows[i][1] for i in known])
        decoder[t, known] = (np.arange(steps) <= t).astype(float) @ np.linalg.pinv(matrix)
    variances = decoder @ decoder.T
    change = np.diff(decoder, axis=0, prepend=np.zeros((1, len(rows))))
    steps_covariance = change @ change.T
    return variances, steps_covariance


@pytest.mark.parametrize("strategy", [BANDED, BUFFERED, Tree(height=0), Tree(height=2), Tree(height=3), Tree(height=4)], ids=str)
def test_errors_are_those_of_the_dense_least_squares_decoder(strategy: Strategy) -> None:
    steps = 13
    prefixes, increments = dense(strategy, steps)
    assert prefix_deviation(strategy, steps=steps) == pytest.approx(np.sqrt(np.diag(prefixes).mean()), rel=1e-9)
    assert prefix_deviation(strategy, steps=steps, objective="max") == pytest.approx(np.sqrt(np.diag(prefixes).max()), rel=1e-9)
    assert step_deviation(strategy, steps=steps) == pytest.approx(np.sqrt(np.diag(increments).mean()), rel=1e-9)


@pytest.mark.parametrize("steps", [16, 40])
def test_wide_bands_and_a_few_buffers_come_near_the_best_of_all_factorizations(steps: int) -> None:
    least = dense_optimum(steps)
    for strategy in (
        banded_strategy(bands=steps, steps=steps, period=steps),
        buffered_strategy(buffers=3, steps=steps, period=steps),
    ):
        assert least * (1 - 1e-6) <= cost(strategy, steps, steps) <= 1.04 * least


def test_the_square_root_has_its_published_error() -> None:
    """Fichtenberger et al. 2023, arXiv:2202.11205, Theorem 1: largest deviation times sensitivity is the sum of squared (2k choose k) / 4^k."""
    steps = 256
    k = np.arange(steps)
    coefficients = np.exp(np.cumsum(np.concatenate([[0.0], np.log((2 * k[1:] - 1) / (2 * k[1:]))])))
    assert coefficients[5] == pytest.approx(binom(10, 5) / 4**5)
    root = Banded(coefficients=tuple(coefficients.tolist()))
    largest = prefix_deviation(root, steps=steps, objective="max") * math.sqrt(
        squared_sensitivity(root, steps=steps, period=steps)
    )
    assert largest == pytest.approx(float(np.square(coefficients).sum()), rel=1e-9)
    short = Banded(coefficients=root.coefficients[:32])
    assert cost(banded_strategy(bands=32, steps=steps, period=steps), steps, steps) < cost(short, steps, steps)


def test_more_bands_never_cost_more_and_one_is_independent_noise() -> None:
    costs = [cost(banded_strategy(bands=bands, steps=200, period=200), 200, 200) for bands in (1, 2, 4, 8)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] == pytest.approx(math.sqrt((200 + 1) / 2))
    assert banded_strategy(bands=1, steps=5, period=2) == Banded(coefficients=(1.0,))


def test_a_strategy_is_made_for_its_period_and_objective() -> None:
    for build in (
        lambda **more: banded_strategy(bands=12, steps=96, **more),
        lambda **more: buffered_strategy(buffers=2, steps=96, **more),
    ):
        once, often = build(period=96), build(period=8)
        assert cost(often, 96, 8) < cost(once, 96, 8)
        assert cost(once, 96, 96) < cost(often, 96, 96)
        largest = build(period=96, objective="max")
        assert prefix_deviation(largest, steps=96, objective="max") * math.sqrt(
            squared_sensitivity(largest, steps=96, period=96)
        ) <= prefix_deviation(once, steps=96, objective="max") * math.sqrt(squared_sensitivity(once, steps=96, period=96)) * (
            1 + 1e-6
        )


def test_trees_restart_where_that_costs_less() -> None:
    best = tree_strategy(steps=100, period=25)
    costs = {height: cost(Tree(height=height), 100, 25) for height in range(8)}
    assert best.height == min(costs, key=lambda height: costs[height])
    assert tree_strategy(steps=100, period=25, height=2) == Tree(height=2)


@pytest.mark.parametrize("change", [{"bands": 0}, {"bands": 11}, {"steps": 0}, {"period": 0}, {"bands": 2.0}])
def test_numbers_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        banded_strategy(**({"bands": 2, "steps": 10, "period": 5} | change))
