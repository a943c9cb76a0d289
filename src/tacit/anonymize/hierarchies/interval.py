"""Numbers as intervals between cuts."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import is_number, name_number
from tacit.anonymize.hierarchies.hierarchy import HierarchyOrigin, check_origin, origin_json, outline, outside, shortened
from tacit.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class IntervalHierarchy:
    """Numbers as intervals between cuts.

    low, high -- bounds of the column, in its unit; low < high. Every value must lie in [low, high].
    cuts      -- for each level between raw and "*", the breakpoints strictly inside (low, high), ascending; the cuts of a
                 level are a subset of those of the level before.
    origin    -- "data" when bounds or cuts were taken from the rows.

    An interval holds its lower end and not its upper: [20, 25); the last one holds both: [40, 43].
    The share of an interval is its width / (high - low), of a raw value 0: the usual NCP for numbers.
    """

    low: float
    high: float
    cuts: tuple[tuple[float, ...], ...] = ()
    origin: HierarchyOrigin = "declared"

    def __post_init__(self) -> None:
        check_origin(self.origin)
        for name in ("low", "high"):
            object.__setattr__(self, name, _number(getattr(self, name)))
        object.__setattr__(self, "cuts", tuple(tuple(_number(cut) for cut in level) for level in self.cuts))
        if not self.low < self.high:
            raise ConfigError(
                f"an interval hierarchy needs low < high, got [{self.low:g}, {self.high:g}]: no interval lies between them. "
                "Write the smallest and the largest value that the column may hold."
            )
        for level, cuts in enumerate(self.cuts, start=1):
            edges = (self.low, *cuts, self.high)
            if any(left >= right for left, right in pairwise(edges)):
                raise ConfigError(
                    f"the cuts of level {level} must ascend strictly inside ({self.low:g}, {self.high:g}), got {list(cuts)[:20]}."
                )
            extra = sorted(set(cuts) - set(self.cuts[level - 2])) if level > 1 else []
            if extra:
                raise ConfigError(
                    f"level {level} cuts at {extra[:5]}, where level {level - 1} does not: a level may only merge "
                    "intervals of the level before. Add these cuts to the finer level or leave them out."
                )

    @classmethod
    def from_widths(
        cls, low: float, high: float, widths: Sequence[float], *, origin: HierarchyOrigin = "declared"
    ) -> "IntervalHierarchy":
        """Return intervals of these widths counted from low; each width a whole multiple of the one before.

        Raises ConfigError when a width is not positive, does not nest in the next, or makes over 10,000 intervals.
        """
        steps = [_number(width) for width in widths]
        if any(step <= 0 for step in steps):
            raise ConfigError(f"interval widths must be > 0, got {steps}.")
        cuts: list[tuple[float, ...]] = []
        for finer, step in zip([*steps[:1], *steps], steps, strict=False):
            stride = round(step / finer)
            if stride < 1 or abs(step / finer - stride) > 1e-9 or (cuts and stride < 2):
                raise ConfigError(
                    f"each width must be a whole multiple (2 or more) of the one before, got {finer:g} then {step:g}."
                )
            cuts.append(cuts[-1][stride - 1 :: stride] if cuts else _cuts_from(low, high, step))
        return cls(low=low, high=high, cuts=tuple(cuts), origin=origin)

    @classmethod
    def doubling(
        cls, low: float, high: float, *, at_least: float = 0.0, origin: HierarchyOrigin = "declared"
    ) -> "IntervalHierarchy":
        """Return at most 16 intervals of a round width (1, 2 or 5 times a power of ten), doubled until one is left.

        at_least -- smallest width that makes sense in the column's unit; 2 for whole numbers.
        """
        widths, width = [], round_width(high - low, at_least)
        while width < high - low:
            widths.append(width)
            width *= 2
        return cls.from_widths(low, high, widths, origin=origin)

    @property
    def levels(self) -> int:
        return len(self.cuts) + 2

    @property
    def leaf_share(self) -> float:
        return 0.0

    def check(self, values: pa.Array) -> None:
        self._numbers(values)

    def generalize(self, values: pa.Array, level: int) -> tuple[list[str], NDArray[np.float64]]:
        labels = self._labels(level)
        index = np.searchsorted(np.array(self.cuts[level - 1]), self._numbers(values), side="right")
        widths = np.diff(np.array([self.low, *self.cuts[level - 1], self.high]))
        return [labels[i] for i in index], (widths / (self.high - self.low))[index]

    def describe(self) -> str:
        between = []
        for level, cuts in enumerate(self.cuts, start=1):
            count = f"{len(cuts) + 1} interval{'s' if cuts else ''}"
            between.append(f"{count}: {shortened(self._labels(level))}")
        return outline(f"numbers in [{name_number(self.low)}, {name_number(self.high)}]", self.origin, between)

    def to_json(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "cuts": [list(level) for level in self.cuts], **origin_json(self.origin)}

    def _labels(self, level: int) -> list[str]:
        names = [name_number(edge) for edge in (self.low, *self.cuts[level - 1], self.high)]
        last = len(names) - 2
        return [f"[{names[i]}, {names[i + 1]}{']' if i == last else ')'}" for i in range(last + 1)]

    def _numbers(self, values: pa.Array) -> NDArray[np.float64]:
        if not is_number(values.type):
            raise DataError(f"its values are {values.type}, and intervals need numbers. Give it groups, or read it as numbers.")
        numbers = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        if len(numbers) and not (self.low <= numbers.min() and numbers.max() <= self.high):
            bounds = f"its declared bounds [{self.low:g}, {self.high:g}]. Widen the bounds, or mark or correct such values."
            raise DataError(outside("it holds values", self.origin, bounds))
        return numbers


def round_width(span: float, at_least: float = 0.0) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that cuts a span > 0 into at most 16, and is not below `at_least`."""
    target = max(span / 16, at_least)
    power = 10.0 ** math.floor(math.log10(target))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= target * (1 - 1e-12))


def _number(value: Any) -> float:
    """Return a declared number rounded to 12 significant digits, so that 0.1 * 3 and 0.3 are one cut."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"bounds, cuts and widths of a hierarchy must be finite numbers, got {json.dumps(value, default=str)}.")
    return float(f"{value:.12g}")


def _cuts_from(low: float, high: float, step: float) -> tuple[float, ...]:
    count = math.ceil((high - low) / step - 1e-9)
    if count > 10_000:
        raise ConfigError(
            f"width {step:g} makes {count} intervals between {low:g} and {high:g}; the limit is 10,000. "
            "Start with a larger width."
        )
    return tuple(low + i * step for i in range(1, count))
