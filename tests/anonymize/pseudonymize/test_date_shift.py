from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anonymize.pseudonymize.by_definition import hmac_by_definition
from tacit.anonymize.pseudonymize import DateShift, Key
from tacit.errors import ConfigError, DataError, ShapeError

KEY = Key(secret=bytes(range(32)))
SHIFT = DateShift(key=KEY, window=(-30, 30))
DAYS = [date(2020, 1, 31), date(2020, 2, 29), date(2021, 12, 31), None, date(1999, 3, 1)]
PEOPLE = ["ann", "ann", "bo", "bo", "ann"]


def offsets(shift: DateShift, people: Any, scope: str = "person") -> Any:
    moved = shift.shift(pa.array([date(2000, 1, 1)] * len(people)), pa.array(people), scope=scope).to_pylist()
    return [(after - date(2000, 1, 1)).days for after in moved]


def test_order_and_gaps_within_a_person_stay_and_the_key_leads_back() -> None:
    moved = SHIFT.shift(pa.array(DAYS), pa.array(PEOPLE), scope="person")
    after = moved.to_pylist()
    assert moved.values.type == pa.date32()
    assert after[3] is None
    assert after[1] - after[0] == timedelta(days=29)
    assert after[0] - after[4] == date(2020, 1, 31) - date(1999, 3, 1)
    assert after[0] != DAYS[0]
    assert after[2] != DAYS[2]
    assert SHIFT.restore(moved.values, pa.array(PEOPLE), scope="person").to_pylist() == DAYS


def test_the_offset_is_hmac_sha256_of_scope_and_subject_modulo_the_window() -> None:
    message = (6).to_bytes(4, "big") + b"person" + b"ann"
    number = int(hmac_by_definition(KEY.derive("date shift"), message), 16)
    everything = [day for day in range(-30, 31) if day != 0]
    assert offsets(SHIFT, ["ann"]) == [everything[number % 60]]


def test_t17_one_person_has_one_offset_in_every_table_and_run() -> None:
    first = offsets(SHIFT, ["ann", "bo", "7"])
    assert offsets(SHIFT, ["zoe", "bo", " ann "])[1:] == [first[1], first[0]]
    assert offsets(SHIFT, [7]) == offsets(SHIFT, [7.0]) == first[2:]
    people = [f"p{number}" for number in range(200)]
    assert offsets(SHIFT, people) != offsets(SHIFT, people, scope="patient")
    assert offsets(SHIFT, people) != offsets(DateShift(key=Key(secret=bytes(32)), window=(-30, 30)), people)


@pytest.mark.parametrize(
    ("window", "allow_zero"), [((-3, 3), False), ((-3, 3), True), ((1, 4), False), ((-4, 0), False), ((0, 2), True)]
)
def test_every_offset_of_the_window_occurs_equally_often_and_zero_only_when_asked_for(
    window: tuple[int, int], allow_zero: bool
) -> None:
    """Over keys fails with probability <= 1e-8: 7 offsets or fewer, each off by Hoeffding's 0.0226 with <= 2 exp(-2 n 0.0226^2) = 7e-10."""
    n = 20_000
    drawn = np.array(offsets(DateShift(key=KEY, window=window, allow_zero=allow_zero), [f"p{number}" for number in range(n)]))
    possible = [day for day in range(window[0], window[1] + 1) if allow_zero or day != 0]
    assert set(drawn.tolist()) == set(possible)
    assert max(abs((drawn == day).mean() - 1 / len(possible)) for day in possible) <= 0.0226


@pytest.mark.parametrize(
    ("kind", "when"),
    [
        (pa.date32(), date(2024, 2, 29)),
        (pa.date64(), date(1969, 12, 31)),
        (pa.timestamp("s"), datetime(1960, 1, 2, 3, 4, 5)),
        (pa.timestamp("ms", tz="UTC"), datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
        (pa.timestamp("us"), datetime(1, 3, 1, 0, 0, 0, 1)),
        (pa.timestamp("ns"), datetime(1970, 1, 1, 0, 0)),
    ],
)
def test_every_type_of_date_keeps_its_type_and_its_time_of_day(kind: Any, when: Any) -> None:
    column = pa.array([when, None], kind)
    moved = SHIFT.shift(column, pa.array(["ann", None]), scope="person").values
    assert moved.type == kind
    (days,) = offsets(SHIFT, ["ann"])
    assert moved.to_pylist() == [column.to_pylist()[0] + timedelta(days=days), None]


def test_texts_are_read_strictly_and_stay_texts() -> None:
    texts = pa.array(["2020-01-31", None])
    moved = SHIFT.shift(texts, pa.array(["ann", "bo"]), scope="person").to_pylist()
    (days,) = offsets(SHIFT, ["ann"])
    assert moved == [(date(2020, 1, 31) + timedelta(days=days)).isoformat(), None]
    for wrong in ("31.01.2020", "2020-02-30", "2020-1-31", ""):
        with pytest.raises(DataError, match=r"row 2 .* holds no date") as refusal:
            SHIFT.shift(pa.array(["2020-01-31", wrong]), pa.array(["ann", "bo"]), scope="person")
        assert not wrong or wrong not in str(refusal.value)


def test_bad_input_is_one_clear_error() -> None:
    days, people = pa.array(DAYS), pa.array(PEOPLE)
    with pytest.raises(DataError, match=r"row 2 .* no subject"):
        SHIFT.shift(days, pa.array(["ann", None, "bo", None, "ann"]), scope="person")
    with pytest.raises(ShapeError, match="one subject per row"):
        SHIFT.shift(days, pa.array(["ann"]), scope="person")
    with pytest.raises(DataError, match="holds no dates"):
        SHIFT.shift(pa.array([1, 2]), pa.array(["ann", "bo"]), scope="person")
    with pytest.raises(DataError, match="is missing"):
        SHIFT.shift(pa.array([None] * 5, pa.date32()), people, scope="person")
    with pytest.raises(DataError, match="out of the years"):
        DateShift(key=KEY, window=(1, 3)).shift(pa.array([date(9999, 12, 31)]), pa.array(["ann"]), scope="person")
    with pytest.raises(DataError, match="out of the years"):
        edge = pa.array([2**63 - 1], pa.int64()).cast(pa.timestamp("ns"))
        DateShift(key=KEY, window=(1, 3)).shift(edge, pa.array(["ann"]), scope="person")
    with pytest.raises(ConfigError, match="scope"):
        SHIFT.shift(days, people, scope="")


@pytest.mark.parametrize("window", [(5, 5), (3, 1), (0, 0), (0, 1), (1,), (1.5, 3), (-(10**9), 10**9), (False, True)])
def test_a_window_that_hides_nothing_is_refused(window: Any) -> None:
    with pytest.raises(ConfigError, match="window"):
        DateShift(key=KEY, window=window)
