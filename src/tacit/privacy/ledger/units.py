"""Budgets as exact whole numbers, so that sums have no rounding of their own."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

EPSILON_DIGITS = 9  # epsilon is kept in units of 1e-9
DELTA_DIGITS = 18  # delta in units of 1e-18
LARGEST = 2**63 - 1  # what an SQLite integer holds


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """Some epsilon and some delta, granted, spent or left.

    epsilon -- natural-log units; >= 0.
    delta   -- probability; >= 0.
    """

    epsilon: float
    delta: float

    @classmethod
    def from_units(cls, epsilon: int, delta: int) -> "Budget":
        """Return the floats nearest to units of 1e-9 and 1e-18; `spending` maps them back to the same units."""
        return cls(epsilon=epsilon / 10**EPSILON_DIGITS, delta=delta / 10**DELTA_DIGITS)

    def to_json(self) -> dict[str, Any]:
        return {"epsilon": self.epsilon, "delta": self.delta}

    def __str__(self) -> str:
        return f"epsilon {written(self.epsilon, EPSILON_DIGITS)} at delta {self.delta!r}"


def written(value: float, digits: int) -> str:
    """Write an upper bound with so many decimals, rounded up, so that print never promises more than the ledger."""
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), ROUND_CEILING)
    return f"{rounded:f}".rstrip("0").rstrip(".") or "0"


def spending(epsilon: float, delta: float) -> tuple[int, int]:
    """Return (epsilon in 1e-9, delta in 1e-18), rounded up: what is spent is never understated."""
    return _units(epsilon, EPSILON_DIGITS, ROUND_CEILING), _units(delta, DELTA_DIGITS, ROUND_CEILING)


def granting(epsilon: float, delta: float) -> tuple[int, int]:
    """Return (epsilon in 1e-9, delta in 1e-18), rounded down: what is granted is never overstated."""
    return _units(epsilon, EPSILON_DIGITS, ROUND_FLOOR), _units(delta, DELTA_DIGITS, ROUND_FLOOR)


def _units(value: float, digits: int, rounding: str) -> int:
    # repr is the number as a person wrote it: 0.1 is a tenth, not 0.1000000000000000055
    return int(Decimal(repr(float(value))).scaleb(digits).to_integral_value(rounding))
