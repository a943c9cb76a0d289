"""A finding: a measured, computed or proved fact, with what is needed to trust it and where it may go."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from numbers import Integral, Real
from typing import Any

from tacit.errors import ConfigError


class Basis(StrEnum):
    """What a finding was computed from; decides whether it may leave the custodian.

    PUBLIC -- declared or public values only (settings, versions, hashes of public things).
    DP     -- the output, or post-processing of the output, of a charged differentially private mechanism.
    EXACT  -- private rows, without noise: for the custodian's eyes only.
    """

    PUBLIC = "public"
    DP = "dp"
    EXACT = "exact"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One number or label, with its interval, sample size, ceiling and assumptions.

    kind       -- what sort of fact, for example "reidentification-risk", "accuracy", "membership-attack", "audit".
    name       -- what a reader sees; unique within its step.
    value      -- the number or label; None when it could not be computed (`method` says why). Numbers are finite.
    unit       -- of value: "" for none, "epsilon", "share", "rows", "seconds" ...
    basis      -- what it was computed from.
    method     -- how, with its source (paper, theorem) where there is one.
    interval   -- (low, high) at `confidence`, in the same unit, low <= high; an open end is -inf or inf.
    confidence -- of the interval; 0 < confidence < 1.
    n          -- sample size behind the number; >= 0.
    ceiling    -- the largest value this method could have shown at this n.
    assumption -- what must hold for the number to mean what it says.
    details    -- JSON values for plots and tables (curves, per-column figures), kept as JSON would return them.
    NumPy numbers become Python's. Raises ConfigError when a value is out of range or has no JSON form, or an interval
    comes without its confidence.
    """

    kind: str
    name: str
    value: float | int | str | bool | None
    basis: Basis
    unit: str = ""
    method: str = ""
    interval: tuple[float, float] | None = None
    confidence: float | None = None
    n: int | None = None
    ceiling: float | None = None
    assumption: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (isinstance(self.kind, str) and self.kind and isinstance(self.name, str) and self.name):
            raise ConfigError(
                f"a finding needs a kind and a name, got {self.kind!r} and {self.name!r}. "
                "A report sorts by one and shows the other: write both."
            )
        try:
            object.__setattr__(self, "basis", Basis(self.basis))
        except ValueError:
            raise ConfigError(
                f"the basis of {self.name!r} must be public, dp or exact, got {self.basis!r}: it decides what may leave."
            ) from None
        object.__setattr__(self, "value", self.value if isinstance(self.value, str | None) else self._number("value"))
        for name in ("ceiling", "confidence", "n"):
            object.__setattr__(self, name, None if getattr(self, name) is None else self._number(name))
        self._check_interval()
        if self.n is not None and (not isinstance(self.n, int) or self.n < 0):
            raise ConfigError(f"n of finding {self.name!r} must be a whole number >= 0, got {self.n!r}. It is the sample size.")
        object.__setattr__(self, "details", self._json_details())

    def _number(self, field_name: str) -> float | int | bool:
        given = getattr(self, field_name)
        plain = _plain_number(given)
        if plain is None or not math.isfinite(plain):
            raise ConfigError(
                f"{field_name} of finding {self.name!r} must be a finite number, got {given!r}. "
                "A report cannot show it. Use None, and say why in `method`."
            )
        return plain

    def _check_interval(self) -> None:
        if self.confidence is not None and not 0 < self.confidence < 1:
            raise ConfigError(
                f"confidence of finding {self.name!r} must be > 0 and < 1, got {self.confidence}. Write 0.95 for 95%."
            )
        if self.interval is None:
            return
        ends = tuple(_plain_number(end) for end in self.interval)
        if len(ends) != 2 or ends[0] is None or ends[1] is None or not ends[0] <= ends[1]:
            raise ConfigError(
                f"the interval of finding {self.name!r} must be two numbers, low <= high, got {self.interval!r}. "
                "It would be drawn wrongly. An open end is inf."
            )
        object.__setattr__(self, "interval", ends)
        if self.confidence is None:
            raise ConfigError(
                f"finding {self.name!r} has an interval, so it needs its confidence (0 < confidence < 1), got None."
            )

    def _json_details(self) -> dict[str, Any]:
        try:
            details = json.loads(json.dumps(dict(self.details), allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(
                f"details of finding {self.name!r} must be plain JSON values ({error}). They are stored in the run's record. "
                "Use str, int, finite float, bool, None, lists and dicts; turn arrays into lists with .tolist()."
            ) from None
        return dict(details)

    @property
    def may_leave(self) -> bool:
        """Whether this may leave the custodian."""
        return self.basis is not Basis.EXACT

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; an open end of the interval is null. `from_json` reads them back."""
        data = {one.name: getattr(self, one.name) for one in fields(self)}
        ends = None if self.interval is None else [end if math.isfinite(end) else None for end in self.interval]
        return {**data, "basis": self.basis.value, "interval": ends, "details": json.loads(json.dumps(self.details))}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Finding":
        """Return the finding a record holds. Raises ConfigError when keys are missing or unknown, or a value is wrong."""
        try:
            values = dict(data)
            if values.get("interval") is not None:
                low, high = values["interval"]
                values["interval"] = (-math.inf if low is None else low, math.inf if high is None else high)
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"not a finding: {error}. The record was written by another version; run the study again."
            ) from None


def _plain_number(value: object) -> float | int | bool | None:
    """Return a Python number for a Python or NumPy one, None for anything else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if type(value).__name__ == "bool" and hasattr(value, "item"):  # numpy.bool, which is not a Real; NumPy is not imported here
        return bool(value)
    return None
