"""A training plan: one value that yields the sampler, the noise and the event, so practice and proof cannot differ."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tacit.errors import ConfigError
from tacit.noise.source import Source
from tacit.privacy.block import Block
from tacit.privacy.events import MatrixEvent, PoissonSampled
from tacit.privacy.guarantee import Guarantee, Neighbours
from tacit.privacy.mechanisms.correlated import CorrelatedNoising, IndependentNoising, Noising
from tacit.privacy.mechanisms.gaussian import Gaussian
from tacit.privacy.strategies import Banded, Strategy
from tacit.train.clipping import AdaptiveClipping, Clipping, FlatClipping, QuantileTracker, check_clip_norm
from tacit.train.cycles import BallsInBinsSampler, CyclicPoissonSampler, ShuffleSampler, groups_for
from tacit.train.protocols import Protocol, Sampling, bands_for, draws_for, name_of, protocol_for
from tacit.train.samplers import PoissonSampler

Sampler = PoissonSampler | CyclicPoissonSampler | BallsInBinsSampler | ShuffleSampler


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Private training fixed before it starts: DP-SGD with Poisson sampling (Abadi et al. 2016, arXiv:1607.00133), or correlated noise.

    n             -- number of units, a declared public number; >= 1. Rows, or users when rows_per_user is given.
    batch_size    -- expected number of units in a batch; 1 <= batch_size <= n. The update divides by it, whatever was drawn.
    clip_norm     -- largest L2 length of one unit's gradient, in gradient units; > 0 and finite.
    block         -- the protocol and its price: one step is PoissonSampled(batch_size / n, Gaussian), or the run a MatrixEvent.
    parameters    -- trained values the price covers; a larger model is refused.
    sampling      -- how units are drawn: the sampler that the block was priced for.
    clipping      -- how gradients are made short enough; None for FlatClipping(clip_norm).
    rows_per_user -- None: a unit is a row. Else users are drawn, and at most so many rows of each are summed before clipping.
    Raises ConfigError when a value is out of range, or when the block's event, unit or neighbours are not those of this plan.
    """

    n: int
    batch_size: int
    clip_norm: float
    block: Block
    parameters: int
    sampling: Sampling = "poisson"
    clipping: Clipping | None = None
    rows_per_user: int | None = None

    def __post_init__(self) -> None:
        _check_sizes(self.n, self.batch_size)
        check_clip_norm(self.clip_norm)
        self._check_sampling()
        self._check_clipping()
        promise = self.block.guarantee
        _check_delta(promise.delta, self.n)
        if self.rows_per_user is not None:
            _check_users(self.rows_per_user, promise.unit)
            if promise.neighbours is Neighbours.ZERO_OUT:
                return
        if promise.unit != "row" or promise.neighbours is not Neighbours.ZERO_OUT:
            raise ConfigError(
                f'this plan draws rows and zeroes out one of them, and its block promises something for one "{promise.unit}" '
                f'({promise.neighbours.value}). A person with several rows would be protected less than the ledger says. Use unit "row", '
                "or give rows_per_user, so that users are drawn."
            )

    def _check_sampling(self) -> None:
        event = self.block.event
        if self.sampling == "poisson":
            right = isinstance(event, PoissonSampled) and event.probability == self.batch_size / self.n
        elif self.sampling == "cyclic-poisson":
            right = isinstance(event, MatrixEvent) and event.probability == event.period * self.batch_size / self.n
        else:
            right = isinstance(event, MatrixEvent) and event.probability is None
            right = right and isinstance(event, MatrixEvent) and event.period == groups_for(self.n, self.batch_size)
        if not right:
            raise ConfigError(
                f"the block was priced for {event}, but this plan draws {self.batch_size} of {self.n} units by {self.sampling} sampling. "
                "An epsilon holds only for the sampler that runs: build the plan with Plan.solve."
            )

    def _check_clipping(self) -> None:
        if self.clipping_rule.clip_norm != self.clip_norm:
            raise ConfigError(
                f"clip_norm is {self.clip_norm}, and the clipping's {self.clipping_rule.clip_norm}: the noise would be scaled to another length."
            )
        if isinstance(self.clipping, AdaptiveClipping):
            if self.sampling != "poisson":
                raise ConfigError(
                    "adaptive clipping moves the clip norm, and the price of this sampling needs one for the whole run. "
                    'Use sampling "poisson" with mechanism "dp-sgd", or a fixed clip norm.'
                )
            self.clipping.sum_noise(self._event_noise, self.batch_size)  # refuses bits dearer than the whole

    def refuse_underpriced(self) -> None:
        """Raise ConfigError when the block claims a smaller epsilon than its event costs; plans from `solve` are priced already."""
        from tacit.privacy.pricing import epsilon_of

        if self in _SOLVED:
            return
        promise, event = self.block.guarantee, self.block.event
        assert isinstance(event, PoissonSampled | MatrixEvent)  # _check_sampling
        cost = epsilon_of(event, steps=self.block.paid_steps, delta=promise.delta, draws=self.draws)
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
        mechanism: str = "dp-sgd",
        sampling: str | None = None,
        bands: int | None = None,
        buffers: int | None = None,
        tree_height: int | None = None,
        clipping: Clipping | None = None,
        unit: str = "row",
        rows_per_user: int | None = None,
    ) -> "Plan":
        """Return the plan with the least noise whose price, spare steps included, is at most epsilon.

        epsilon, delta   -- the target; epsilon > 0, 0 < delta < 1 / n.
        epochs           -- expected number of times a unit is drawn; steps = ceil(epochs * n / batch_size); > 0.
        checkpoint_every -- steps between durable syncs; about a fortieth of the steps by default.
        spare_steps      -- steps paid for replays after a kill; two checkpoint intervals by default.
        parameters       -- number of trained values: each draws noise, whose missing tail mass counts in delta; >= 0.
        mechanism        -- "dp-sgd", "banded" (BandMF), "blt" or "tree"; sampling -- "poisson", "cyclic-poisson", "balls-in-bins" or
                            "shuffle": None takes what suits the mechanism. bands, buffers, tree_height: as in `protocol_for`;
                            without bands, cyclic Poisson takes the number with the least noise in the model, one being DP-SGD.
        clipping         -- flat by default; its clip_norm must be this one.
        unit             -- "row", or the name of the unit column, with rows_per_user: then n and batch_size count users.
        Raises ConfigError when a value is out of range or no noise is enough.
        """
        steps = steps_of(n, batch_size, epochs)
        every, spare = intervals_of(steps, checkpoint_every, spare_steps)
        _check_delta(delta, n)
        check_clip_norm(clip_norm)
        _check_unit(unit, rows_per_user)
        if mechanism == "banded" and bands is None and sampling in (None, "cyclic-poisson"):
            sizes = {"n": n, "batch_size": batch_size, "steps": steps, "draws": parameters}
            bands = bands_for(epsilon=epsilon, delta=delta, spare_steps=spare, checkpoint_every=every, **sizes)

        def least_noise(protocol: Protocol, draws: int) -> Block:
            return _solved(epsilon, delta, protocol, steps, spare, every, draws, unit)

        plan = plan_of(
            least_noise,
            n=n,
            batch_size=batch_size,
            steps=steps,
            clip_norm=clip_norm,
            parameters=parameters,
            clipping=clipping,
            rows_per_user=rows_per_user,
            mechanism=mechanism,
            sampling=sampling,
            bands=bands,
            buffers=buffers,
            tree_height=tree_height,
        )
        _SOLVED.add(plan)
        return plan

    @property
    def _event_noise(self) -> float:
        event = self.block.event
        return event.noise_multiplier if isinstance(event, MatrixEvent) else _sampled(self.block).event.noise_multiplier

    @property
    def clipping_rule(self) -> Clipping:
        """How gradients are made short enough, the default written out."""
        return FlatClipping(clip_norm=self.clip_norm) if self.clipping is None else self.clipping

    @property
    def noise_multiplier(self) -> float:
        """Deviation of a raw draw of the sum's noise / clip norm; with adaptive clipping, more than the event's, for the bits cost too."""
        return self._sum_noise(self._event_noise)

    def _sum_noise(self, event_noise: float) -> float:
        return (
            self.clipping.sum_noise(event_noise, self.batch_size) if isinstance(self.clipping, AdaptiveClipping) else event_noise
        )

    @property
    def strategy(self) -> Strategy:
        """How noise is correlated between steps; Banded((1.0,)) is independent noise."""
        event = self.block.event
        return event.strategy if isinstance(event, MatrixEvent) else Banded(coefficients=(1.0,))

    @property
    def mechanism(self) -> Gaussian:
        """The mechanism that every step releases through. Raises ConfigError for correlated noise, which has a memory: use `noising`."""
        if self.mechanism_name != "dp-sgd":
            raise ConfigError(
                f'the noise of mechanism "{self.mechanism_name}" depends on the steps before, so no single release has it. Use plan.noising(source).'
            )
        return Gaussian(noise_multiplier=self.noise_multiplier)

    @property
    def mechanism_name(self) -> str:
        """Return "dp-sgd", "banded", "blt" or "tree"."""
        return name_of(self.strategy)

    @property
    def probability(self) -> float:
        """Each unit's chance to be drawn in one step, not knowing whether it is its turn."""
        return self.batch_size / self.n

    @property
    def steps(self) -> int:
        return self.block.steps

    @property
    def draws(self) -> int:
        """Normal values that a step draws, for the missing tail that delta pays for."""
        return draws_for(self.strategy, self.parameters + _bits(self.clipping))

    @property
    def guarantee(self) -> Guarantee:
        return self.block.guarantee

    def noise_within(self, *, epsilon: float, delta: float) -> float:
        """Return the least noise_multiplier with which these steps cost at most epsilon at delta. Raises ConfigError when none is enough."""
        event, block = self.block.event, self.block
        assert isinstance(event, PoissonSampled | MatrixEvent)  # _check_sampling
        period = event.period if isinstance(event, MatrixEvent) else 1
        protocol = Protocol(sampling=self.sampling, probability=event.probability, period=period, strategy=self.strategy)
        runs = {"steps": block.steps, "spare_steps": block.spare_steps, "checkpoint_every": block.checkpoint_every}
        return self._sum_noise(protocol.noise_for(epsilon=epsilon, delta=delta, draws=self.draws, **runs))

    def further_steps(self, *, first_step: int, claimed: int) -> int:
        """Return how many steps a run resumed from the checkpoint after `first_step` may take; 0: keep what the checkpoint holds.

        claimed -- steps of the block that the ledger counts as spent before the resumption.
        Steps that owe one another nothing may run while any is paid for. A MatrixEvent pays for replays of whole checkpoint intervals: so
        at most the spare steps may be lost, and a run goes on from a checkpoint of its own schedule alone.
        """
        left = min(self.block.steps - first_step, self.block.paid_steps - claimed)
        if self.block.in_order and (claimed - first_step > self.block.spare_steps or first_step % self.block.checkpoint_every):
            return 0
        return max(0, left)

    def sampler(self, source: Source, *, size: int | None = None) -> Sampler:
        """Return the sampler the block was priced for, over `size` units at hand (n by default)."""
        event = self.block.event
        if not isinstance(event, MatrixEvent):
            return PoissonSampler(size=self.n if size is None else size, probability=self.probability, source=source)
        here = self.n if size is None else size
        if event.probability is not None:
            return CyclicPoissonSampler(size=here, period=event.period, probability=event.probability, source=source)
        kind = ShuffleSampler if self.sampling == "shuffle" else BallsInBinsSampler
        return kind(size=here, period=event.period, source=source)

    def noising(self, source: Source) -> Noising:
        """Return the noise of one run, to be called once a step: release, state, restore."""
        if self.mechanism_name == "dp-sgd":
            return IndependentNoising(mechanism=self.mechanism, source=source)
        sampled = self.sampling == "cyclic-poisson"
        return CorrelatedNoising(
            noise_multiplier=self.noise_multiplier, strategy=self.strategy, source=source, begin_anew=sampled
        )

    def tracker(self, source: Source) -> QuantileTracker | None:
        """Return what moves the clip norm of one run, or None when it is fixed."""
        if isinstance(self.clipping, AdaptiveClipping):
            return QuantileTracker(self.clipping, batch_size=self.batch_size, source=source)
        return None

    def summary(self) -> dict[str, Any]:
        """The whole plan as public JSON values, for screen, record and report."""
        return {
            "n": self.n,
            "batch_size": self.batch_size,
            "sampling": self.sampling,
            "sampling_probability": self.probability,
            "steps": self.block.steps,
            "spare_steps": self.block.spare_steps,
            "checkpoint_every": self.block.checkpoint_every,
            "clip_norm": self.clip_norm,
            "clipping": type(self.clipping_rule).__name__.removesuffix("Clipping").lower(),
            "mechanism": self.mechanism_name,
            "noise_multiplier": self.noise_multiplier,
            **({} if self.rows_per_user is None else {"rows_per_user": self.rows_per_user}),
            **self.guarantee.to_json(),
        }

    def describe(self) -> str:
        """Return the whole plan in lines of at most 80 characters, to read before anything is spent."""
        from tacit.train.describing import described

        return described(self)

    def __str__(self) -> str:
        return self.describe()


