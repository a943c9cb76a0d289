"""Golden values: tests/golden/epsilon.json, integrated by tests/golden/integrate_epsilon.py without dp-accounting."""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.errors import ConfigError
from tacit.privacy import Composed, Event, GaussianEvent, PoissonSampled, Repeated, delta, epsilon
from tacit.privacy.accounting import FLOAT_ALLOWANCE, Curve, curve

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "epsilon.json").read_text(encoding="utf-8"))["rows"]


def plan(noise: float, probability: float, steps: int) -> Event:
    return Repeated(event=PoissonSampled(probability=probability, event=GaussianEvent(noise_multiplier=noise)), count=steps)


def golden_event(row: dict[str, Any]) -> Event:
    return plan(row["noise_multiplier"], row["probability"], row["steps"])


def is_a_tight_bound(value: float, row: dict[str, Any]) -> bool:
    """Never below either direction's exact epsilon, and at most 3e-4 of it above (2e-3 where delta is tiny)."""
    exact = max(float(row["remove"]), float(row["add"]))
    return exact <= value <= exact * (1 + (3e-4 if row["delta"] >= 1e-6 else 2e-3))


@cache
def golden_curve(number: int) -> Curve:
    return curve(golden_event(GOLDEN[number]))


def name(row: dict[str, Any]) -> str:
    return f"{row['method']}-{row['noise_multiplier']}-{row['probability']}-{row['steps']}-{row['delta']}"


@pytest.mark.parametrize("number", range(len(GOLDEN)), ids=[name(row) for row in GOLDEN])
def test_pld_epsilon_is_never_below_the_integrated_value_and_close_above_it(number: int) -> None:
    assert is_a_tight_bound(golden_curve(number).epsilon(GOLDEN[number]["delta"]), GOLDEN[number])


@pytest.mark.parametrize("number", range(len(GOLDEN)), ids=[name(row) for row in GOLDEN])
def test_pld_delta_is_never_below_the_integrated_value_and_close_above_it(number: int) -> None:
    row = GOLDEN[number]
    found = golden_curve(number).delta(float(row["epsilon"]))
    assert row["delta"] * (1 - 1e-9) <= found <= row["delta"] * 1.01 + 2 * FLOAT_ALLOWANCE * row["steps"]


@pytest.mark.parametrize("row", GOLDEN, ids=name)
def test_rdp_epsilon_is_above_the_integrated_value(row: dict[str, Any]) -> None:
    exact = float(row["epsilon"])
    assert exact <= epsilon(golden_event(row), row["delta"], "rdp") <= 2 * exact


@pytest.mark.parametrize("row", [row for row in GOLDEN if row["method"] == "contour"][:3], ids=name)
def test_the_golden_check_sees_planted_faults(row: dict[str, Any]) -> None:
    from dp_accounting.pld import privacy_loss_distribution as pld

    noise, probability, steps = row["noise_multiplier"], row["probability"], row["steps"]
    optimistic = pld.from_gaussian_mechanism(
        noise, pessimistic_estimate=False, use_connect_dots=False, sampling_prob=probability, value_discretization_interval=1e-3
    ).self_compose(steps)
    faults = {
        "noise divided by the probability": epsilon(plan(noise / probability, probability, steps), row["delta"]),
        "sampled twice": epsilon(plan(noise, probability**2, steps), row["delta"]),
        "ten steps in two hundred forgotten": epsilon(plan(noise, probability, math.floor(steps / 1.05)), row["delta"]),
        "direction add only": float(row["add"]),
        "losses rounded down": optimistic.get_epsilon_for_delta(row["delta"]),
    }
    assert [fault for fault, value in faults.items() if is_a_tight_bound(value, row)] == []


def test_one_gaussian_release_costs_the_published_epsilon() -> None:
    # arXiv:1805.06530 Theorem 8 at sigma 1, delta 1e-5, mpmath at 50 digits: 4.37717809568
    assert epsilon(GaussianEvent(noise_multiplier=1.0), 1e-5) == pytest.approx(4.37717809568, rel=1e-6)


def test_float_errors_of_the_peer_are_covered_where_it_alone_is_too_small() -> None:
    import dp_accounting
    from dp_accounting.pld import PLDAccountant

    row = next(row for row in GOLDEN if row["delta"] == 2e-10)
    peer = PLDAccountant(value_discretization_interval=1e-4)
    peer.compose(dp_accounting.PoissonSampledDpEvent(row["probability"], dp_accounting.GaussianDpEvent(1.0)), row["steps"])
    exact = float(row["epsilon"])
    assert peer.get_epsilon(2e-10) < exact <= epsilon(golden_event(row), 2e-10) <= exact * 1.002


