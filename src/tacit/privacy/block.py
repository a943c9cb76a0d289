"""A block: a protocol fixed before it starts, paid for as a whole."""

from dataclasses import dataclass

from tacit.errors import ConfigError
from tacit.privacy.events import EpsilonDelta, Event, GaussianEvent, LocalRandomized, MatrixEvent, PoissonSampled, Repeated
from tacit.privacy.guarantee import Guarantee


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A plan's mechanism, rate and steps, fixed before the first of them runs, and what they cost together.

    event            -- what one step does; a MatrixEvent: what the whole run does, when its steps share noise or participations.
    steps            -- planned steps T; >= 1.
    spare_steps      -- further steps s paid for, so that a killed run can replay what it lost; >= 0.
    checkpoint_every -- steps between two durable syncs of the counter; >= 1.
    guarantee        -- the price of all T + s steps composed (by PLD), with its unit and neighbouring relation. For a MatrixEvent:
                        of T steps and of every replay that s steps allow, a run being resumed only from its checkpoints.

    Blocks add: the ledger composes them by basic composition, which holds for adaptively chosen blocks.
    Stopping early refunds nothing. Raises ConfigError when a count is out of range.
    """

    event: GaussianEvent | PoissonSampled | MatrixEvent | LocalRandomized | EpsilonDelta
    steps: int
    spare_steps: int
    checkpoint_every: int
    guarantee: Guarantee

    def __post_init__(self) -> None:
        if not isinstance(self.event, GaussianEvent | PoissonSampled | MatrixEvent | LocalRandomized | EpsilonDelta):
            raise ConfigError(
                f"a block repeats one GaussianEvent or PoissonSampled, or runs one MatrixEvent; got {type(self.event).__name__}: "
                "its steps are counted one by one. Give the event of a single step."
            )
        if not isinstance(self.guarantee, Guarantee):
            raise ConfigError(f"a block needs its Guarantee, got {self.guarantee!r}: it is what the ledger charges. Use `price`.")
        for name, least in (("steps", 1), ("spare_steps", 0), ("checkpoint_every", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"{name} must be a whole number >= {least}, got {value!r}: it is paid for before it starts.")
        if isinstance(self.event, LocalRandomized) and (self.steps, self.spare_steps) != (1, 0):
            raise ConfigError(
                f"local reports are one step without spare ones, got {self.steps} and {self.spare_steps}: a report made again "
                "costs its person again. Reserve another block for it."
            )
        if isinstance(self.event, EpsilonDelta) and (self.steps, self.spare_steps) != (1, 0):
            raise ConfigError(
                f"a release known by its epsilon and delta alone is one step without spare ones, got {self.steps} and {self.spare_steps}: "
                "made again it costs again. Reserve another block for it."
            )
        if isinstance(self.event, MatrixEvent):
            event, replays = self.event, self.spare_steps // self.checkpoint_every
            if event.steps != self.steps or event.replays < replays or (replays and event.replay_steps < self.checkpoint_every):
                raise ConfigError(
                    f"the event covers {event.steps} steps and {event.replays} replays of {event.replay_steps} steps; the block has "
                    f"{self.steps} steps and allows {replays} replays of {self.checkpoint_every}. A run that does more than its event "
                    "says is not paid for. Take the block from Plan.solve."
                )

    @property
    def paid_steps(self) -> int:
        """Steps paid for: planned plus spare."""
        return self.steps + self.spare_steps

    @property
    def total_event(self) -> Event:
        """Everything paid for, as one event."""
        if isinstance(self.event, MatrixEvent | LocalRandomized | EpsilonDelta):
            return self.event
        return Repeated(event=self.event, count=self.paid_steps)

    @property
    def in_order(self) -> bool:
        """Whether steps depend on one another, so that only one run at a time may take them, and a replay starts at a checkpoint."""
        return isinstance(self.event, MatrixEvent)
