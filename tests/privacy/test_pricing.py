from typing import Any

import pytest

from tacit.errors import ConfigError
from tacit.noise import missing_mass
from tacit.privacy import GaussianEvent, Guarantee, PoissonSampled, Repeated, delta, epsilon, price

EVENT = PoissonSampled(probability=0.05, event=GaussianEvent(noise_multiplier=1.287))
PLAN: dict[str, Any] = {"steps": 200, "spare_steps": 10, "checkpoint_every": 5, "delta": 1e-5}


def test_a_block_costs_the_pld_price_of_planned_and_spare_steps() -> None:
    block = price(EVENT, **PLAN)
    assert block.guarantee == Guarantee(epsilon=epsilon(Repeated(event=EVENT, count=210), 1e-5), delta=1e-5, unit="row")
    assert (block.event, block.steps, block.spare_steps, block.checkpoint_every) == (EVENT, 200, 10, 5)


def test_ten_spare_steps_in_two_hundred_cost_seven_hundredths_of_epsilon() -> None:
    """The figure of SOUNDNESS 5; a price that drops the spare steps fails here."""
    with_spare, without = price(EVENT, **PLAN), price(EVENT, **{**PLAN, "spare_steps": 0})
    assert with_spare.guarantee.epsilon - without.guarantee.epsilon == pytest.approx(0.07, abs=0.01)


def test_the_missing_tail_of_the_noise_is_taken_from_delta() -> None:
    draws = 10**14  # absurd, so that the share shows: 210 * 10^14 / 2 pairs, each short of 2^-78
    without, block = price(EVENT, **PLAN), price(EVENT, **PLAN, draws=draws)
    share = 1e-5 - delta(block.total_event, block.guarantee.epsilon)
    assert share >= (1 + 2.718281828**block.guarantee.epsilon) * 210 * missing_mass(draws) > 1e-9
    assert block.guarantee.epsilon > without.guarantee.epsilon
    assert block.guarantee.delta == 1e-5


def test_a_million_draws_cost_next_to_nothing() -> None:
    assert price(EVENT, **PLAN, draws=10**6).guarantee.epsilon == pytest.approx(price(EVENT, **PLAN).guarantee.epsilon, rel=1e-9)


def test_a_missing_tail_worth_all_of_delta_is_refused() -> None:
    with pytest.raises(ConfigError, match="no finite epsilon"):
        price(EVENT, **PLAN, draws=10**17)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 201},
        {"spare_steps": 11},
        {"checkpoint_every": 6},
        {"delta": 1e-6},
        {"unit": "user_id"},
        {"draws": 10**14},
    ],
)
def test_every_argument_changes_the_block(change: dict[str, Any]) -> None:
    assert price(EVENT, **{**PLAN, **change}) != price(EVENT, **PLAN)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"spare_steps": -1},
        {"checkpoint_every": 0},
        {"delta": 0},
        {"delta": 1.0},
        {"delta": 1e-14},
        {"unit": ""},
        {"draws": -1},
        {"draws": 1.5},
    ],
)
def test_a_plan_out_of_range_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        price(EVENT, **{**PLAN, **change})


def test_a_step_that_is_itself_a_composition_is_refused() -> None:
    with pytest.raises(ConfigError, match="a block repeats"):
        price(Repeated(event=EVENT, count=2), **PLAN)  # type: ignore[arg-type]
