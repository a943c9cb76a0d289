"""What is promised to whom: epsilon, delta, the unit protected and the neighbouring relation."""

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from enum import StrEnum
from numbers import Real
from typing import Any

from tacit.errors import ConfigError


class Neighbours(StrEnum):
    """Which two data sets the guarantee compares.

    ZERO_OUT -- one unit's record is replaced by an empty one; the number of units n is a declared public number.
        For the Gaussian mechanism, Poisson-sampled or not, its privacy curve equals that of add-or-remove-one
        (Kairouz et al. 2021, arXiv:2103.00039, Definition 1.1; REPLACE_SPECIAL in dp-accounting).
    REPLACE_ONE -- one unit's record is replaced by any other; only for local DP, and where stated.
    """

    ZERO_OUT = "zero-out-one"
    REPLACE_ONE = "replace-one"


@dataclass(frozen=True, kw_only=True, slots=True)
class Guarantee:
    """An (epsilon, delta) differential-privacy guarantee.

    epsilon    -- natural-log units; >= 0 and finite.
    delta      -- probability; 0 <= delta < 1.
    unit       -- whose presence is hidden: "row", or the name of the unit column.
    neighbours -- the neighbouring relation.
    Raises ConfigError when a value is out of range.
    """

    epsilon: float
    delta: float
    unit: str = "row"
    neighbours: Neighbours = Neighbours.ZERO_OUT

    def __post_init__(self) -> None:
        for name in ("epsilon", "delta"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                raise ConfigError(f"{name} must be a number, got {value!r}: nothing else adds up. Write it as 1e-5 or 3.0.")
            object.__setattr__(self, name, float(value))
        if not (self.epsilon >= 0 and math.isfinite(self.epsilon)):
            raise ConfigError(f"epsilon must be a finite number >= 0, got {self.epsilon}. Common choices lie between 0.5 and 8.")
        if not 0 <= self.delta < 1:
            raise ConfigError(f"delta must be >= 0 and < 1, got {self.delta}. Choose well under 1/n, for example 1e-5.")
        if not isinstance(self.unit, str) or not self.unit:
            raise ConfigError(f'the unit of privacy must be named, got {self.unit!r}. Use "row" or the name of the unit column.')
        try:
            object.__setattr__(self, "neighbours", Neighbours(self.neighbours))
        except ValueError:
            known = ", ".join(f'"{one.value}"' for one in Neighbours)
            raise ConfigError(
                f"unknown neighbouring relation {self.neighbours!r}: without it an epsilon compares nothing. Known are {known}."
            ) from None

    def to_json(self) -> dict[str, Any]:
        """Return plain values; Guarantee(**values) gives the same guarantee back."""
        return {"epsilon": self.epsilon, "delta": self.delta, "unit": self.unit, "neighbours": self.neighbours.value}

    def __str__(self) -> str:
        """Return one line for people. Numbers are rounded up to four digits: no claim is printed stronger than it is."""
        numbers = f"epsilon {_rounded_up(self.epsilon)} at delta {_rounded_up(self.delta)}"
        return f"{numbers} for one {self.unit} ({self.neighbours.value})"


def _rounded_up(value: float) -> str:
    exact = Decimal(repr(value))  # repr is the number as a person wrote it: 0.1 is a tenth
    return f"{float(Context(prec=4, rounding=ROUND_CEILING).plus(exact)):.4g}"
