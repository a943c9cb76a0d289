"""The price of a plan: one block, paid for as a whole."""

import math
from dataclasses import replace

from tacit.errors import ConfigError
from tacit.noise import missing_mass
from tacit.privacy.accounting import check_delta, curve
from tacit.privacy.block import Block
from tacit.privacy.events import GaussianEvent, MatrixEvent, PoissonSampled, Repeated
from tacit.privacy.guarantee import Guarantee

__all__ = ["price"]


def price(
    event: GaussianEvent | PoissonSampled | MatrixEvent,
    *,
    steps: int,
    spare_steps: int,
    checkpoint_every: int,
    delta: float,
    unit: str = "row",
    draws: int = 0,
) -> Block:
    """Return the block of a plan, its guarantee the PLD price of steps + spare_steps releases composed.

    event            -- what one step does, or a MatrixEvent: what the whole run does, replays included.
    steps            -- planned steps; >= 1.
    spare_steps      -- further steps paid for, to replay what a killed run lost; >= 0.
    checkpoint_every -- steps between two durable syncs of the counter; >= 1.
    delta            -- 0 < delta < 1; includes what the noise core's missing tail costs.
    unit             -- whose presence is hidden: "row", or the name of the unit column.
    draws            -- normal values drawn in one step: the length of the released vector; >= 0.
    Raises ConfigError when an argument is out of range or no finite epsilon holds at delta.
    """
    free = Block(
        event=event,
        steps=steps,
        spare_steps=spare_steps,
        checkpoint_every=checkpoint_every,
        guarantee=Guarantee(epsilon=0.0, delta=delta, unit=unit),
    )
    epsilon = epsilon_of(event, steps=free.paid_steps, delta=delta, draws=draws)
    if not math.isfinite(epsilon):
        raise ConfigError(
            f"no finite epsilon holds for {free.paid_steps} steps of this plan at delta {delta:g}: its noise is too small, or "
            "delta is, for the tail that drawn noise lacks and the errors of float64 sums. Add noise, or choose a larger delta."
        )
    return replace(free, guarantee=Guarantee(epsilon=epsilon, delta=delta, unit=unit))


def epsilon_of(event: GaussianEvent | PoissonSampled | MatrixEvent, *, steps: int, delta: float, draws: int) -> float:
    """Return the PLD epsilon of `steps` releases (of a MatrixEvent: of its run) at delta, the noise core's missing tail included.

    Noise that is within total variation m of normal makes (epsilon, delta) into (epsilon, delta + (1 + e^epsilon) m). So
    epsilon is read off the curve at delta less that share; infinity when the share is all of delta, or no epsilon holds.
    Raises ConfigError when delta or draws is out of range.
    """
    check_delta(delta)
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 0:
        raise ConfigError(
            f"draws must be a whole number >= 0, got {draws!r}: it is the length of the vector that one step releases."
        )
    missing = steps * missing_mass(draws)
    found = curve(event if isinstance(event, MatrixEvent) else Repeated(event=event, count=steps))
    epsilon, share = found.epsilon(delta), 0.0
    while math.isfinite(epsilon) and missing * (1 + _exp(epsilon)) > share:
        share = 1.1 * missing * (1 + _exp(epsilon))  # more than this epsilon needs: the next one is a little larger
        epsilon = found.epsilon(delta - share) if share < delta else math.inf
    return epsilon


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
