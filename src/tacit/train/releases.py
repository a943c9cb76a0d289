"""Paid releases of private sums: a block priced first, reserved next, and only then a sum, its noise, its price together."""

import uuid
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.grid import GridVector
from tacit.noise.source import Source
from tacit.privacy.block import Block
from tacit.privacy.events import GaussianEvent
from tacit.privacy.ledger import Ledger, Reservation
from tacit.privacy.mechanisms.gaussian import Gaussian

_LEAST_DRAWS = 4096


def gaussian_block(*, epsilon: float, delta: float, length: int, steps: int = 1) -> Block:
    """Return the block of `steps` Gaussian releases of vectors of shape (length,), with the least noise for (epsilon, delta).

    Every row takes part in every release, so nothing is amplified. The price covers a power of two of noise draws, at least
    4,096: never fewer than the length, and releases of different lengths share one search.
    Raises ConfigError when epsilon or delta is out of range or no noise is enough.
    """
    if length < 1:
        raise ConfigError(f"a release needs at least one value, got length {length}. Give the data at least one column.")
    return _solved(epsilon, delta, max(_LEAST_DRAWS, 1 << (length - 1).bit_length()), steps)


@lru_cache(maxsize=32)
def _solved(epsilon: float, delta: float, draws: int, steps: int) -> Block:
    from tacit.privacy.calibration import noise_multiplier_for
    from tacit.privacy.pricing import price

    noise = noise_multiplier_for(epsilon=epsilon, delta=delta, probability=1.0, steps=steps, draws=draws)
    event = GaussianEvent(noise_multiplier=noise)
    return price(event, steps=steps, spare_steps=0, checkpoint_every=steps, delta=delta, draws=draws)


def request_named(request_id: str | None) -> str:
    """Return the name of a fit in the ledger: the given one, or one drawn at random."""
    return f"fit-{uuid.uuid4()}" if request_id is None else request_id


@dataclass(kw_only=True)
class Releases:
    """The releases of one paid block. Use it in a `with` statement: entering it reserves, durably.

    block      -- Gaussian releases, priced; ledger, budget -- where it is reserved, and from which budget.
    request_id -- unique in the ledger; drawn at random when None.
    purpose    -- what the ledger says it was for; source -- where the noise comes from.
    Entering raises BudgetExceeded or ConfigError (a request id that is taken), and then nothing was computed.
    """

    block: Block
    ledger: Ledger
    budget: str
    request_id: str | None
    purpose: str
    source: Source

    def __post_init__(self) -> None:
        if not isinstance(self.block.event, GaussianEvent):
            raise ConfigError(f"these are Gaussian releases, and the block repeats {self.block.event}. Use gaussian_block.")
        self._mechanism = Gaussian(noise_multiplier=self.block.event.noise_multiplier)
        self._reservation: Reservation | None = None

    @property
    def noise_multiplier(self) -> float:
        return self._mechanism.noise_multiplier

    def __enter__(self) -> "Releases":
        request = request_named(self.request_id)
        self._reservation = self.ledger.reserve(self.block, dataset=self.budget, request_id=request, purpose=self.purpose)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._reservation is not None:
            self._reservation.finish()

    def release(self, total: NDArray[np.float64], *, clip_norm: float) -> NDArray[np.float64]:
        """Count one step, then return total + normal noise of standard deviation noise_multiplier * clip_norm, on the grid.

        total     -- shape (d,): neighbours' totals differ by at most clip_target(clip_norm) in L2, float error of at most
                     2^-10 * clip_norm apart (tacit.noise.sensitivity). Rounded to the grid first, never changed.
        Raises PrivacyError outside the `with` statement, BudgetExceeded when all paid steps were taken.
        """
        if self._reservation is None:
            raise PrivacyError("nothing was paid for, so nothing is released. Enter the `with` statement first.")
        self._reservation.count_step()
        return self._mechanism.release(GridVector.from_sum(total, clip_norm), self.source).values
