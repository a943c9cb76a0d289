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

__all__ = ["Composed", "Event", "GaussianEvent", "PoissonSampled", "Repeated", "event_from_json", "event_to_json"]


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
            if not isinstance(event, GaussianEvent | PoissonSampled | Repeated | Composed):
                raise ConfigError(
                    f"a composition holds events, got {type(event).__name__}: nothing else has a price. "
                    "Use GaussianEvent, PoissonSampled, Repeated or Composed."
                )


Event = GaussianEvent | PoissonSampled | Repeated | Composed


def event_to_json(event: Event) -> dict[str, Any]:
    """Return the closed JSON form of an event: plain dicts, lists, strings and numbers. Raises ConfigError for anything else."""
    match event:
        case GaussianEvent(noise_multiplier=noise):
            return {"event": "gaussian", "noise_multiplier": noise}
        case PoissonSampled(probability=probability, event=inner):
            return {"event": "poisson-sampled", "probability": probability, "of": event_to_json(inner)}
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
    "repeated": _repeated,
    "composed": _composed,
}
