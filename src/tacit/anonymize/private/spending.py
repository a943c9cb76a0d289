"""A paid block whose steps are spent on choices and noisy counts, a sharper one costing more steps.

One step costs a Gaussian release of the block's noise multiplier s, and costs add up: a release with noise multiplier s / sqrt(k) takes
k steps, and so does a choice that is sqrt(k)/s-GDP. The number of steps T is fixed before the first; how they are split may depend on
every earlier outcome. Proof for two given neighbours: take T normal numbers of variance 1 whose mean is 0 for one of them and 1/s
for the other. A step's outcome can be made from them without the data: k fresh ones have as their sum / sqrt(k) a normal number that
tells the neighbours apart as the release does, and from it anything harder to tell apart can be drawn (Blackwell; Dong, Roth & Su
2019, arXiv:1905.02383, Theorem 2.10). So all outcomes together are a post-processing of the T numbers, which is what the block is priced
for (Corollary 3.3 there). No filter is needed, and nothing is lost to one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.noise.grid import GridVector, clip_norm_for
from tacit.privacy.events import GaussianEvent
from tacit.privacy.gaussian_steps import GaussianBlock, GaussianSteps, gaussian_block
from tacit.privacy.mechanisms.exponential import Exponential
from tacit.privacy.mechanisms.gaussian import Gaussian

Floats = NDArray[np.float64]

DRAWS = 1 << 20
"""Normal values that a step's price covers: k steps may release DRAWS * k values."""


@lru_cache(maxsize=32)
def check_payable(cells: int, *, steps: int, what: str) -> None:
    """Raise ConfigError, before anything is paid, for a marginal of more cells than its steps' price covers."""
    if cells > DRAWS * steps:
        raise ConfigError(
            f"{what} has {cells:,} cells, and its price covers {DRAWS * steps:,}: the tail that drawn noise lacks would not be charged. "
            "Declare fewer bins or categories, or merge rare ones."
        )


def steps_block(*, epsilon: float, delta: float, steps: int) -> GaussianBlock:
    """Return the block of so many steps, each of DRAWS values, with the least noise for (epsilon, delta); see `gaussian_block`."""
    return gaussian_block(epsilon=epsilon, delta=delta, steps=steps, draws=DRAWS)


@dataclass(frozen=True, kw_only=True)
class Spending(GaussianSteps):
    """The steps of one paid block, spent on choices and noisy counts. See `GaussianSteps` for its fields and errors."""

    def noise_multiplier(self, steps: int) -> float:
        """Return the noise of a release that costs so many steps, per unit of sensitivity; rounded up."""
        return math.nextafter(self._priced.noise_multiplier / math.sqrt(steps), math.inf)

    def noisy(self, counts: Floats, *, sensitivity: float, steps: int) -> tuple[Floats, float]:
        """Spend steps, then return (counts + normal noise, on the grid; the noise's standard deviation).

        counts      -- shape (d,): whole numbers; zeroing one unit moves them by at most `sensitivity` in L2.
        Raises PrivacyError outside the `with` statement or for more values than the steps pay for, BudgetExceeded when too few
        steps are left.
        """
        self.spend(steps, values=counts.size)
        clip_norm, noise = clip_norm_for(sensitivity), self.noise_multiplier(steps)
        released = Gaussian(noise_multiplier=noise).release(GridVector.from_sum(counts, clip_norm), self.source)
        return released.values, noise * clip_norm

    def choice(self, scores: Sequence[float], *, sensitivity: float, steps: int) -> int:
        """Spend steps, then return the place of the chosen score, a higher one likelier. See `Exponential.choose`."""
        self.spend(steps, values=0)
        event = GaussianEvent(noise_multiplier=self.noise_multiplier(steps))
        return Exponential.costing(event).choose(scores, sensitivity=sensitivity, source=self.source)
