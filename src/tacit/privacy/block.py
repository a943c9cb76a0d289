"""A block: a protocol fixed before it starts, paid for as a whole."""

from dataclasses import dataclass

from tacit.errors import ConfigError
from tacit.privacy.events import Event, GaussianEvent, PoissonSampled, Repeated
from tacit.privacy.guarantee import Guarantee


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A plan's mechanism, rate and steps, fixed before the first of them runs, and what they cost together.

    event            -- what one step does.
    steps            -- planned steps T; >= 1.
    spare_steps      -- further steps s paid for, so that a killed run can replay what it lost; >= 0.
    checkpoint_every -- steps between two durable syncs of the counter; >= 1.
    guarantee        -- the price of all T + s steps composed (by PLD), with its unit and neighbouring relation.

    Blocks add: the ledger composes them by basic composition, which holds for adaptively chosen blocks.
    Stopping early refunds nothing. Raises ConfigError when a count is out of range.
    """

    event: GaussianEvent | PoissonSampled
    steps: int
    spare_steps: int
    checkpoint_every: int
    guarantee: Guarantee

    def __post_init__(self) -> None:
        if not isinstance(self.event, GaussianEvent | PoissonSampled):
            raise ConfigError(
                f"a block repeats one GaussianEvent or PoissonSampled, got {type(self.event).__name__}: "
                "its steps are counted one by one. Give the event of a single step."
            )
        if not isinstance(self.guarantee, Guarantee):
            raise ConfigError(f"a block needs its Guarantee, got {self.guarantee!r}: it is what the ledger charges. Use `price`.")
        for name, least in (("steps", 1), ("spare_steps", 0), ("checkpoint_every", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"{name} must be a whole number >= {least}, got {value!r}: it is paid for before it starts.")

    @property
    def paid_steps(self) -> int:
        """Steps paid for: planned plus spare."""
        return self.steps + self.spare_steps

    @property
    def total_event(self) -> Event:
        """Everything paid for, as one event."""
        return Repeated(event=self.event, count=self.paid_steps)
