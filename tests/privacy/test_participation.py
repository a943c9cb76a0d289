"""How far one unit moves a run of correlated noise, against dense matrices and every pattern tried one by one."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tacit.privacy import GaussianEvent, Repeated, epsilon
from tacit.privacy.events import MatrixEvent, PoissonSampled
from tacit.privacy.participation import matrix_releases, squared_column, squared_sensitivity, squared_window
from tacit.privacy.strategies import Banded, Buffered, Strategy, Tree

BANDED = Banded(coefficients=(1.0, 0.7, 0.4, 0.1))
BUFFERED = Buffered(scales=(0.3, 0.25), decays=(0.9, 0.4))
IDENTITY = Banded(coefficients=(1.0,))
STRATEGIES: list[Strategy] = [IDENTITY, BANDED, BUFFERED, Tree(height=0), Tree(height=1), Tree(height=2), Tree(height=4)]


def rows_of(strategy: Strategy, steps: int) -> list[tuple[int, NDArray[np.float64]]]:
    """Return C's rows, each with the step that releases it: written out from the definition."""
    if isinstance(strategy, Banded | Buffered):
        if isinstance(strategy, Banded):
            entry = dict(enumerate(strategy.coefficients))
        else:
            terms = list(zip(strategy.scales, strategy.decays, strict=True))
            entry = {0: 1.0} | {k: sum(s * q ** (k - 1) for s, q in terms) for k in range(1, steps)}
        return [(t, np.array([entry.get(t - j, 0.0) if j <= t else 0.0 for j in range(steps)])) for t in range(steps)]
    rows = []
    for level in range(strategy.height + 1):
        for first in range(0, steps, 2**level):
            last = first + 2**level - 1
            if last < steps:  # a node is drawn when its last step has run
                rows.append((last, np.array([1.0 if first <= j <= last else 0.0 for j in range(steps)])))
    return rows


def periodic(steps: int, period: int) -> list[NDArray[np.float64]]:
    return [np.array([1.0 if j % period == i else 0.0 for j in range(steps)]) for i in range(min(period, steps))]


def separated(steps: int, apart: int) -> list[NDArray[np.float64]]:
    """Return every pattern whose participations lie `apart` or more from one another."""
    patterns = []
    for bits in itertools.product((0.0, 1.0), repeat=steps):
        places = np.flatnonzero(bits)
        if len(places) < 2 or np.diff(places).min() >= apart:
            patterns.append(np.array(bits))
    return patterns


