"""Safe k-anonymization: nothing depends on other rows but a count, nothing is told beside it, everything is paid first."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from anonymize.private.conftest import AllDrawn
from tacit.anonymize.hierarchies import ANY, DateHierarchy, IntervalHierarchy, RedactionHierarchy, TreeHierarchy
from tacit.anonymize.private.safe_k import SafeRelease, safe_k_anonymize
from tacit.errors import BudgetExceeded, ConfigError, DataError
from tacit.noise.source import OsSource, Source
from tacit.privacy.ledger import Ledger, Reservation, verify


class Decades:
    """Numbers by tens: level 1 is the decade; knows 0 to 99. It refuses all values when one is unknown, as hierarchies do."""

    levels, origin = 3, "declared"

    def generalize(self, values: pa.Array, level: int) -> tuple[list[str], NDArray[np.float64]]:
        if not pa.types.is_integer(values.type):
            raise DataError(f"its values are {values.type}, and decades need numbers.")
        if any(not 0 <= value < 100 for value in values.to_pylist()):
            raise DataError("it holds values outside.")
        return [f"{value // 10}x" for value in values.to_pylist()], np.full(len(values), 0.1)


def release(data: pa.Table, ledger: Ledger, level: int = 1, source: Source | None = None, **more: Any) -> SafeRelease:
    settings: dict[str, Any] = {"epsilon": 1.0, "delta": 1e-4, "budget": "people"} | more
    return safe_k_anonymize(
        data,
        {"age": (Decades(), level)},
        ledger=ledger,
        source=AllDrawn() if source is None else source,
        **settings,
    )


def ages(*counts: tuple[int | None, int]) -> pa.Table:
    values = [age for age, count in counts for _ in range(count)]
    return pa.table({"age": pa.array(values, pa.int64()), "other": pa.array(["secret"] * len(values))})


def test_a_class_of_k_is_released_and_one_of_k_less_one_is_not(ledger: Ledger) -> None:
    k = release(ages((1, 1)), ledger).k
    assert k > 2
    data = ages((21, 1), (37, k - 1), (40, 3), (49, k - 3), (None, k), (55, 1), (999, k))
    made = release(data, ledger).table
    assert made.column_names == ["age"]  # a column carried along would be released as it is
    assert made.column("age").to_pylist() == [ANY] * k + ["4x"] * k + [None] * k


def test_a_row_moves_its_own_class_and_no_other(ledger: Ledger) -> None:
    """A search would move others; and a value that the hierarchy does not know tells nothing about the rest."""
    k = release(ages((1, 1)), ledger).k
    full = [(age, k) for age in (5, 15, 25)]
    before = release(ages(*full), ledger).table
    assert release(ages(*full, (5, 1)), ledger).table.num_rows == before.num_rows + 1
    for one_row in (45, None, 12345):
        assert release(ages((one_row, 1), *full), ledger).table.equals(before)
    less = release(ages((5, k - 1), *full[1:]), ledger).table.column("age").to_pylist()
    assert less == ["1x"] * k + ["2x"] * k


def test_the_order_of_rows_tells_nothing(ledger: Ledger) -> None:
    data = ages((25, 80), (15, 80), (None, 80))
    shuffled = data.take(pa.array(np.random.default_rng(0).permutation(240)))
    assert release(data, ledger).table.equals(release(shuffled, ledger).table)


def test_rows_are_sampled_at_the_stated_rate(ledger: Ledger) -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding); the rate e^-epsilon instead of 1 - e^-epsilon is seen."""
    n, chance = 100_000, 1e-9
    bound = math.sqrt(math.log(2 / chance) / (2 * n))  # 0.010
    for rate in (None, 0.2):
        made = release(ages((5, n)), ledger, level=2, source=OsSource.from_os(), rate=rate)
        assert made.rate == pytest.approx(1 - math.exp(-1) if rate is None else rate, abs=1e-12)
        assert abs(made.table.num_rows / n - made.rate) <= bound
        assert abs(made.table.num_rows / n - math.exp(-1)) > bound
    assert made.private


def test_the_raw_level_and_the_last_are_released_as_they_are(ledger: Ledger) -> None:
    data = ages((5, 200), (12345, 200), (None, 200))
    assert set(release(data, ledger, level=0).table.column("age").to_pylist()) == {"5", "12345", None}
    assert release(data, ledger, level=2).table.column("age").to_pylist() == [ANY] * 600


def test_it_is_paid_for_before_a_coin_is_tossed(ledger: Ledger, tmp_path: Path) -> None:
    made = release(ages((5, 200)), ledger, request_id="mine")
    assert (ledger.spent("people").epsilon, ledger.spent("people").delta) == (1.0, 1e-4)
    entry = ledger.find("mine")
    assert entry is not None
    assert entry.content["block"]["event"] == {"event": "epsilon-delta", "epsilon": 1.0, "delta": 1e-4}
    assert (made.guarantee.epsilon, made.guarantee.delta, made.private) == (1.0, 1e-4, False)
    assert made.to_json()["levels"] == {"age": 1}
    source = AllDrawn()
    refusals: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"budget": "nobody"}, BudgetExceeded),
        ({"request_id": "mine"}, ConfigError),
    ]
    for refused, error in refusals:
        with pytest.raises(error):
            release(ages((5, 200)), ledger, source=source, **refused)
    assert source.asked == 0
    assert verify(tmp_path / "ledger.sqlite", key_folder=tmp_path / "keys").ok


