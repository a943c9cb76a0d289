"""The smallest noise for a target epsilon, and the most steps for a budget.

Both search on PLD prices, so what they return costs at most the target. The central limit theorem (Bu et al. 2020,
arXiv:1911.11607, Corollary 5.4) says where to look first, and nothing else.
"""

import math
from collections.abc import Callable

from tacit.errors import ConfigError
from tacit.privacy.accounting import check_delta
from tacit.privacy.events import GaussianEvent, PoissonSampled
from tacit.privacy.pricing import epsilon_of

__all__ = ["noise_multiplier_for", "steps_for"]

_LEAST_NOISE, _MOST_NOISE = 0.1, 1e6
_MOST_STEPS = 10**6


def noise_multiplier_for(*, epsilon: float, delta: float, probability: float, steps: int, draws: int = 0) -> float:
    """Return the smallest noise multiplier of four significant digits whose price is at most epsilon, never above.

    epsilon     -- target; > 0 and finite.
    delta       -- 0 < delta < 1.
    probability -- each unit's chance to be drawn in one step; 0 < probability <= 1.
    steps       -- all that will be paid for, spare steps included; >= 1.
    draws       -- normal values drawn in one step, as in `price`; >= 0.
    About six PLD prices: under a second for 200 steps at probability 0.05.
    Raises ConfigError when an argument is out of range or no noise from 0.1 to 1,000,000 is the answer.
    """
    _check_target(epsilon, delta, steps)

    def excess(k: int) -> float:
        return _log_ratio(epsilon_of(_event(_noise(-k), probability), steps=steps, delta=delta, draws=draws), epsilon)

    _event(1.0, probability)  # refuses a probability out of range before the guess uses it
    spread = _likely_mu(epsilon, delta) / (probability * math.sqrt(steps))
    guess = 1 / math.sqrt(math.log1p(spread * spread))
    lowest, highest = -_noise_index(_MOST_NOISE), -_noise_index(_LEAST_NOISE)
    found = _largest_fitting(excess, min(max(-_noise_index(guess), lowest), highest), 100, lowest, highest)
    if found is None:
        raise ConfigError(
            f"no noise multiplier up to {_MOST_NOISE:g} makes {steps} steps cost at most epsilon {epsilon:g} at delta {delta:g}: "
            "delta is too small for the tail that drawn noise lacks or the errors of float64 sums. Use fewer steps or more delta."
        )
    if found == highest:
        raise ConfigError(
            f"epsilon {epsilon:g} is met even by a noise multiplier of {_LEAST_NOISE:g}, less than any plan should have: "
            "either epsilon is so large or delta * n so near 1 that nothing is promised. Choose epsilon between 0.5 and 8."
        )
    return _noise(-found)


def steps_for(*, epsilon: float, delta: float, probability: float, noise_multiplier: float, draws: int = 0) -> int:
    """Return the largest number of steps whose price is at most epsilon, and at most 1,000,000; spare steps come out of it.

    Arguments as in `noise_multiplier_for`.
    Raises ConfigError when an argument is out of range, and when a single step costs more than epsilon, saying what would fit.
    """
    _check_target(epsilon, delta, 1)
    event = _event(noise_multiplier, probability)

    def excess(k: int) -> float:
        return _log_ratio(epsilon_of(event, steps=k, delta=delta, draws=draws), epsilon)

    spread = _likely_mu(epsilon, delta) / (probability * math.sqrt(math.expm1(min(noise_multiplier**-2, 700.0))))
    guess = math.ceil(min(spread * spread, _MOST_STEPS))
    found = _largest_fitting(excess, guess, 1 + guess // 16, 1, _MOST_STEPS)
    if found is not None:
        return found
    single = epsilon_of(event, steps=1, delta=delta, draws=draws)
    enough = noise_multiplier_for(epsilon=epsilon, delta=delta, probability=probability, steps=1, draws=draws)
    raise ConfigError(
        f"not even one step fits: with noise multiplier {noise_multiplier:g} and sampling probability {probability:g} it costs "
        f"epsilon {single:.4g} at delta {delta:g}, the target is {epsilon:g}. One step fits from noise multiplier {enough:g} on."
    )


def _check_target(epsilon: float, delta: float, steps: int) -> None:
    check_delta(delta)
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not 0 < epsilon < math.inf:
        raise ConfigError(
            f"the target epsilon must be a finite number > 0, got {epsilon!r}: at 0 nothing may be learned. Try 3.0."
        )
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ConfigError(f"steps must be a whole number >= 1, got {steps!r}: noise is fixed for a whole plan before it starts.")


def _event(noise_multiplier: float, probability: float) -> PoissonSampled:
    return PoissonSampled(probability=probability, event=GaussianEvent(noise_multiplier=noise_multiplier))


def _log_ratio(price: float, target: float) -> float:
    return math.log(max(price, 1e-9) / target)


def _noise(index: int) -> float:
    """Return the index-th number of four significant digits: 0 is 1.000, 1 is 1.001, -1 is 0.9999."""
    decade, digits = divmod(index, 9000)
    return float(f"{1000 + digits}e{decade - 3}")


def _noise_index(value: float) -> int:
    """Return the index of the number of four significant digits next to value."""
    decade = math.floor(math.log10(value))
    return decade * 9000 + round(value / 10.0**decade * 1000) - 1000


def _likely_mu(epsilon: float, delta: float) -> float:
    """Return the mu whose Gaussian differential privacy is about (epsilon, delta); only ever a first guess."""
    low, high = 1e-6, 1e4
    for _ in range(60):
        mu = math.sqrt(low * high)
        tail, other = (math.erfc(x / math.sqrt(2)) / 2 for x in (epsilon / mu - mu / 2, epsilon / mu + mu / 2))
        value = tail - (math.exp(min(epsilon, 700.0)) * other if other > 0 else 0.0)
        low, high = (mu, high) if value < delta else (low, mu)
    return low


def _largest_fitting(excess: Callable[[int], float], guess: int, stride: int, lowest: int, highest: int) -> int | None:
    """Return the largest k in [lowest, highest] with excess(k) <= 0, or None; excess does not fall as k grows.

    guess, stride -- where to look first, and how far from there next.
    """
    fits: tuple[int, float] | None = None
    fails: tuple[int, float] | None = None
    k = guess
    while fits is None or fails is None:
        value = excess(k)
        if value <= 0:
            fits, k = (k, value), min(k + stride, highest)
        else:
            fails, k = (k, value), max(k - stride, lowest)
        stride *= 2
        if fits is not None and fits[0] == highest:
            return highest
        if fails is not None and fails[0] == lowest:
            return None
    return _between(excess, fits, fails)


def _between(excess: Callable[[int], float], fits: tuple[int, float], fails: tuple[int, float]) -> int:
    """Return the largest fitting k between a fitting and a failing one: straight lines first, halving where they are slow."""
    straight = True
    while fails[0] - fits[0] > 1:
        width = fails[0] - fits[0]
        share = -fits[1] / (fails[1] - fits[1]) if straight and math.isfinite(fails[1]) else 0.5
        k = min(max(fits[0] + math.floor(width * share), fits[0] + 1), fails[0] - 1)
        value = excess(k)
        if value <= 0:
            fits = (k, value)
        else:
            fails = (k, value)
        straight = not straight or 2 * (fails[0] - fits[0]) <= width
    return fits[0]