def squares(strategy: Strategy, pattern: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Return the squared rows of C u, added up by step."""
    by_step = np.zeros(steps)
    for step, row in rows_of(strategy, steps):
        by_step[step] += float(row @ pattern) ** 2
    return by_step


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@pytest.mark.parametrize(("steps", "period"), [(1, 1), (12, 12), (12, 30), (12, 5), (13, 4), (16, 3), (16, 1)])
def test_the_sensitivity_is_the_largest_over_all_periodic_patterns(strategy: Strategy, steps: int, period: int) -> None:
    exact = max(squares(strategy, pattern, steps).sum() for pattern in periodic(steps, period))
    found = squared_sensitivity(strategy, steps=steps, period=period)
    assert exact * (1 - 1e-15) <= found <= exact * (1 + 1e-11)


@pytest.mark.parametrize("strategy", [IDENTITY, BANDED, BUFFERED], ids=str)
@pytest.mark.parametrize(("steps", "apart"), [(11, 4), (12, 3), (10, 2), (9, 9)])
def test_no_pattern_with_that_separation_moves_a_toeplitz_strategy_further(strategy: Strategy, steps: int, apart: int) -> None:
    """Kalinin & Lampert 2024, Theorem 2, tried on every pattern of a short run."""
    worst = max(squares(strategy, pattern, steps).sum() for pattern in separated(steps, apart))
    assert squared_sensitivity(strategy, steps=steps, period=apart) == pytest.approx(worst, rel=1e-11)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@pytest.mark.parametrize(("steps", "period", "length"), [(12, 5, 3), (13, 4, 1), (16, 16, 8), (16, 3, 5), (6, 2, 9)])
def test_a_window_is_the_most_that_steps_in_a_row_hold(strategy: Strategy, steps: int, period: int, length: int) -> None:
    exact = max(
        squares(strategy, pattern, steps)[start : start + length].sum()
        for pattern in periodic(steps, period)
        for start in range(steps)
    )
    found = squared_window(strategy, steps=steps, period=period, length=length)
    assert exact * (1 - 1e-15) <= found <= exact * (1 + 1e-8)


@pytest.mark.parametrize("strategy", [BANDED, BUFFERED, Tree(height=3)], ids=str)
def test_contributions_in_any_directions_move_it_no_further_than_equal_ones(strategy: Strategy) -> None:
    """Random unit vectors at every participation, 200 times: never past the bound (Choquette-Choo et al. 2023, Corollary 2.1)."""
    steps, period = 16, 3
    matrix = np.array([row for _, row in rows_of(strategy, steps)])
    bound = squared_sensitivity(strategy, steps=steps, period=period)
    random = np.random.default_rng(1)
    for _ in range(200):
        vectors = random.normal(size=(steps, 3))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for pattern in periodic(steps, period):
            assert np.square(matrix @ (vectors * pattern[:, None])).sum() <= bound * (1 + 1e-12)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_a_killed_and_resumed_run_moves_no_further_than_is_priced(strategy: Strategy) -> None:
    """Every pair of kills of a short run, rows written out: what was lost, and the run that is finished."""
    steps, period, every, replays = 12, 4, 2, 2
    event = run(strategy, steps=steps, period=period, replays=replays, replay_steps=every)
    noise, probability, count = matrix_releases(event)
    assert (probability, count) == (1.0, 1)
    worst = 0.0
    for pattern in periodic(steps, period):
        by_step = squares(strategy, pattern, steps)
        for kills in itertools.combinations_with_replacement(range(0, steps, every), replays):
            for lengths in itertools.product(range(every + 1), repeat=replays):
                lost = sum(by_step[start : start + length].sum() for start, length in zip(kills, lengths, strict=True))
                worst = max(worst, by_step.sum() + lost)
    assert 1 / noise**2 >= worst * (1 - 1e-12)
    assert 1 / noise**2 <= 2 * worst, "a bound, not a scare"


def run(strategy: Strategy, **more: Any) -> MatrixEvent:
    settings = {"steps": 40, "period": 4, "probability": None, "replays": 0, "replay_steps": 1, "noise_multiplier": 1.0} | more
    return MatrixEvent(strategy=strategy, **settings)


def test_independent_noise_without_amplification_costs_as_many_gaussian_releases_as_epochs() -> None:
    event = run(IDENTITY, steps=40, period=8, noise_multiplier=3.0)
    repeated = Repeated(event=GaussianEvent(noise_multiplier=3.0), count=5)
    assert epsilon(event, 1e-5) == pytest.approx(epsilon(repeated, 1e-5), rel=1e-12)


def test_cyclic_poisson_costs_as_many_sampled_releases_as_turns() -> None:
    """BandMF's Theorem 4: steps / bands releases, sensitivity |c|; lost windows add their turns."""
    event = run(BANDED, steps=40, period=4, probability=0.3, noise_multiplier=2.0)
    noise = 2.0 / np.linalg.norm(BANDED.coefficients)
    turns = PoissonSampled(probability=0.3, event=GaussianEvent(noise_multiplier=float(noise)))
    assert epsilon(event, 1e-5) == pytest.approx(epsilon(Repeated(event=turns, count=10), 1e-5), rel=1e-12)
    lost = run(BANDED, steps=40, period=4, probability=0.3, noise_multiplier=2.0, replays=2, replay_steps=5)
    assert epsilon(lost, 1e-5) == pytest.approx(epsilon(Repeated(event=turns, count=10 + 2 * 2), 1e-5), rel=1e-12)


def test_one_band_and_one_group_cost_what_dp_sgd_does() -> None:
    event = run(IDENTITY, steps=40, period=1, probability=0.05, noise_multiplier=1.2, replays=2, replay_steps=3)
    plain = Repeated(event=PoissonSampled(probability=0.05, event=GaussianEvent(noise_multiplier=1.2)), count=46)
    assert epsilon(event, 1e-5) == epsilon(plain, 1e-5)


def test_more_of_anything_never_costs_less() -> None:
    base: dict[str, Any] = {"steps": 40, "period": 8, "replays": 1, "replay_steps": 4}
    for strategy in STRATEGIES:
        cost = 1 / matrix_releases(run(strategy, **base))[0]
        for more in ({"steps": 41}, {"period": 7}, {"replays": 2}, {"replay_steps": 5}):
            if "period" in more and isinstance(strategy, Tree):
                continue  # a period that lies badly in a tree can cost less than a shorter one
            assert 1 / matrix_releases(run(strategy, **(base | more)))[0] >= cost * (1 - 1e-12), (strategy, more)


def test_the_column_norm_of_a_banded_strategy() -> None:
    assert squared_column(BANDED) == pytest.approx(1 + 0.49 + 0.16 + 0.01, rel=1e-15)