def test_the_one_paid_step_is_counted_before_a_coin_is_tossed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Reservation) -> None:
        raise BudgetExceeded("no step is left")

    monkeypatch.setattr(Reservation, "count_step", refuse)
    source = AllDrawn()
    with pytest.raises(BudgetExceeded, match="no step is left"):
        release(ages((5, 200)), ledger, source=source)
    assert source.asked == 0


def test_bad_settings_are_refused_before_anything_is_charged(ledger: Ledger) -> None:
    data = ages((5, 10))
    for level in (-1, 3, True):
        with pytest.raises(ConfigError, match="levels 0 to 2"):
            release(data, ledger, level=level)
    built = Decades()
    built.origin = "data"
    with pytest.raises(ConfigError, match="built from the rows"):
        safe_k_anonymize(data, {"age": (built, 1)}, epsilon=1.0, delta=1e-4, ledger=ledger, budget="people")
    with pytest.raises(ConfigError, match="names no column"):
        safe_k_anonymize(data, {}, epsilon=1.0, delta=1e-4, ledger=ledger, budget="people")
    for name, match in (("absent", "is not in the table"), ("other", "decades need numbers")):
        with pytest.raises(DataError, match=match):
            safe_k_anonymize(data, {name: (Decades(), 1)}, epsilon=1.0, delta=1e-4, ledger=ledger, budget="people")
    wrongs: list[dict[str, Any]] = [{"epsilon": 20.0}, {"delta": 0.0}, {"rate": 0.9}]
    for wrong in wrongs:
        with pytest.raises(ConfigError):
            release(data, ledger, **wrong)
    assert ledger.spent("people").epsilon == 0


def test_the_houses_own_hierarchies_serve(ledger: Ledger) -> None:
    hierarchy = IntervalHierarchy.from_widths(0, 90, [10, 30])
    data = ages((5, 200), (35, 200), (44, 200), (95, 200), (None, 200))
    made = safe_k_anonymize(
        data, {"age": (hierarchy, 2)}, epsilon=1.0, delta=1e-4, ledger=ledger, budget="people", source=AllDrawn()
    )
    counted = {one: made.table.column("age").to_pylist().count(one) for one in (ANY, "[0, 30)", "[30, 60)", None)}
    assert counted == {ANY: 200, "[0, 30)": 200, "[30, 60)": 400, None: 200}


INTERVALS = IntervalHierarchy(low=0, high=100, cuts=((50,),))
TREE = TreeHierarchy(rows=(("a", "x"), ("b", "x"), ("c", "y")))
DATES = DateHierarchy(first="1970-01-01", last="2020-12-31", units=("month", "year"))  # type: ignore[arg-type]
CODES = RedactionHierarchy(length=30, redact=(5,))
ONE_ROW_APART: dict[str, tuple[Any, pa.DataType, list[Any]]] = {
    # hierarchy, type, (the others' value, the one person's)
    "the only value": (TREE, pa.string(), [None, "a"]),
    "the only number": (INTERVALS, pa.int64(), [None, 5]),
    "an infinity": (INTERVALS, pa.float64(), [5.0, math.inf]),
    "a value not listed": (TREE, pa.string(), ["a", "z"]),
    "a text that is no date": (DATES, pa.string(), ["2001-02-03", "soon"]),
    "a second beyond the calendar": (DATES, pa.timestamp("s"), [10**6, 10**15]),
    "a day beyond the calendar": (DATES, pa.date32(), [10, 2**31 - 1]),
    "a local time beyond the calendar": (DATES, pa.timestamp("s", "Europe/Berlin"), [10**6, 10**12]),
    "a nanosecond": (DATES, pa.timestamp("ns"), [10**18, 10**18 + 1]),
    "a duration beyond days": (CODES, pa.duration("s"), [1, 2**62]),
    "a text too long": (CODES, pa.string(), ["12345", "1" * 31]),
    "bytes that are no text": (CODES, pa.binary(), [b"a", b"\xff"]),
}


def raw(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Return values of a type, dates and times given in their unit: the far ones cannot be written otherwise."""
    if not pa.types.is_temporal(kind):
        return pa.array(values, kind)
    return pa.array(values, pa.int32() if pa.types.is_date32(kind) else pa.int64()).cast(kind)


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("case", ONE_ROW_APART)
def test_whether_it_fails_depends_on_no_row(case: str, level: int, ledger: Ledger) -> None:
    """What one row holds, whether a column holds anything, and whether anyone is drawn decide no error and no other class."""
    hierarchy, kind, (others, one) = ONE_ROW_APART[case]
    settings: dict[str, Any] = {"epsilon": 1.0, "delta": 1e-4, "budget": "people", "source": AllDrawn()}

    def made(values: list[Any]) -> list[Any]:
        data = pa.table({"q": raw(values, kind)})
        return list(safe_k_anonymize(data, {"q": (hierarchy, level)}, ledger=ledger, **settings).table.column("q").to_pylist())

    many = made([others] * 200)
    assert len(many) == 200
    assert others is None or many[0] not in (None, ANY)
    assert made([others] * 200 + [one]) in (many, [*many, many[0]])
    assert made([others] * 200 + [None])[:200] == many
    assert made([one]) == made([None]) == made([]) == []


def test_values_that_cannot_be_told_apart_are_refused_before_anything_is_charged(ledger: Ledger) -> None:
    with pytest.raises(DataError, match="column 'q' is list<"):
        settings: dict[str, Any] = {"epsilon": 1.0, "delta": 1e-4, "budget": "people"}
        safe_k_anonymize(pa.table({"q": [["a"]]}), {"q": (TREE, 0)}, ledger=ledger, **settings)
    assert ledger.spent("people").epsilon == 0
