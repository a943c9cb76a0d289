"""A paid block of Gaussian releases: priced first, reserved durably next, and every step counted before what it pays for."""

import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Self

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.source import Source
from tacit.privacy.block import Block
from tacit.privacy.events import GaussianEvent
from tacit.privacy.ledger import Ledger, Reservation

_LEAST_DRAWS = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class GaussianBlock(Block):
    """A block of Gaussian releases that knows how many values its price covers.

    draws -- normal values that one step may draw, k steps k times as many: their missing tail is in the price; >= 1.
    Raises ConfigError as Block does, for another event, and when draws is out of range.
    """

    draws: int

    def __post_init__(self) -> None:
        Block.__post_init__(self)
        if not isinstance(self.event, GaussianEvent):
            raise ConfigError(f"steps are Gaussian releases, and the block repeats {self.event}. Use gaussian_block.")
        if isinstance(self.draws, bool) or not isinstance(self.draws, int) or self.draws < 1:
            raise ConfigError(
                f"draws must be a whole number >= 1, got {self.draws!r}: it is the length of the longest vector that one step releases."
            )

    @property
    def noise_multiplier(self) -> float:
        """Noise of a release that costs one step, per unit of sensitivity."""
        assert isinstance(self.event, GaussianEvent)  # __post_init__
        return self.event.noise_multiplier


def draws_for(length: int) -> int:
    """Return how many normal values a block for releases of this length shall cover: a power of two, at least 4,096.

    Never fewer than the length, and blocks of similar lengths share one search for their noise.
    """
    return max(_LEAST_DRAWS, 1 << (length - 1).bit_length())


@lru_cache(maxsize=32)
def gaussian_block(*, epsilon: float, delta: float, steps: int, draws: int) -> GaussianBlock:
    """Return the block of so many Gaussian releases with the least noise for (epsilon, delta), zero-out neighbours.

    draws -- normal values a step may draw; the mass missing from their tails is in the price.
    Every unit takes part in every step, so nothing is amplified.
    Raises ConfigError when epsilon or delta is out of range or no noise is enough.
    """
    from tacit.privacy.calibration import noise_multiplier_for
    from tacit.privacy.pricing import price

    noise = noise_multiplier_for(epsilon=epsilon, delta=delta, probability=1.0, steps=steps, draws=draws)
    event = GaussianEvent(noise_multiplier=noise)
    priced = price(event, steps=steps, spare_steps=0, checkpoint_every=steps, delta=delta, draws=draws)
    return GaussianBlock(event=event, steps=steps, spare_steps=0, checkpoint_every=steps, guarantee=priced.guarantee, draws=draws)


@dataclass(frozen=True, kw_only=True)
class GaussianSteps:
    """The steps of one paid block. Use it in a `with` statement: entering it reserves, durably.

    What is charged is what is released: no field can be set again, the block least of all.

    block      -- from gaussian_block: its noise, its draws; ledger, budget -- where it is reserved, and from which budget.
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

    _reservations: list[Reservation] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.block, GaussianBlock):
            raise ConfigError(
                f"steps are Gaussian releases of a length their price covers, and the block repeats {self.block.event}. Use gaussian_block."
            )

    def __enter__(self) -> Self:
        request = f"gaussian-{uuid.uuid4()}" if self.request_id is None else self.request_id
        reservation = self.ledger.reserve(self.block, dataset=self.budget, request_id=request, purpose=self.purpose)
        self._reservations.append(reservation)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._paid().finish()

    @property
    def steps_left(self) -> int:
        """Steps not spent yet."""
        return self._paid().steps_left

    def spend(self, steps: int, *, values: int) -> None:
        """Count steps, durably, before what they pay for is computed.

        values -- normal values that will be drawn for it; 0 for a choice, whose chances are exact.
        Raises PrivacyError outside the `with` statement or for more values than the steps' price covers, BudgetExceeded when too few
        steps are left, ConfigError for fewer than one.
        """
        reservation = self._paid()
        if steps < 1:
            raise ConfigError(f"a release costs a whole number of steps >= 1, got {steps}: nothing is released for nothing.")
        if values > self._priced.draws * steps:
            raise PrivacyError(
                f"{steps} steps pay for {self._priced.draws * steps} noisy values, got {values}: the tail that drawn noise lacks would "
                "not be covered, so nothing was released. Price longer vectors, release fewer values, or spend more steps."
            )
        for _ in range(steps):
            reservation.count_step()

    @property
    def _priced(self) -> GaussianBlock:
        assert isinstance(self.block, GaussianBlock)  # __post_init__
        return self.block

    def _paid(self) -> Reservation:
        if not self._reservations:
            raise PrivacyError("nothing was paid for, so nothing is released. Enter the `with` statement first.")
        return self._reservations[-1]
