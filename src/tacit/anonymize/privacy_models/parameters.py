"""Parameters of privacy models: one check per kind, refused with a reason."""

import math
from numbers import Integral
from typing import Any

from tacit.errors import ConfigError


def check_column(value: Any, model: str) -> None:
    """Raise ConfigError unless value is the name of a column."""
    if not isinstance(value, str) or not value:
        raise ConfigError(
            f"{model} needs the name of a sensitive column, got {value!r}: it is a property of that column's values. "
            'Name it first, for example "disease".'
        )


def whole(name: str, value: Any, *, least: int, why: str) -> int:
    """Return a whole number of any type, such as NumPy's, as Python's own, which has a JSON form.

    why -- the reason and what to do. Raises ConfigError unless value is a whole number >= least.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ConfigError(f"{name} must be a whole number >= {least}, got {value!r}: {why}")
    return int(value)


def check_number(name: str, value: Any, span: str, *, why: str) -> None:
    """Raise ConfigError unless value is a finite number inside span.

    span -- an interval in the usual spelling, "[" and "]" for ends that belong to it: "(0, 1]", "[0, 1)", "(0, inf)".
    why  -- the reason and what to do.
    """
    low, high = (float(end) for end in span[1:-1].split(","))
    fits = not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    if not fits or not (low <= value <= high) or (value == low and span[0] == "(") or (value == high and span[-1] == ")"):
        raise ConfigError(f"{name} must be a number in {span}, got {value!r}: {why}")


def check_choice(name: str, value: Any, choices: tuple[Any, ...], *, why: str) -> None:
    """Raise ConfigError unless value is one of the choices."""
    if isinstance(value, bool) or value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}: {why}")
