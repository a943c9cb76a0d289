"""Paid releases of private sums: a block priced first, reserved next, and only then a sum, its noise, its price together."""

import uuid
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.noise.grid import GridVector
from tacit.privacy.gaussian_steps import GaussianBlock, GaussianSteps, draws_for, gaussian_block
from tacit.privacy.mechanisms.gaussian import Gaussian


def vector_block(*, epsilon: float, delta: float, length: int, steps: int = 1) -> GaussianBlock:
    """Return the block of `steps` Gaussian releases of vectors of shape (length,), with the least noise for (epsilon, delta).

    Every row takes part in every release, so nothing is amplified. The price covers draws_for(length) values.
    Raises ConfigError when epsilon or delta is out of range or no noise is enough.
    """
    if length < 1:
        raise ConfigError(f"a release needs at least one value, got length {length}. Give the data at least one column.")
    return gaussian_block(epsilon=epsilon, delta=delta, steps=steps, draws=draws_for(length))


def request_named(request_id: str | None) -> str:
    """Return the name of a fit in the ledger: the given one, or one drawn at random."""
    return f"fit-{uuid.uuid4()}" if request_id is None else request_id


@dataclass(frozen=True, kw_only=True)
class Releases(GaussianSteps):
    """The releases of one paid block, one a step. See `GaussianSteps` for its fields and errors."""

    @property
    def noise_multiplier(self) -> float:
        return self._priced.noise_multiplier

    def release(self, total: NDArray[np.float64], *, clip_norm: float) -> NDArray[np.float64]:
        """Count one step, then return total + normal noise of standard deviation noise_multiplier * clip_norm, on the grid.

        total     -- shape (d,): neighbours' totals differ by at most clip_target(clip_norm) in L2, float error of at most
                     2^-10 * clip_norm apart (tacit.noise.sensitivity). Rounded to the grid first, never changed.
        Raises PrivacyError outside the `with` statement or for a longer vector than the price covers, BudgetExceeded when all paid
        steps were taken.
        """
        self.spend(1, values=total.size)
        return Gaussian(noise_multiplier=self.noise_multiplier).release(GridVector.from_sum(total, clip_norm), self.source).values