def test_zeroing_one_unit_costs_what_adding_or_removing_one_does() -> None:
    import dp_accounting
    from dp_accounting.pld import PLDAccountant
    from dp_accounting.rdp import RdpAccountant

    relations = dp_accounting.NeighboringRelation
    event = dp_accounting.PoissonSampledDpEvent(0.1, dp_accounting.GaussianDpEvent(1.5))
    both = (relations.REPLACE_SPECIAL, relations.ADD_OR_REMOVE_ONE)
    for zero_out, add_remove in (
        [PLDAccountant(relation, 1e-3) for relation in both],
        [RdpAccountant(neighboring_relation=relation) for relation in both],
    ):
        assert zero_out.compose(event, 50).get_epsilon(1e-5) == add_remove.compose(event, 50).get_epsilon(1e-5)
        assert zero_out.get_delta(1.0) == add_remove.get_delta(1.0)


NOISE = st.floats(min_value=1.0, max_value=6.0)
PROBABILITY = st.floats(min_value=0.02, max_value=0.98)
STEPS = st.integers(min_value=1, max_value=100)
SLACK = 1 + 3e-4  # every price is within 3e-4 above the exact one
few = settings(max_examples=4, derandomize=True, deadline=None)


@few
@given(NOISE, st.floats(min_value=1.0, max_value=2.0), PROBABILITY, STEPS)
def test_epsilon_falls_as_noise_grows(noise: float, factor: float, probability: float, steps: int) -> None:
    low, high = epsilon(plan(noise * factor, probability, steps), 1e-5), epsilon(plan(noise, probability, steps), 1e-5)
    assert 0 <= low <= high * SLACK


@few
@given(NOISE, PROBABILITY, st.floats(min_value=0.1, max_value=1.0), STEPS)
def test_a_smaller_sampling_probability_is_never_dearer(noise: float, probability: float, factor: float, steps: int) -> None:
    assert epsilon(plan(noise, probability * factor, steps), 1e-5) <= epsilon(plan(noise, probability, steps), 1e-5) * SLACK


@few
@given(NOISE, PROBABILITY, STEPS, STEPS)
def test_composing_never_gets_cheaper(noise: float, probability: float, steps: int, more: int) -> None:
    first, second = plan(noise, probability, steps), plan(noise + 0.5, probability, more)
    both = epsilon(Composed(events=(first, second)), 1e-5)
    assert both * SLACK >= max(epsilon(first, 1e-5), epsilon(second, 1e-5))
    assert epsilon(plan(noise, probability, steps + more), 1e-5) * SLACK >= epsilon(first, 1e-5)


@few
@given(NOISE, PROBABILITY, STEPS, st.floats(min_value=-9, max_value=-2))
def test_pld_is_never_dearer_than_rdp_and_delta_undoes_epsilon(
    noise: float, probability: float, steps: int, exponent: float
) -> None:
    event, target = plan(noise, probability, steps), 10.0**exponent
    found = epsilon(event, target)
    assert found <= epsilon(event, target, "rdp") * SLACK
    if found > 0:
        assert delta(event, found) == pytest.approx(target, rel=1e-3)


def test_equal_events_written_differently_cost_the_same() -> None:
    one = PoissonSampled(probability=0.1, event=GaussianEvent(noise_multiplier=2.0))
    written: list[Event] = [
        Repeated(event=one, count=3),
        Composed(events=(one, Repeated(event=one, count=2))),
        Composed(events=(one,) * 3),
    ]
    assert len({epsilon(event, 1e-5) for event in written}) == 1
    everyone = PoissonSampled(probability=1.0, event=GaussianEvent(noise_multiplier=2.0))
    assert epsilon(everyone, 1e-5) == epsilon(GaussianEvent(noise_multiplier=2.0), 1e-5)


def test_unsampled_releases_compose_as_one_of_less_noise() -> None:
    # sum of 1/noise^2: 1/4 + 2/16 + 1/1 = 1.375, so one release of noise 1.375^-1/2
    parts = Composed(
        events=(
            GaussianEvent(noise_multiplier=2.0),
            Repeated(event=GaussianEvent(noise_multiplier=4.0), count=2),
            GaussianEvent(noise_multiplier=1.0),
        )
    )
    assert epsilon(parts, 1e-5) == pytest.approx(epsilon(GaussianEvent(noise_multiplier=1.375**-0.5), 1e-5), rel=1e-12)


