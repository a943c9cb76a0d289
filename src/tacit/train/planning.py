"""A plan for what is known: solves for noise, for steps or for epsilon, whichever is left out."""

from collections.abc import Callable
from typing import Any

from tacit.errors import ConfigError
from tacit.privacy.block import Block
from tacit.privacy.calibration import noise_multiplier_for
from tacit.privacy.pricing import price
from tacit.train.clipping import Clipping
from tacit.train.plan import Plan, intervals_of, plan_of, steps_of
from tacit.train.protocols import Protocol

__all__ = ["plan_for"]

_MOST_STEPS = 10**6


def plan_for(
    *,
    delta: float,
    n: int,
    batch_size: int,
    clip_norm: float,
    parameters: int,
    epsilon: float | None = None,
    epochs: float | None = None,
    noise_multiplier: float | None = None,
    mechanism: str = "dp-sgd",
    sampling: str | None = None,
    bands: int | None = None,
    buffers: int | None = None,
    tree_height: int | None = None,
    clipping: Clipping | None = None,
    unit: str = "row",
    rows_per_user: int | None = None,
    checkpoint_every: int | None = None,
    spare_steps: int | None = None,
) -> Plan:
    """Return the plan that two of epsilon, epochs and noise_multiplier determine; print it before anything is spent.

    noise_multiplier left out -- the least noise for epsilon, as Plan.solve.
    epochs left out           -- the most steps whose price, spare steps included, is at most epsilon.
    epsilon left out          -- the price of these steps with this noise.
    noise_multiplier counts all that a step releases (with adaptive clipping: sum and bits); the rest as in Plan.solve.
    Raises ConfigError when not exactly one of the three is left out, a value is out of range, or nothing fits.
    """
    given = {"epsilon": epsilon, "epochs": epochs, "noise_multiplier": noise_multiplier}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) != 1:
        raise ConfigError(
            f"a plan is solved for one of epsilon, epochs and noise_multiplier, and {', '.join(missing) or 'none'} is left out. "
            "Give the other two, for example epsilon=3.0 and epochs=10."
        )
    settings: dict[str, Any] = {"n": n, "batch_size": batch_size, "clip_norm": clip_norm, "parameters": parameters}
    settings |= {"mechanism": mechanism, "sampling": sampling, "bands": bands, "buffers": buffers, "tree_height": tree_height}
    settings |= {"clipping": clipping, "rows_per_user": rows_per_user}
    if epsilon is not None and epochs is not None:
        run: dict[str, Any] = {"checkpoint_every": checkpoint_every, "spare_steps": spare_steps}
        return Plan.solve(epsilon=epsilon, delta=delta, epochs=epochs, unit=unit, **settings, **run)
    noise = noise_multiplier
    assert noise is not None

    def priced(steps: int) -> Plan:
        every, spare = intervals_of(steps, checkpoint_every, spare_steps)
        runs = {"steps": steps, "spare_steps": spare, "checkpoint_every": every}

        def block_of(protocol: Protocol, draws: int) -> Block:
            return price(protocol.event(noise, **runs), delta=delta, draws=draws, unit=unit, **runs)

        return plan_of(block_of, steps=steps, **settings)

    if epochs is not None:
        return priced(steps_of(n, batch_size, epochs))
    assert epsilon is not None
    least = bands or 1  # no run is shorter than its bands
    plan = _longest(priced, epsilon, least)
    if plan is None:
        enough = noise_multiplier_for(epsilon=epsilon, delta=delta, probability=batch_size / n, steps=1)
        raise ConfigError(
            f"not even {least} step(s) with noise multiplier {noise:g} costs at most epsilon {epsilon:g} at delta {delta:g}, spare steps "
            f"included. One step of DP-SGD without spare needs noise multiplier {enough:g}: add noise, or choose a larger epsilon."
        )
    return plan


def _longest(priced: Callable[[int], Plan], epsilon: float, least: int) -> Plan | None:
    """Return the plan of most steps, from `least` to a million, whose price is at most epsilon; None when there is none."""
    plan: Plan | None = None
    steps, fits, fails = least, least - 1, _MOST_STEPS + 1
    while fails - fits > 1:
        tried = priced(steps)
        if tried.guarantee.epsilon <= epsilon:
            fits, plan = steps, tried
        else:
            fails = steps
        steps = min(2 * fits, _MOST_STEPS) if fails > _MOST_STEPS else (fits + fails) // 2
        if fits == _MOST_STEPS:
            break
    return plan
