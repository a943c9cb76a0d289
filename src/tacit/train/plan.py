"""A training plan: one value that yields the sampler, the noise and the event, so practice and proof cannot differ."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tacit.errors import ConfigError
from tacit.noise.source import Source
from tacit.privacy.block import Block
from tacit.privacy.events import PoissonSampled
from tacit.privacy.guarantee import Guarantee, Neighbours
from tacit.privacy.mechanisms.gaussian import Gaussian
from tacit.train.samplers import PoissonSampler


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """DP-SGD with Poisson sampling, fixed before it starts (Abadi et al. 2016, arXiv:1607.00133, Algorithm 1).

    n          -- number of units, a declared public number; >= 1.
    batch_size -- expected number of units in a batch; 1 <= batch_size <= n. The update divides by it, whatever was drawn.
    clip_norm  -- largest L2 length of one unit's gradient, in gradient units; > 0 and finite.
    block      -- the protocol and its price: one step is PoissonSampled(batch_size / n, Gaussian).
    parameters -- trained values the price covers; a larger model is refused.
    Raises ConfigError when a value is out of range, or when the block's event, unit or neighbours are not those of this plan.
    """

    n: int
    batch_size: int
    clip_norm: float
    block: Block
    parameters: int

    def __post_init__(self) -> None:
        _check_sizes(self.n, self.batch_size)
        if not (self.clip_norm > 0 and math.isfinite(self.clip_norm)):
            raise ConfigError(
                f"clip_norm must be finite and > 0, got {self.clip_norm}. Start at 1.0 with inputs scaled to [-1, 1]."
            )
        event = self.block.event
        if not (isinstance(event, PoissonSampled) and event.probability == self.batch_size / self.n):
            raise ConfigError(
                f"the block was priced for {event}, but this plan draws each unit with probability {self.batch_size / self.n:.6g}. "
                "An epsilon holds only for the sampler that runs: build the plan with Plan.solve."
            )

        promise = self.block.guarantee
        if promise.unit != "row" or promise.neighbours is not Neighbours.ZERO_OUT:
            raise ConfigError(
                f'this plan draws rows and zeroes out one of them, and its block promises something for one "{promise.unit}" '
                f'({promise.neighbours.value}). A person with several rows would be protected less than the ledger says. Use unit "row".'
            )

    def refuse_underpriced(self) -> None:
        """Raise ConfigError when the block claims a smaller epsilon than its event costs; plans from `solve` are priced already."""
        from tacit.privacy.pricing import epsilon_of

        if self in _SOLVED:
            return
        promise = self.block.guarantee
        cost = epsilon_of(self.block.event, steps=self.block.paid_steps, delta=promise.delta, draws=self.parameters)
        if not cost <= promise.epsilon * (1 + 1e-9):
            raise ConfigError(
                f"the block claims epsilon {promise.epsilon:g}, and its {self.block.paid_steps} steps cost {cost:.6g} at delta "
                f"{promise.delta:g}. The ledger would be charged too little. Take the block from `price`, or the plan from Plan.solve."
            )

    @classmethod
    def solve(
        cls,
        *,
        epsilon: float,
        delta: float,
        n: int,
        batch_size: int,
        epochs: float,
        clip_norm: float,
        checkpoint_every: int | None = None,
        spare_steps: int | None = None,
        parameters: int,
    ) -> "Plan":
        """Return the plan with the least noise whose price, spare steps included, is at most epsilon.

        epsilon, delta   -- the target; epsilon > 0, 0 < delta < 1.
        epochs           -- expected number of times a unit is drawn; steps = ceil(epochs * n / batch_size); > 0.
        checkpoint_every -- steps between durable syncs; about a fortieth of the steps by default.
        spare_steps      -- steps paid for replays after a kill; two checkpoint intervals by default.
        parameters       -- number of trained values: each draws noise, whose missing tail mass counts in delta; >= 0.
        Raises ConfigError when a value is out of range or no noise is enough.
        """
        _check_sizes(n, batch_size)
        if not (epochs > 0 and math.isfinite(epochs)):
            raise ConfigError(f"epochs must be finite and > 0, got {epochs}.")
        steps = math.ceil(epochs * n / batch_size)
        checkpoint_every = max(1, steps // 40) if checkpoint_every is None else checkpoint_every
        spare_steps = 2 * checkpoint_every if spare_steps is None else spare_steps
        block = _solved(epsilon, delta, batch_size / n, steps, spare_steps, checkpoint_every, parameters)
        plan = cls(n=n, batch_size=batch_size, clip_norm=clip_norm, block=block, parameters=parameters)
        _SOLVED.add(plan)
        return plan

    @property
    def mechanism(self) -> Gaussian:
        """The mechanism that every step releases through."""
        event = self.block.event
        assert isinstance(event, PoissonSampled)
        return Gaussian(noise_multiplier=event.event.noise_multiplier)

    @property
    def probability(self) -> float:
        """Each unit's chance to be drawn in one step."""
        return self.batch_size / self.n

    @property
    def steps(self) -> int:
        return self.block.steps

    @property
    def guarantee(self) -> Guarantee:
        return self.block.guarantee

    def sampler(self, source: Source, *, size: int | None = None) -> PoissonSampler:
        """Return the sampler the block was priced for, over `size` rows at hand (n by default)."""
        return PoissonSampler(size=self.n if size is None else size, probability=self.probability, source=source)

    def summary(self) -> dict[str, Any]:
        """The whole plan as public JSON values, for screen, record and report."""
        return {
            "n": self.n,
            "batch_size": self.batch_size,
            "sampling_probability": self.probability,
            "steps": self.block.steps,
            "spare_steps": self.block.spare_steps,
            "checkpoint_every": self.block.checkpoint_every,
            "clip_norm": self.clip_norm,
            "noise_multiplier": self.mechanism.noise_multiplier,
            **self.guarantee.to_json(),
        }


_SOLVED: set[Plan] = set()
"""Plans whose block `solve` priced in this process."""


@lru_cache(maxsize=32)
def _solved(
    epsilon: float, delta: float, probability: float, steps: int, spare_steps: int, checkpoint_every: int, draws: int
) -> Block:
    """Return the block with the least noise; remembered, since a study asks for the same plan more than once."""
    from tacit.privacy.calibration import noise_multiplier_for
    from tacit.privacy.pricing import price

    noise = noise_multiplier_for(epsilon=epsilon, delta=delta, probability=probability, steps=steps + spare_steps, draws=draws)
    event = PoissonSampled(probability=probability, event=Gaussian(noise_multiplier=noise).event())
    return price(event, steps=steps, spare_steps=spare_steps, checkpoint_every=checkpoint_every, delta=delta, draws=draws)


def _check_sizes(n: int, batch_size: int) -> None:
    for name, value in (("n", n), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"{name} must be a whole number >= 1, got {value!r}.")
    if batch_size > n:
        raise ConfigError(
            f"batch_size is {batch_size}, more than n = {n} units. Choose a batch_size of at most n, often n / 20 to n / 5."
        )