def test_different_plans_declared_together_cost_less_than_their_sum_and_more_than_each() -> None:
    events = (plan(1.5, 0.1, 50), plan(3.0, 0.02, 100), GaussianEvent(noise_multiplier=8.0))
    single = [epsilon(event, 1e-5) for event in events]
    assert max(single) < epsilon(Composed(events=events), 1e-5) < sum(single)


def test_prices_stay_finite_and_ordered_at_the_edges() -> None:
    assert epsilon(plan(1e6, 0.01, 1000), 1e-5) == epsilon(plan(1e9, 0.01, 1000), 1e-5) == 0
    together = Repeated(event=GaussianEvent(noise_multiplier=0.5), count=10**6)
    with pytest.raises(ConfigError, match="no room"):
        epsilon(together, 1e-5)
    assert epsilon(GaussianEvent(noise_multiplier=1e-3), 1e-5) == pytest.approx(504_264, rel=1e-5)  # (1/s)^2/2 + 4.26/s
    assert epsilon(Repeated(event=GaussianEvent(noise_multiplier=8.0), count=10_000), 1e-5) == pytest.approx(131.1, rel=1e-2)
    assert 0 < epsilon(plan(2.0, 1 - 2**-53, 10), 1e-5) <= epsilon(plan(2.0, 1.0, 10), 1e-5) * SLACK
    assert epsilon(plan(10.0, 1e-9, 1000), 1e-5) == 0


def test_ten_thousand_steps_cost_more_than_nine_thousand() -> None:
    assert epsilon(plan(1.0, 0.01, 10_000), 1e-5) > epsilon(plan(1.0, 0.01, 9_000), 1e-5)


def test_nothing_is_ever_free_under_rdp_even_where_the_peer_says_so() -> None:
    divergences = curve(plan(1e5, 1e-9, 10), "rdp").delta(0.0)
    assert divergences > 0


@pytest.mark.parametrize("bad", [0, 1, -1e-5, math.nan, "1e-5"])
def test_a_delta_outside_its_range_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError, match="delta"):
        epsilon(GaussianEvent(noise_multiplier=1.0), bad)


@pytest.mark.parametrize("bad", [-0.1, math.inf, math.nan, "1"])
def test_an_epsilon_outside_its_range_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError, match="epsilon"):
        delta(GaussianEvent(noise_multiplier=1.0), bad)


def test_an_unknown_method_or_event_is_refused() -> None:
    gaussian = GaussianEvent(noise_multiplier=1.0)
    with pytest.raises(ConfigError, match="unknown accounting method"):
        epsilon(gaussian, 1e-5, "clt")  # type: ignore[arg-type]
    not_events: list[Any] = ["gaussian", None, object()]
    for event in not_events:
        with pytest.raises(ConfigError, match="not an event"):
            epsilon(event, 1e-5)


@pytest.mark.parametrize(
    "event", [plan(1e-4, 0.1, 1), plan(1.0, 1e-10, 1), plan(1.0, 0.1, 10**6 + 1), GaussianEvent(noise_multiplier=1e300)]
)
def test_what_float64_has_no_room_for_is_refused(event: Event) -> None:
    for method in ("pld", "rdp"):
        with pytest.raises(ConfigError, match="no room"):
            epsilon(event, 1e-5, method)


def test_a_delta_that_float_errors_could_reach_is_refused_and_rdp_offered() -> None:
    event = plan(2.0, 0.05, 100)
    with pytest.raises(ConfigError, match="rdp"):
        epsilon(event, 5e-13)
    assert epsilon(event, 2e-12) > 0
    assert epsilon(event, 5e-13, "rdp") > epsilon(event, 2e-12)


def test_every_argument_changes_the_price() -> None:
    event = plan(1.5, 0.1, 50)
    base = epsilon(event, 1e-5)
    assert len({base, epsilon(event, 1e-6), epsilon(event, 1e-5, "rdp"), epsilon(plan(1.5, 0.1, 51), 1e-5)}) == 4
    assert len({delta(event, 1.0), delta(event, 2.0), delta(event, 1.0, "rdp")}) == 3
