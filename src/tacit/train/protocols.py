"""Which sampler goes with which noise, and the one event that prices the two together."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tacit.errors import ConfigError
from tacit.privacy.events import GaussianEvent, MatrixEvent, PoissonSampled
from tacit.privacy.strategies import Banded, Strategy, Tree
from tacit.train.cycles import groups_for

__all__ = ["MECHANISMS", "SAMPLINGS", "Mechanism", "Protocol", "Sampling", "protocol_for"]

Sampling = Literal["poisson", "cyclic-poisson", "balls-in-bins", "shuffle"]
Mechanism = Literal["dp-sgd", "banded", "blt", "tree"]

SAMPLINGS = ("poisson", "cyclic-poisson", "balls-in-bins", "shuffle")
MECHANISMS = ("dp-sgd", "banded", "blt", "tree")
MOST_DEFAULT_BANDS = 16
DEFAULT_BUFFERS = 4

_FIT: dict[str, tuple[str, ...]] = {
    "dp-sgd": ("poisson", "balls-in-bins", "shuffle"),
    "banded": ("cyclic-poisson", "balls-in-bins", "shuffle"),
    "blt": ("shuffle", "balls-in-bins"),
    "tree": ("shuffle", "balls-in-bins"),
}
"""What may run together; the first is the default. Poisson sampling bounds no unit's participations, which correlated noise needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    """A sampler and a strategy that have a price together.

    sampling    -- how units are drawn.
    probability -- a unit's chance in a step that is its turn; None when it always takes part then.
    period      -- a unit's turn comes every `period` steps.
    strategy    -- how noise is correlated; Banded((1.0,)) is independent noise.
    """

    sampling: Sampling
    probability: float | None
    period: int
    strategy: Strategy

    def event(
        self, noise_multiplier: float, *, steps: int, spare_steps: int, checkpoint_every: int
    ) -> PoissonSampled | MatrixEvent:
        """Return what the accountant is told of a run: one step of it for plain Poisson sampling, else the whole run with its replays."""
        if self.sampling == "poisson":
            assert self.probability is not None
            return PoissonSampled(probability=self.probability, event=GaussianEvent(noise_multiplier=noise_multiplier))
        return MatrixEvent(
            noise_multiplier=noise_multiplier,
            strategy=self.strategy,
            steps=steps,
            period=self.period,
            probability=self.probability,
            replays=spare_steps // checkpoint_every,
            replay_steps=checkpoint_every,
        )

    def noise_for(
        self, *, epsilon: float, delta: float, steps: int, spare_steps: int, checkpoint_every: int, draws: int
    ) -> float:
        """Return the least noise multiplier whose price is at most epsilon: four digits times the run's sensitivity, rounded up."""
        from tacit.privacy.calibration import noise_multiplier_for
        from tacit.privacy.participation import matrix_releases

        paid = steps + spare_steps
        event = self.event(1.0, steps=steps, spare_steps=spare_steps, checkpoint_every=checkpoint_every)
        if isinstance(event, PoissonSampled):
            return noise_multiplier_for(epsilon=epsilon, delta=delta, probability=event.probability, steps=paid, draws=draws)
        unit, probability, count = matrix_releases(event)
        shared = draws * -(-paid // count)  # the missing tail of all paid steps, spread over the releases that are priced
        found = noise_multiplier_for(
            epsilon=epsilon, delta=delta, probability=probability, steps=count, draws=shared + shared % 2
        )
        noise = found / unit
        while noise * unit < found:
            noise = math.nextafter(noise, math.inf)
        return noise


def protocol_for(
    *,
    mechanism: str,
    sampling: str | None,
    n: int,
    batch_size: int,
    steps: int,
    bands: int | None = None,
    buffers: int | None = None,
    tree_height: int | None = None,
) -> Protocol:
    """Return the protocol of these names; raises ConfigError for names or numbers that do not go together.

    mechanism   -- "dp-sgd", "banded" (BandMF), "blt" or "tree"; sampling -- None takes what suits the mechanism best.
    bands       -- of banded noise; at most 16, for the memory, by default (`bands_for` chooses by the price).
    buffers     -- of BLT; 4 by default. tree_height -- levels before a tree restarts; what has the least error by default.
    """
    chosen = _checked(mechanism, sampling)
    for name, value, owner in (("bands", bands, "banded"), ("buffers", buffers, "blt"), ("tree_height", tree_height, "tree")):
        if value is not None and mechanism != owner:
            raise ConfigError(f'{name} = {value} is for mechanism "{owner}", and this plan\'s is "{mechanism}". Leave it out.')
    if chosen == "poisson":
        return Protocol(sampling="poisson", probability=batch_size / n, period=1, strategy=Banded(coefficients=(1.0,)))
    period = groups_for(n, batch_size)
    if chosen == "cyclic-poisson":
        bands = min(MOST_DEFAULT_BANDS, n // batch_size, steps) if bands is None else bands
        if isinstance(bands, bool) or not isinstance(bands, int) or not 1 <= bands <= min(n // batch_size, steps):
            raise ConfigError(
                f"cyclic Poisson sampling splits {n} units into {bands!r} groups and draws {batch_size} from each on average, so bands must be "
                f"a whole number from 1 to {min(n // batch_size, steps)}. Choose fewer bands or a smaller batch."
            )
        return Protocol(
            sampling="cyclic-poisson", probability=bands * batch_size / n, period=bands, strategy=_banded(bands, steps, steps)
        )
    return Protocol(
        sampling=chosen,
        probability=None,
        period=period,
        strategy=_strategy(mechanism, steps, period, bands, buffers, tree_height),
    )


@lru_cache(maxsize=16)
def bands_for(
    *, epsilon: float, delta: float, n: int, batch_size: int, steps: int, spare_steps: int, checkpoint_every: int, draws: int
) -> int:
    """Return the number of bands, a power of two up to 16, with the least noise in the model at this price by cyclic Poisson.

    One band is DP-SGD, so banded noise is never the worse of the two (Choquette-Choo et al. 2023, arXiv:2306.08153, section 4).
    """
    from tacit.privacy.factorization import prefix_deviation

    def noise(bands: int) -> float:
        one = protocol_for(mechanism="banded", sampling=None, n=n, batch_size=batch_size, steps=steps, bands=bands)
        scale = one.noise_for(
            epsilon=epsilon, delta=delta, steps=steps, spare_steps=spare_steps, checkpoint_every=checkpoint_every, draws=draws
        )
        return scale * prefix_deviation(one.strategy, steps=steps)

    most = min(MOST_DEFAULT_BANDS, n // batch_size, steps)
    return min((1 << power for power in range(most.bit_length())), key=noise)


def _checked(mechanism: str, sampling: str | None) -> Sampling:
    if mechanism not in MECHANISMS:
        raise ConfigError(f"unknown mechanism {mechanism!r}. Known are {', '.join(MECHANISMS)}.")
    fitting = _FIT[mechanism]
    if sampling is not None and sampling not in SAMPLINGS:
        raise ConfigError(f"unknown sampling {sampling!r}. Known are {', '.join(SAMPLINGS)}.")
    if sampling is not None and sampling not in fitting:
        raise ConfigError(
            f'no theorem prices mechanism "{mechanism}" with sampling "{sampling}", so there is no epsilon for the two together. '
            f'With "{mechanism}" use {" or ".join(repr(one) for one in fitting)}.'
        )
    return fitting[0] if sampling is None else sampling  # type: ignore[return-value]


@lru_cache(maxsize=64)
def _strategy(mechanism: str, steps: int, period: int, bands: int | None, buffers: int | None, height: int | None) -> Strategy:
    from tacit.privacy.factorization import buffered_strategy, tree_strategy

    match mechanism:
        case "banded":
            return _banded(min(MOST_DEFAULT_BANDS, steps) if bands is None else bands, steps, period)
        case "blt":
            return buffered_strategy(buffers=DEFAULT_BUFFERS if buffers is None else buffers, steps=steps, period=period)
        case "tree":
            return tree_strategy(steps=steps, period=period, height=height)
        case _:
            return Banded(coefficients=(1.0,))


@lru_cache(maxsize=64)
def _banded(bands: int, steps: int, period: int) -> Banded:
    from tacit.privacy.factorization import banded_strategy

    return banded_strategy(bands=bands, steps=steps, period=period)


def draws_for(strategy: Strategy, values: int) -> int:
    """Return how many normal values a step draws on average at most, for vectors of that length; trees draw every node once."""
    return 2 * (values + values % 2) if isinstance(strategy, Tree) else values


def name_of(strategy: Strategy) -> Mechanism:
    """Return the mechanism's name in the field's terms."""
    if isinstance(strategy, Tree):
        return "tree"
    if isinstance(strategy, Banded):
        return "dp-sgd" if strategy.bands == 1 else "banded"
    return "blt"
