"""What a mechanism did to private data, as values the accountant reads and the ledger stores.

An event says how noise relates to sensitivity, never what was released. The JSON form is closed: loading knows the
tags below and nothing else, so a ledger can never name code to run. An event of the wrong make cannot be built, so the
accountant never meets a combination that it has no theorem for.
"""

import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from tacit.errors import ConfigError, LedgerError
from tacit.privacy.strategies import Banded, Buffered, Strategy, Tree, strategy_from_json, strategy_to_json

__all__ = [
    "Composed",
    "EpsilonDelta",
    "Event",
    "GaussianEvent",
    "LocalRandomized",
    "MatrixEvent",
    "PoissonSampled",
    "Repeated",
    "StepEvent",
    "event_from_json",
    "event_to_json",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class GaussianEvent:
    """One release of a sum with normal noise.

    noise_multiplier -- noise standard deviation / L2 sensitivity; > 0 and finite.
    """

    noise_multiplier: float

    def __post_init__(self) -> None:
        value = _real(self.noise_multiplier)
        object.__setattr__(self, "noise_multiplier", value)
        if not (value > 0 and math.isfinite(value)):
            raise ConfigError(
                f"noise_multiplier must be finite and > 0, got {self.noise_multiplier!r}: without noise there is no epsilon. "
                "`noise_multiplier_for` gives the smallest noise for a target epsilon."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class PoissonSampled:
    """An event on a random subset into which every unit is drawn independently.

    probability -- each unit's chance of being drawn; 0 < probability <= 1.
    """

    probability: float
    event: GaussianEvent

    def __post_init__(self) -> None:
        value = _real(self.probability)
        object.__setattr__(self, "probability", value)
        if not 0 < value <= 1:
            raise ConfigError(
                f"sampling probability must be > 0 and <= 1, got {self.probability!r}: it is each unit's chance to be drawn "
                "in one step. Use the expected batch size divided by the number of units."
            )
        if not isinstance(self.event, GaussianEvent):
            raise ConfigError(
                f"only a GaussianEvent can be Poisson-sampled, got {type(self.event).__name__}: "
                "nothing else has a proved price here. Sample the single release, then repeat it."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixEvent:
    """A whole run whose units take part at most once in a period, and whose noise may be correlated between steps.

    noise_multiplier -- s.d. of one raw draw / clip norm; > 0 and finite.
    strategy         -- how noise is correlated; Banded((1.0,)) is independent noise.
    steps            -- length of the run; >= 1. It is released as a whole or any part of it.
    period           -- b >= 1: a unit takes part in steps i, i + b, ... only, i independent of the data.
    probability      -- chance, by a coin of its own, of each such participation; None when it always happens. Sampled noise must be
                        banded, with at most `period` bands.
    replays          -- how often a window of at most `replay_steps` steps may be lost and released again; >= 0.
    replay_steps     -- >= 1.
    The price, and its proof: tacit.privacy.participation.
    """

    noise_multiplier: float
    strategy: Strategy
    steps: int
    period: int
    probability: float | None
    replays: int
    replay_steps: int

    def __post_init__(self) -> None:
        event = GaussianEvent(noise_multiplier=self.noise_multiplier)
        object.__setattr__(self, "noise_multiplier", event.noise_multiplier)
        if not isinstance(self.strategy, Banded | Buffered | Tree):
            raise ConfigError(
                f"a run's noise is Banded, Buffered or Tree, got {type(self.strategy).__name__}: nothing else has a proved price."
            )
        for name, least in (("steps", 1), ("period", 1), ("replays", 0), ("replay_steps", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 10**7:
                raise ConfigError(f"{name} must be a whole number from {least} to 10,000,000, got {value!r}.")
        if self.probability is None:
            return
        sampled = PoissonSampled(probability=self.probability, event=event)
        object.__setattr__(self, "probability", sampled.probability)
        if not (isinstance(self.strategy, Banded) and self.strategy.bands <= self.period):
            raise ConfigError(
                f"sampling amplifies banded noise with at most one participation per band width, got {type(self.strategy).__name__} and "
                f"period {self.period}: else a unit's participations share noise, and no theorem covers them. "
                "Use Banded with at most `period` bands, or probability None."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalRandomized:
    """One report of each unit, made from that unit's record alone; disjoint units, so all reports together cost one epsilon.

    epsilon -- pure: no value makes a report more than e^epsilon times likelier than another, replace-one; > 0 and finite.
    """

    epsilon: float

    def __post_init__(self) -> None:
        value = _real(self.epsilon)
        object.__setattr__(self, "epsilon", value)
        if not 0 < value < math.inf:
            raise ConfigError(
                f"the epsilon of local reports must be finite and > 0, got {self.epsilon!r}: it is what each person pays. "
                "Take it from the mechanism that makes the reports."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class EpsilonDelta:
    """One release of which nothing is known but that it is (epsilon, delta)-private: it composes by addition, in the ledger.

    epsilon -- > 0 and finite. delta -- 0 < delta < 1; at a smaller one the release has no epsilon.
    """

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        for name in ("epsilon", "delta"):
            object.__setattr__(self, name, _real(getattr(self, name)))
        if not (0 < self.epsilon < math.inf and 0 < self.delta < 1):
            raise ConfigError(
                f"a release needs a finite epsilon > 0 and 0 < delta < 1, got {self.epsilon!r} and {self.delta!r}: both are its price. "
                "Take them from the mechanism that makes the release."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeated:
    """The same event a fixed number of times, adaptively.

    count -- number of times; an integer >= 1.
    """

    event: GaussianEvent | PoissonSampled
    count: int

    def __post_init__(self) -> None:
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 1:
            raise ConfigError(
                f"an event is repeated a whole number of times >= 1, got {self.count!r}: half a release has no price. "
                "Give the number of releases as an int."
            )
        if not isinstance(self.event, GaussianEvent | PoissonSampled):
            raise ConfigError(
                f"only a GaussianEvent or PoissonSampled can be repeated, got {type(self.event).__name__}. "
                "Multiply the counts, or list the events in Composed."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Composed:
    """Several events on the same units, declared together; at least one."""

    events: tuple["Event", ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "events", tuple(self.events))
        if not self.events:
            raise ConfigError("a composition needs at least one event, got none: nothing released costs nothing. Leave it out.")
        for event in self.events:
            if not isinstance(event, GaussianEvent | PoissonSampled | MatrixEvent | Repeated | Composed):
                raise ConfigError(
                    f"a composition holds events, got {type(event).__name__}: nothing else has a price. "
                    "Use GaussianEvent, PoissonSampled, MatrixEvent, Repeated or Composed."
                )


Event = GaussianEvent | PoissonSampled | MatrixEvent | LocalRandomized | EpsilonDelta | Repeated | Composed

StepEvent = GaussianEvent | PoissonSampled
"""What a single step can do, when steps owe one another nothing."""


def event_to_json(event: Event) -> dict[str, Any]:
    """Return the closed JSON form of an event: plain dicts, lists, strings and numbers. Raises ConfigError for anything else."""
    match event:
        case GaussianEvent(noise_multiplier=noise):
            return {"event": "gaussian", "noise_multiplier": noise}
        case PoissonSampled(probability=probability, event=inner):
            return {"event": "poisson-sampled", "probability": probability, "of": event_to_json(inner)}
        case MatrixEvent():
            return _matrix_to_json(event)
        case LocalRandomized(epsilon=epsilon):
            return {"event": "local-randomized", "epsilon": epsilon}
        case EpsilonDelta(epsilon=epsilon, delta=delta):
            return {"event": "epsilon-delta", "epsilon": epsilon, "delta": delta}
        case Repeated(event=inner, count=count):
            return {"event": "repeated", "count": count, "of": event_to_json(inner)}
        case Composed(events=events):
            return {"event": "composed", "of": [event_to_json(inner) for inner in events]}
        case _:
            raise ConfigError(f"{type(event).__name__} is not an event: no ledger can store it. Use those of tacit.privacy.")


def event_from_json(data: Mapping[str, Any]) -> Event:
    """Return the event a JSON form describes.

    Raises LedgerError for an unknown tag, a missing or an extra key, a value of another JSON type or out of range.
    """
    try:
        fields = dict(data)
        build = _BUILDERS[fields.pop("event")]
        return build(fields)
    except (KeyError, TypeError, ValueError, RecursionError, ConfigError) as error:
        raise LedgerError(
            f"this is not an event tacit knows: {reprlib.repr(data)} ({error}). "
            "The ledger was written by another version or was altered; run `tacit ledger verify`."
        ) from None


def _real(value: object) -> float:
    """Return the float that a number is (NumPy's included); refuse what float() would take for one, like "1" and True."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ConfigError(f"a number is needed, got {value!r}: a text or a truth value has no price. Write it as a plain number.")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _gaussian(fields: dict[str, Any]) -> Event:
    return GaussianEvent(noise_multiplier=fields.pop("noise_multiplier"), **fields)


def _poisson(fields: dict[str, Any]) -> Event:
    inner = event_from_json(fields.pop("of"))
    if not isinstance(inner, GaussianEvent):
        raise TypeError("only a gaussian event can be poisson-sampled")
    return PoissonSampled(probability=fields.pop("probability"), event=inner, **fields)


_COUNTS = ("steps", "period", "replays", "replay_steps")


def _matrix_to_json(event: MatrixEvent) -> dict[str, Any]:
    """Without sampling there is no key "probability": a reader who looks for a rate finds none."""
    sampled = {} if event.probability is None else {"probability": event.probability}
    counts = {name: getattr(event, name) for name in _COUNTS}
    strategy = strategy_to_json(event.strategy)
    return {"event": "matrix", "noise_multiplier": event.noise_multiplier, "strategy": strategy, **counts, **sampled}


def _matrix(fields: dict[str, Any]) -> Event:
    if "probability" in fields and fields["probability"] is None:
        raise TypeError("a run without sampling has no probability")
    strategy, probability = strategy_from_json(fields.pop("strategy")), fields.pop("probability", None)
    return MatrixEvent(strategy=strategy, probability=probability, **fields)


def _local(fields: dict[str, Any]) -> Event:
    return LocalRandomized(epsilon=fields.pop("epsilon"), **fields)


def _epsilon_delta(fields: dict[str, Any]) -> Event:
    return EpsilonDelta(epsilon=fields.pop("epsilon"), delta=fields.pop("delta"), **fields)


def _repeated(fields: dict[str, Any]) -> Event:
    inner = event_from_json(fields.pop("of"))
    if not isinstance(inner, GaussianEvent | PoissonSampled):
        raise TypeError("only a gaussian or poisson-sampled event can be repeated")
    return Repeated(event=inner, count=fields.pop("count"), **fields)


def _composed(fields: dict[str, Any]) -> Event:
    return Composed(events=tuple(event_from_json(inner) for inner in fields.pop("of")), **fields)


_BUILDERS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "gaussian": _gaussian,
    "poisson-sampled": _poisson,
    "matrix": _matrix,
    "local-randomized": _local,
    "epsilon-delta": _epsilon_delta,
    "repeated": _repeated,
    "composed": _composed,
}
