"""Dates as the day, week, month, quarter, year or decade that holds them."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.columns import is_text
from tacit.anonymize.hierarchies.hierarchy import HierarchyOrigin, check_origin, origin_json, outline, outside, shortened
from tacit.errors import ConfigError, DataError

Days = NDArray[np.int64]
"""Days since 1970-01-01."""

DateUnit = Literal["day", "week", "month", "quarter", "year", "decade"]
_NESTED = (("day", "month", "quarter", "year", "decade"), ("day", "week"))


@dataclass(frozen=True, kw_only=True)
class DateHierarchy:
    """Dates and times as the period that holds them, in the proleptic Gregorian calendar.

    first, last -- bounds of the column: dates, or texts like "2020-01-31"; first <= last. Every value must lie on one of the days.
    units       -- what each level between raw and "*" tells, finest first: of day, month, quarter, year, decade, or of day, week.
                   A week may lie in two months and in two years, so nothing but "*" stands above it.
    origin      -- "data" when the bounds were taken from the rows.

    Takes columns of dates, of timestamps (a time zone is honoured: the day is the local one) and of ISO 8601 text. Labels:
    2020-01-31, 2020-W05 (ISO 8601: weeks start on Monday, the first holds 4 January), 2020-01, 2020-Q1, 2020, 2020s.
    The share of a period is its days inside the bounds / all days from first to last; of a raw value 0, as for numbers.
    """

    first: datetime.date
    last: datetime.date
    units: tuple[DateUnit, ...] = ("month", "quarter", "year", "decade")
    origin: HierarchyOrigin = "declared"

    def __post_init__(self) -> None:
        check_origin(self.origin)
        for name in ("first", "last"):
            object.__setattr__(self, name, _date(getattr(self, name)))
        if self.first > self.last:
            raise ConfigError(
                f"a date hierarchy needs first <= last, got {self.first} and {self.last}: no day lies between them. Swap them."
            )
        units = tuple(self.units)
        if not units or not any(tuple(unit for unit in chain if unit in units) == units for chain in _NESTED):
            raise ConfigError(
                f"the units of dates are some of {', '.join(_NESTED[0])} in this order, or of day, week; got {list(units)}. "
                "Each must lie inside the next, and a week lies in two months or two years. Leave one out or put them in order."
            )
        object.__setattr__(self, "units", units)

    @property
    def levels(self) -> int:
        return len(self.units) + 2

    @property
    def leaf_share(self) -> float:
        return 0.0

    def check(self, values: pa.Array) -> None:
        self._days(values)

    def generalize(self, values: pa.Array, level: int) -> tuple[list[str], NDArray[np.float64]]:
        number, start, name = _UNITS[self.units[level - 1]]
        periods, index = np.unique(number(self._days(values)), return_inverse=True)
        first, end = self._ends
        inside = np.minimum(start(periods + 1), end) - np.maximum(start(periods), first)
        labels = [name(int(period)) for period in periods]
        return [labels[i] for i in index], (inside / (end - first))[index]

    def describe(self) -> str:
        first, end = self._ends
        between = []
        for unit in self.units:
            number, _, name = _UNITS[unit]
            low, high = (int(period) for period in number(np.array([first, end - 1])))
            few = range(low, high + 1) if high - low < 5 else (low, low + 1, low + 2, low + 3, high)  # `shortened` leaves one out
            between.append(f"{high - low + 1} {unit}{'s' if high > low else ''}: {shortened([name(period) for period in few])}")
        return outline(f"dates from {self.first} to {self.last}", self.origin, between)

    def to_json(self) -> dict[str, Any]:
        form = {"first": self.first.isoformat(), "last": self.last.isoformat(), "units": list(self.units)}
        return {**form, **origin_json(self.origin)}

    @property
    def _ends(self) -> tuple[int, int]:
        """First day and the day after the last."""
        days = np.array([self.first, self.last], dtype="datetime64[D]").astype(np.int64)
        return int(days[0]), int(days[1]) + 1

    def _days(self, values: pa.Array) -> Days:
        days = days_of(values)
        first, end = self._ends
        if len(days) and not (first <= days.min() and days.max() < end):
            bounds = f"its declared bounds {self.first} to {self.last}. Widen the bounds, or mark or correct such values."
            raise DataError(outside("it holds dates", self.origin, bounds))
        return days


def days_of(values: pa.Array) -> Days:
    """Return the day of each non-missing date, timestamp (local day) or ISO 8601 text, shape (n,).

    Raises DataError, never holding a value, when the column has another type or a text is no date.
    """
    if is_text(values.type):
        try:
            values = values.cast(pa.large_string()).cast(pa.timestamp("us"))
        except pa.ArrowInvalid:
            raise DataError(
                "some of its texts are no dates, and its hierarchy needs dates. Write them like 2020-01-31 or 2020-01-31 09:30:00, "
                "or read them as missing (they are not shown here: they are private)."
            ) from None
    if pa.types.is_timestamp(values.type):
        values = pc.local_timestamp(values) if values.type.tz else values
    elif not pa.types.is_date(values.type):
        raise DataError(f"its values are {values.type}, and its hierarchy needs dates. Read it as dates, or give it groups.")
    return np.asarray(values.to_numpy(zero_copy_only=False)).astype("datetime64[D]").astype(np.int64)


def _months(days: Days) -> Days:
    return np.asarray(days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64))


def _first_of_month(months: Days) -> Days:
    return np.asarray(months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64))


def _week_name(week: int) -> str:
    year, number, _ = (datetime.date(1969, 12, 29) + datetime.timedelta(weeks=week)).isocalendar()
    return f"{year:04d}-W{number:02d}"


def _day_name(day: int) -> str:
    return str(np.datetime64(day, "D"))


def _month_name(month: int) -> str:
    return f"{1970 + month // 12:04d}-{month % 12 + 1:02d}"


# A period is a whole number: (its number from days, its first day from numbers, its name).
_UNITS: dict[str, tuple[Callable[[Days], Days], Callable[[Days], Days], Callable[[int], str]]] = {
    "day": (lambda days: days, lambda days: days, _day_name),
    "week": (lambda days: (days + 3) // 7, lambda weeks: weeks * 7 - 3, _week_name),
    "month": (_months, _first_of_month, _month_name),
    "quarter": (
        lambda days: _months(days) // 3,
        lambda quarters: _first_of_month(quarters * 3),
        lambda quarter: f"{1970 + quarter // 4:04d}-Q{quarter % 4 + 1}",
    ),
    "year": (
        lambda days: _months(days) // 12 + 1970,
        lambda years: _first_of_month((years - 1970) * 12),
        lambda year: f"{year:04d}",
    ),
    "decade": (
        lambda days: (_months(days) // 12 + 1970) // 10,
        lambda decades: _first_of_month((decades * 10 - 1970) * 12),
        lambda decade: f"{decade * 10:04d}s",
    ),
}


def _date(given: Any) -> datetime.date:
    if isinstance(given, datetime.datetime):
        return given.date()
    if isinstance(given, datetime.date):
        return given
    try:
        return datetime.date.fromisoformat(given)
    except (TypeError, ValueError):
        raise ConfigError(f'the bounds of dates must be dates, got {given!r}. Write for example first = "2020-01-31".') from None
