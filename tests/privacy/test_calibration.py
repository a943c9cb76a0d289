import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.errors import ConfigError
from tacit.privacy import GaussianEvent, PoissonSampled, noise_multiplier_for, price, steps_for

DEMO: dict[str, Any] = {"epsilon": 3.0, "delta": 1e-5, "probability": 0.05, "steps": 200}
DEMO_NOISE = 1.287  # exact epsilon 2.99916 (tests/golden/epsilon.json); 1.286 costs over 3
BUDGET: dict[str, Any] = {"epsilon": 3.0, "delta": 1e-5, "probability": 0.05, "noise_multiplier": DEMO_NOISE}


def cost(noise: float, probability: float, steps: int, delta: float, draws: int = 0) -> float:
    event = PoissonSampled(probability=probability, event=GaussianEvent(noise_multiplier=noise))
    block = price(event, steps=steps, spare_steps=0, checkpoint_every=1, delta=delta, draws=draws)
    return block.guarantee.epsilon


def one_less(noise: float) -> float:
    """The next smaller number of four significant digits."""
    return float(f"{noise - 0.6 * 10.0 ** (math.floor(math.log10(noise)) - 3):.3e}")


@pytest.mark.parametrize(
    "target",
    [
        DEMO,
        {"epsilon": 0.5, "delta": 1e-5, "probability": 0.5, "steps": 50},
        {"epsilon": 3.0, "delta": 1e-5, "probability": 1.0, "steps": 1},
        {"epsilon": 8.0, "delta": 1e-6, "probability": 0.2, "steps": 300},
        {"epsilon": 0.01, "delta": 1e-5, "probability": 0.01, "steps": 1000},
        {"epsilon": 0.1, "delta": 1e-3, "probability": 0.1, "steps": 10},
    ],
)
def test_the_noise_found_is_the_smallest_of_four_digits_that_fits(target: dict[str, Any]) -> None:
    noise = noise_multiplier_for(**target)
    assert noise == DEMO_NOISE or target is not DEMO
    assert float(f"{noise:.3e}") == noise
    rest = (target["probability"], target["steps"], target["delta"])
    assert cost(noise, *rest) <= target["epsilon"] < cost(one_less(noise), *rest)


@pytest.mark.slow
@settings(max_examples=8, derandomize=True, deadline=None)
@given(st.floats(min_value=0.3, max_value=10), st.floats(min_value=0.02, max_value=1), st.integers(min_value=1, max_value=300))
def test_what_was_found_never_costs_more_than_the_target(epsilon: float, probability: float, steps: int) -> None:
    noise = noise_multiplier_for(epsilon=epsilon, delta=1e-5, probability=probability, steps=steps)
    assert 0.97 * epsilon <= cost(noise, probability, steps, 1e-5) <= epsilon
    most = steps_for(epsilon=epsilon, delta=1e-5, probability=probability, noise_multiplier=noise)
    assert most >= steps
    assert cost(noise, probability, most, 1e-5) <= epsilon < cost(noise, probability, most + 1, 1e-5)


def test_draws_that_a_plan_will_make_are_priced_in() -> None:
    draws = 10**14
    noise = noise_multiplier_for(**DEMO, draws=draws)
    assert cost(noise, 0.05, 200, 1e-5, draws) <= 3.0 < cost(DEMO_NOISE, 0.05, 200, 1e-5, draws)
    assert steps_for(**BUDGET, draws=draws) < 200


@pytest.mark.parametrize("change", [{"epsilon": 2.0}, {"delta": 1e-6}, {"probability": 0.06}, {"steps": 220}])
def test_every_argument_changes_the_noise(change: dict[str, Any]) -> None:
    assert noise_multiplier_for(**{**DEMO, **change}) > 1.001 * DEMO_NOISE


@pytest.mark.parametrize("change", [{"epsilon": 2.0}, {"delta": 1e-6}, {"probability": 0.06}, {"noise_multiplier": 1.2}])
def test_every_argument_changes_the_steps(change: dict[str, Any]) -> None:
    assert steps_for(**{**BUDGET, **change}) < 200


def test_the_steps_of_a_calibrated_plan_come_back() -> None:
    assert steps_for(**BUDGET) == 200


def test_when_not_one_step_fits_the_message_says_what_would() -> None:
    with pytest.raises(ConfigError, match=r"One step fits from noise multiplier 1\.391 on"):
        steps_for(epsilon=3.0, delta=1e-5, probability=1.0, noise_multiplier=0.5)
    assert steps_for(epsilon=3.0, delta=1e-5, probability=1.0, noise_multiplier=1.391) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"epsilon": 0},
        {"epsilon": math.inf},
        {"epsilon": math.nan},
        {"epsilon": "3"},
        {"delta": 0.0},
        {"delta": 1.0},
        {"probability": 0.0},
        {"probability": 1.1},
        {"steps": 0},
        {"steps": 2.5},
        {"draws": -1},
        {"delta": 1e-13},
        pytest.param({"epsilon": 200.0, "probability": 1.0, "steps": 1}, marks=pytest.mark.slow),
    ],
)
def test_a_target_that_cannot_be_met_or_promises_nothing_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        noise_multiplier_for(**{**DEMO, **change})


@pytest.mark.parametrize("change", [{"epsilon": 0}, {"delta": 0.0}, {"probability": 2}, {"noise_multiplier": 0}, {"draws": 1.5}])
def test_a_budget_out_of_range_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        steps_for(**{**BUDGET, **change})