_SOLVED: set[Plan] = set()
"""Plans whose block `solve` priced in this process."""


def plan_of(
    block_of: Callable[[Protocol, int], Block],
    *,
    n: int,
    batch_size: int,
    steps: int,
    clip_norm: float,
    parameters: int,
    clipping: Clipping | None,
    rows_per_user: int | None,
    **choice: Any,
) -> Plan:
    """Return the plan of so many steps whose block is made by `block_of`, of the protocol and the normal values that a step draws.

    choice -- mechanism, sampling and their numbers, as in `protocol_for`; the rest as in Plan.
    """
    protocol = protocol_for(n=n, batch_size=batch_size, steps=steps, **choice)
    block = block_of(protocol, draws_for(protocol.strategy, parameters + _bits(clipping)))
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


def _bits(clipping: Clipping | None) -> int:
    """Normal values that a step draws beside the gradient's: the counts by which a clip norm adapts."""
    return 2 if isinstance(clipping, AdaptiveClipping) else 0


@lru_cache(maxsize=32)
def _solved(
    epsilon: float,
    delta: float,
    protocol: Protocol,
    steps: int,
    spare_steps: int,
    checkpoint_every: int,
    draws: int,
    unit: str,
) -> Block:
    """Return the block with the least noise; remembered, since a study asks for the same plan more than once."""
    from tacit.privacy.calibration import noise_multiplier_for
    from tacit.privacy.pricing import price

    runs = {"steps": steps, "spare_steps": spare_steps, "checkpoint_every": checkpoint_every}
    if protocol.sampling == "poisson":
        assert protocol.probability is not None
        probability = protocol.probability
        noise = noise_multiplier_for(
            epsilon=epsilon, delta=delta, probability=probability, steps=steps + spare_steps, draws=draws
        )
    else:
        noise = protocol.noise_for(epsilon=epsilon, delta=delta, draws=draws, **runs)
    return price(protocol.event(noise, **runs), delta=delta, draws=draws, unit=unit, **runs)


