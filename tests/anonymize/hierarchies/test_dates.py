import datetime
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize import hierarchies
from tacit.errors import ConfigError, DataError

DateHierarchy: Any = hierarchies.DateHierarchy  # texts stand for dates, as in a study file

DAY = datetime.timedelta(days=1)


def slow_label(day: datetime.date, unit: str) -> str:
    """The definition, by Python's calendar."""
    if unit == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02d}"
    return {
        "day": day.isoformat(),
        "month": f"{day.year}-{day.month:02d}",
        "quarter": f"{day.year}-Q{1 + (day.month - 1) // 3}",
        "year": str(day.year),
        "decade": f"{day.year // 10}0s",
    }[unit]


@pytest.mark.parametrize("unit", ["day", "week", "month", "quarter", "year", "decade"])
def test_every_day_from_1963_to_1975_is_labelled_as_the_calendar_says_and_shares_count_days(unit: Any) -> None:
    first, last = datetime.date(1963, 2, 11), datetime.date(1975, 6, 3)  # both sides of 1970; a leap year
    days = [first + i * DAY for i in range((last - first).days + 1)]
    labels, shares = DateHierarchy(first=first, last=last, units=(unit,)).generalize(pa.array(days), 1)
    expected = [slow_label(day, unit) for day in days]
    assert labels == expected
    sizes = Counter(expected)
    assert shares.tolist() == pytest.approx([sizes[label] / len(days) for label in expected], rel=1e-12)


def test_by_hand() -> None:
    year = DateHierarchy(first="2020-01-01", last="2020-12-31", units=("week",))  # 366 days; it starts on a Wednesday
    labels, shares = year.generalize(pa.array([datetime.date(2020, 1, 5), datetime.date(2020, 12, 31)]), 1)
    assert labels == ["2020-W01", "2020-W53"]
    assert shares.tolist() == [5 / 366, 4 / 366]


def test_times_before_1970_belong_to_their_own_day() -> None:
    hierarchy = DateHierarchy(first="1969-01-01", last="1970-12-31", units=("day",))
    for unit in ("s", "ms", "us", "ns"):
        late = pa.array([datetime.datetime(1969, 12, 31, 23, 59, 59)], pa.timestamp(unit))
        assert hierarchy.generalize(late, 1)[0] == ["1969-12-31"]


def test_a_time_zone_is_honoured() -> None:
    hierarchy = DateHierarchy(first="2020-01-01", last="2020-12-31", units=("day",))
    instant = pa.array([datetime.datetime(2020, 5, 31, 23, 30)], pa.timestamp("s", "UTC"))
    assert hierarchy.generalize(instant, 1)[0] == ["2020-05-31"]
    assert hierarchy.generalize(instant.cast(pa.timestamp("s", "Europe/Berlin")), 1)[0] == ["2020-06-01"]


def test_texts_and_dates_of_either_width_are_read() -> None:
    hierarchy = DateHierarchy(first="2020-01-01", last="2020-12-31", units=("month",))
    for values in (
        pa.array(["2020-05-31", "2020-05-31 09:30:00", "2020-05-31T09:30:00.25"]),
        pa.array([datetime.date(2020, 5, 31)], pa.date64()),
        pa.array(["2020-05-31"], pa.large_string()),
    ):
        assert set(hierarchy.generalize(values, 1)[0]) == {"2020-05"}


@pytest.mark.parametrize(
    "units", [(), ("week", "month"), ("week", "year"), ("year", "month"), ("month", "month"), ("hour",), ("day", "week", "year")]
)
def test_units_that_do_not_lie_inside_one_another_are_refused(units: Any) -> None:
    with pytest.raises(ConfigError, match="units of dates"):
        DateHierarchy(first="2020-01-01", last="2020-12-31", units=units)


@pytest.mark.parametrize(
    ("first", "last"), [("2020-12-31", "2020-01-01"), ("2020-13-01", "2021-01-01"), (2020, 2021), (None, "x")]
)
def test_bounds_that_are_no_dates_or_out_of_order_are_refused(first: Any, last: Any) -> None:
    with pytest.raises(ConfigError, match=r"must be dates|needs first <= last"):
        DateHierarchy(first=first, last=last)


def test_bounds_of_one_day_are_a_domain_of_one() -> None:
    one = DateHierarchy(first="2020-02-29", last=datetime.datetime(2020, 2, 29, 12), units=("year",))
    labels, shares = one.generalize(pa.array(["2020-02-29"]), 1)
    assert (labels, shares.tolist()) == (["2020"], [1.0])


def test_both_bounds_are_inside_and_the_days_beyond_are_not() -> None:
    hierarchy = DateHierarchy(first="2020-02-03", last="2020-03-04", units=("month",))
    hierarchy.check(pa.array(["2020-02-03 00:00:00", "2020-03-04 23:59:59"]))
    for beyond in ("2020-02-02", "2020-03-05"):
        with pytest.raises(DataError, match="outside its declared bounds"):
            hierarchy.check(pa.array([beyond]))


def test_the_description_counts_the_periods() -> None:
    text = DateHierarchy(first="2019-11-30", last="2020-04-01", units=("month", "year")).describe()
    assert text.splitlines()[2:4] == [
        "  level 1: 6 months: 2019-11, 2019-12, 2020-01 ... 2020-04",
        "  level 2: 2 years: 2019, 2020",
    ]
