"""Mirror descent: exact where the answer has a closed form, as good as another optimizer where it has none."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from tacit.anonymize.private.descent import Measured, fitted
from tacit.anonymize.private.junction_tree import Attributes

SIZES = (3, 4, 2)


def joint(seed: int = 0) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    table = random.gamma(0.7, size=SIZES)
    return np.asarray(table / table.sum() * 500)


def measured(table: NDArray[np.float64], noise: float, seed: int = 1) -> list[Measured]:
    random = np.random.default_rng(seed)
    pairs: dict[Attributes, Any] = {(0, 1): table.sum(axis=2), (1, 2): table.sum(axis=0)}
    return [
        Measured(attributes=one, values=values + random.normal(size=values.shape) * noise, deviation=max(noise, 1.0))
        for one, values in pairs.items()
    ]


def test_two_exact_pairs_give_the_conditionally_independent_table() -> None:
    """The distribution of largest entropy with these marginals is p(a, b) p(b, c) / p(b)."""
    table = joint()
    model = fitted(SIZES, measured(table, 0.0), total=500.0, iterations=3000)
    expected = table.sum(axis=2)[:, :, None] * table.sum(axis=0)[None] / table.sum(axis=(0, 2))[None, :, None]
    assert np.allclose(model.marginal((0, 1, 2)), expected, atol=0.05)


def loss_of(cells: NDArray[np.float64], measurements: list[Measured]) -> float:
    table = cells.reshape(SIZES)
    sums: dict[Attributes, Any] = {(0, 1): table.sum(axis=2), (1, 2): table.sum(axis=0), (0, 2): table.sum(axis=1)}
    return float(sum(np.square((sums[one.attributes] - one.values) / one.deviation).sum() for one in measurements) / 2)


@pytest.mark.parametrize("noise", [5.0, 40.0])
def test_noisy_pairs_are_fitted_as_well_as_by_a_general_optimizer(noise: float) -> None:
    """SLSQP over all cells, non-negative and adding up to the total: another method, without entropy or a tree."""
    measurements = measured(joint(), noise)
    found = loss_of(fitted(SIZES, measurements, total=500.0, iterations=3000).marginal((0, 1, 2)).ravel(), measurements)
    general: Any = minimize
    answer = general(
        loss_of,
        np.full(24, 500 / 24),
        args=(measurements,),
        method="SLSQP",
        bounds=[(0, None)] * 24,
        constraints={"type": "eq", "fun": lambda cells: cells.sum() - 500},
        options={"maxiter": 500},
    )
    assert answer.success
    assert found <= answer.fun * 1.01 + 0.01


def test_more_steps_fit_no_worse_and_a_start_is_used() -> None:
    measurements = measured(joint(), 10.0)
    few, more = (fitted(SIZES, measurements, total=500.0, iterations=count) for count in (5, 200))
    start = fitted(SIZES, measurements, total=500.0, iterations=1, start=more.potentials)
    losses = [loss_of(one.marginal((0, 1, 2)).ravel(), measurements) for one in (few, more, start)]
    assert losses[0] > losses[1] >= losses[2] - 1e-9


def test_two_measurements_of_one_marginal_weigh_by_their_precision() -> None:
    one = Measured(attributes=(0,), values=np.array([10.0, 0.0]), deviation=1.0)
    other = Measured(attributes=(0,), values=np.array([40.0, 30.0]), deviation=2.0)
    both = one.joined(other)
    assert np.allclose(both.values, [16.0, 6.0])
    assert both.deviation == pytest.approx(np.sqrt(0.8))
    sums = [fitted((2,), [one, other], total=22.0, iterations=400), fitted((2,), [both], total=22.0, iterations=400)]
    assert np.allclose(sums[0].marginal((0,)), sums[1].marginal((0,)), atol=1e-6)
    assert np.allclose(sums[0].marginal((0,)), [16.0, 6.0], atol=1e-3)
