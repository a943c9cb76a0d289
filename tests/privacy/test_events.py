import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.errors import ConfigError, LedgerError
from tacit.privacy import Composed, Event, GaussianEvent, PoissonSampled, Repeated, event_from_json, event_to_json

GAUSSIANS = st.floats(min_value=1e-300, max_value=1e300).map(lambda noise: GaussianEvent(noise_multiplier=noise))
SAMPLED = st.builds(
    lambda probability, event: PoissonSampled(probability=probability, event=event),
    st.floats(min_value=0, max_value=1, exclude_min=True),
    GAUSSIANS,
)
REPEATED = st.builds(
    lambda event, count: Repeated(event=event, count=count), GAUSSIANS | SAMPLED, st.integers(min_value=1, max_value=10**20)
)
EVENTS = st.recursive(
    GAUSSIANS | SAMPLED | REPEATED,
    lambda inner: st.lists(inner, min_size=1, max_size=4).map(lambda events: Composed(events=tuple(events))),
    max_leaves=6,
)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(EVENTS)
def test_every_event_comes_back_from_json_text_unchanged(event: Event) -> None:
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


GAUSSIAN = {"event": "gaussian", "noise_multiplier": 1.0}


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        "gaussian",
        {"event": "os.system"},
        {"event": "dp_accounting.GaussianDpEvent", "noise_multiplier": 1.0},
        {"event": ["gaussian"], "noise_multiplier": 1.0},
        {"event": "gaussian"},
        {"event": "gaussian", "noise_multiplier": 1.0, "module_name": "os"},
        {"event": "gaussian", "noise_multiplier": "1.0"},
        {"event": "gaussian", "noise_multiplier": True},
        {"event": "gaussian", "noise_multiplier": None},
        {"event": "gaussian", "noise_multiplier": 0},
        {"event": "gaussian", "noise_multiplier": 10**400},
        {"event": "gaussian", "noise_multiplier": math.nan},
        {"event": "poisson-sampled", "probability": 0.0, "of": GAUSSIAN},
        {"event": "poisson-sampled", "probability": 1.5, "of": GAUSSIAN},
        {"event": "poisson-sampled", "probability": 0.1, "of": {"event": "composed", "of": [GAUSSIAN]}},
        {"event": "poisson-sampled", "probability": 0.1, "of": GAUSSIAN, "class": "X"},
        {"event": "repeated", "count": 0, "of": GAUSSIAN},
        {"event": "repeated", "count": 2.0, "of": GAUSSIAN},
        {"event": "repeated", "count": True, "of": GAUSSIAN},
        {"event": "repeated", "count": 2, "of": {"event": "repeated", "count": 2, "of": GAUSSIAN}},
        {"event": "composed", "of": []},
        {"event": "composed", "of": "gaussian"},
        {"event": "composed", "of": GAUSSIAN},
        {"event": "composed", "of": [GAUSSIAN, {"event": "free"}]},
    ],
)
def test_json_that_is_not_exactly_an_event_is_refused(data: Any) -> None:
    with pytest.raises(LedgerError):
        event_from_json(data)


def test_endless_nesting_is_refused_as_damage() -> None:
    data: dict[str, Any] = GAUSSIAN
    for _ in range(5_000):
        data = {"event": "composed", "of": [data]}
    with pytest.raises(LedgerError):
        event_from_json(data)


@pytest.mark.parametrize("noise", [0, -1.0, math.inf, math.nan, "1", True, None, 10**400])
def test_a_noise_multiplier_that_is_no_noise_is_refused(noise: Any) -> None:
    with pytest.raises(ConfigError):
        GaussianEvent(noise_multiplier=noise)


@pytest.mark.parametrize("probability", [0, -0.1, 1.01, math.nan, "0.1", True])
def test_a_sampling_probability_outside_its_range_is_refused(probability: Any) -> None:
    with pytest.raises(ConfigError):
        PoissonSampled(probability=probability, event=GaussianEvent(noise_multiplier=1.0))


def test_numpy_numbers_become_plain_ones() -> None:
    event = PoissonSampled(probability=np.float64(0.5), event=GaussianEvent(noise_multiplier=np.float32(2.0)))  # type: ignore[arg-type]
    assert json.dumps(event_to_json(event)) == (
        '{"event": "poisson-sampled", "probability": 0.5, "of": {"event": "gaussian", "noise_multiplier": 2.0}}'
    )


def test_combinations_without_a_theorem_cannot_be_built() -> None:
    gaussian = GaussianEvent(noise_multiplier=1.0)
    sampled = PoissonSampled(probability=0.1, event=gaussian)
    repeated = Repeated(event=sampled, count=2)
    for build in (
        lambda: PoissonSampled(probability=0.1, event=sampled),  # type: ignore[arg-type]
        lambda: PoissonSampled(probability=0.1, event=repeated),  # type: ignore[arg-type]
        lambda: Repeated(event=repeated, count=2),  # type: ignore[arg-type]
        lambda: Repeated(event=Composed(events=(gaussian,)), count=2),  # type: ignore[arg-type]
        lambda: Composed(events=()),
        lambda: Composed(events=(gaussian, "free")),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigError):
            build()


@pytest.mark.parametrize("count", [0, -1, 2.0, True, "2"])
def test_a_count_that_is_no_whole_number_is_refused(count: Any) -> None:
    with pytest.raises(ConfigError, match="whole number"):
        Repeated(event=GaussianEvent(noise_multiplier=1.0), count=count)


def test_what_is_no_event_has_no_json() -> None:
    with pytest.raises(ConfigError, match="not an event"):
        event_to_json("gaussian")  # type: ignore[arg-type]
