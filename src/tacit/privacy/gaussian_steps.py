"""A paid block of Gaussian releases: priced first, reserved durably next, and every step counted before what it pays for."""

import uuid
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Self

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.source import Source
from tacit.privacy.block import Block
from tacit.privacy.events import GaussianEvent
from tacit.privacy.ledger import Ledger, Reservation


@lru_cache(maxsize=32)
def gaussian_block(*, epsilon: float, delta: float, steps: int, draws: int) -> Block:
    """Return the block of so many Gaussian releases with the least noise for (epsilon, delta), zero-out neighbours.

    draws -- normal values a step may draw; the mass missing from their tails is in the price.
    Every unit takes part in every step, so nothing is amplified.
    Raises ConfigError when epsilon or delta is out of range or no noise is enough.
    """
    from tacit.privacy.calibration import noise_multiplier_for
    from tacit.privacy.pricing import price

    noise = noise_multiplier_for(epsilon=epsilon, delta=delta, probability=1.0, steps=steps, draws=draws)
    event = GaussianEvent(noise_multiplier=noise)
    return price(event, steps=steps, spare_steps=0, checkpoint_every=steps, delta=delta, draws=draws)


@dataclass(kw_only=True)
class GaussianSteps:
    """The steps of one paid block. Use it in a `with` statement: entering it reserves, durably.

    block      -- Gaussian releases, priced; ledger, budget -- where it is reserved, and from which budget.
    request_id -- unique in the ledger; drawn at random when None.
    purpose    -- what the ledger says it was for; source -- where noise and chance come from.
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
            raise ConfigError(f"steps are Gaussian releases, and the block repeats {self.block.event}. Use gaussian_block.")
        self._noise = self.block.event.noise_multiplier
        self._reservation: Reservation | None = None

    def __enter__(self) -> Self:
        request = f"gaussian-{uuid.uuid4()}" if self.request_id is None else self.request_id
        self._reservation = self.ledger.reserve(self.block, dataset=self.budget, request_id=request, purpose=self.purpose)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._reservation is not None:
            self._reservation.finish()

    @property
    def steps_left(self) -> int:
        """Steps not spent yet."""
        return self._paid().steps_left

    def spend(self, steps: int) -> None:
        """Count steps, durably, before what they pay for is computed.

        Raises PrivacyError outside the `with` statement, BudgetExceeded when too few are left, ConfigError for fewer than one.
        """
        reservation = self._paid()
        if steps < 1:
            raise ConfigError(f"a release costs a whole number of steps >= 1, got {steps}: nothing is released for nothing.")
        for _ in range(steps):
            reservation.count_step()

    def _paid(self) -> Reservation:
        if self._reservation is None:
            raise PrivacyError("nothing was paid for, so nothing is released. Enter the `with` statement first.")
        return self._reservation
