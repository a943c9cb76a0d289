from typing import Any

import pytest

from tacit.errors import ConfigError
from tacit.privacy import Block, Composed, GaussianEvent, Guarantee, PoissonSampled, Repeated

EVENT = PoissonSampled(probability=0.1, event=GaussianEvent(noise_multiplier=1.0))
RIGHT: dict[str, Any] = {
    "event": EVENT,
    "steps": 200,
    "spare_steps": 10,
    "checkpoint_every": 5,
    "guarantee": Guarantee(epsilon=3.0, delta=1e-5),
}


def test_spare_steps_are_paid_for() -> None:
    block = Block(**RIGHT)
    assert block.paid_steps == 210
    assert block.total_event == Repeated(event=EVENT, count=210)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"steps": 10.0},
        {"steps": True},
        {"spare_steps": -1},
        {"spare_steps": "2"},
        {"checkpoint_every": 0},
        {"event": Repeated(event=EVENT, count=2)},
        {"event": Composed(events=(EVENT,))},
        {"event": None},
        {"guarantee": 3.0},
    ],
)
def test_a_block_in_a_wrong_state_cannot_exist(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Block(**{**RIGHT, **change})