def steps_of(n: int, batch_size: int, epochs: float) -> int:
    """Return ceil(epochs * n / batch_size), the steps in which a unit is expected to be drawn `epochs` times."""
    _check_sizes(n, batch_size)
    if not (epochs > 0 and math.isfinite(epochs)):
        raise ConfigError(f"epochs must be finite and > 0, got {epochs}.")
    return math.ceil(epochs * n / batch_size)


def intervals_of(steps: int, checkpoint_every: int | None, spare_steps: int | None) -> tuple[int, int]:
    """Return checkpoint interval and spare steps, by default a fortieth of the steps and twice that."""
    checkpoint_every = max(1, steps // 40) if checkpoint_every is None else checkpoint_every
    return checkpoint_every, 2 * checkpoint_every if spare_steps is None else spare_steps


def _sampled(block: Block) -> PoissonSampled:
    assert isinstance(block.event, PoissonSampled)
    return block.event


def _check_sizes(n: int, batch_size: int) -> None:
    for name, value in (("n", n), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"{name} must be a whole number >= 1, got {value!r}.")
    if batch_size > n:
        raise ConfigError(
            f"batch_size is {batch_size}, more than n = {n} units. Choose a batch_size of at most n, often n / 20 to n / 5."
        )


def _check_delta(delta: float, n: int) -> None:
    if not math.isfinite(delta):
        raise ConfigError(f"delta must be a number > 0 and < 1/n, got {delta!r}. Choose it well under 1/n.")
    if n > 1 and not delta < 1 / n:
        raise ConfigError(
            f"delta is {delta:g}, and 1/n is {1 / n:.3g}: publishing one unit's record in full, chosen at random, would satisfy such a "
            f"delta, so the guarantee would protect nobody in particular. Choose delta well under 1/n, for example {0.1 / n:.0e}."
        )


def _check_unit(unit: str, rows_per_user: int | None) -> None:
    if rows_per_user is not None:
        _check_users(rows_per_user, unit)
    elif unit != "row":
        raise ConfigError(
            f'the unit is "{unit}", so users are drawn, and rows_per_user must say how many rows of one are used at most. '
            "n and batch_size then count users. Give rows_per_user, for example 8."
        )


def _check_users(rows_per_user: int, unit: str) -> None:
    if isinstance(rows_per_user, bool) or not isinstance(rows_per_user, int) or rows_per_user < 1:
        raise ConfigError(f"rows_per_user must be a whole number >= 1, got {rows_per_user!r}.")
    if unit == "row":
        raise ConfigError(
            'rows_per_user is given, so users are drawn and protected, and the unit is called "row". Give unit the name of the unit column.'
        )
