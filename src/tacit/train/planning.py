"""A plan for what is known: solves for noise, for steps or for epsilon, whichever is left out."""

from typing import Any

from tacit.errors import ConfigError
from tacit.privacy.calibration import noise_multiplier_for
from tacit.privacy.pricing import price
from tacit.train.clipping import AdaptiveClipping, Clipping
from tacit.train.plan import Plan, intervals_of, steps_of
from tacit.train.protocols import draws_for, protocol_for

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
    sizes: dict[str, Any] = {"delta": delta, "n": n, "batch_size": batch_size, "clip_norm": clip_norm, "parameters": parameters}
    choice: dict[str, Any] = {"mechanism": mechanism, "sampling": sampling, "bands": bands, "buffers": buffers}
    choice |= {"tree_height": tree_height}
    rest: dict[str, Any] = {"clipping": clipping, "rows_per_user": rows_per_user}
    run: dict[str, Any] = {"checkpoint_every": checkpoint_every, "spare_steps": spare_steps}
    if epsilon is not None and epochs is not None:
        return Plan.solve(epsilon=epsilon, epochs=epochs, unit=unit, **sizes, **choice, **rest, **run)
    assert noise_multiplier is not None
    plan: Plan | None = None
    if epochs is not None:
        return _priced(noise_multiplier, steps_of(n, batch_size, epochs), unit=unit, **sizes, **choice, **rest, **run)
    assert epsilon is not None
    least = bands or 1  # no run is shorter than its bands
    steps, fits, fails = least, least - 1, _MOST_STEPS + 1
    while fails - fits > 1:
        tried = _priced(noise_multiplier, steps, unit=unit, **sizes, **choice, **rest, **run)
        if tried.guarantee.epsilon <= epsilon:
            fits, plan = steps, tried
        else:
            fails = steps
        steps = min(2 * fits, _MOST_STEPS) if fails > _MOST_STEPS else (fits + fails) // 2
        if fits == _MOST_STEPS:
            break
    if plan is None:
        enough = noise_multiplier_for(epsilon=epsilon, delta=delta, probability=batch_size / n, steps=1)
        raise ConfigError(
            f"not even {least} step(s) with noise multiplier {noise_multiplier:g} costs at most epsilon {epsilon:g} at delta {delta:g}, spare steps "
            f"included. One step of DP-SGD without spare needs noise multiplier {enough:g}: add noise, or choose a larger epsilon."
        )
    return plan


def _priced(
    noise_multiplier: float,
    steps: int,
    *,
    delta: float,
    n: int,
    batch_size: int,
    clip_norm: float,
    parameters: int,
    clipping: Clipping | None,
    unit: str,
    rows_per_user: int | None,
    checkpoint_every: int | None,
    spare_steps: int | None,
    **choice: Any,
) -> Plan:
    """Return the plan of this noise and length, at its price."""
    every, spare = intervals_of(steps, checkpoint_every, spare_steps)
    protocol = protocol_for(n=n, batch_size=batch_size, steps=steps, **choice)
    event = protocol.event(noise_multiplier, steps=steps, spare_steps=spare, checkpoint_every=every)
    draws = draws_for(protocol.strategy, parameters + (2 if isinstance(clipping, AdaptiveClipping) else 0))
    block = price(event, steps=steps, spare_steps=spare, checkpoint_every=every, delta=delta, unit=unit, draws=draws)
    return Plan(
        n=n,
        batch_size=batch_size,
        clip_norm=clip_norm,
        block=block,
        parameters=parameters,
        sampling=protocol.sampling,
        clipping=clipping,
        rows_per_user=rows_per_user,
    )
