"""Budgets, refusals, request ids and what is on disk when a call returns."""

import math
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tacit.errors import BudgetExceeded, ConfigError
from tacit.privacy.block import Block
from tacit.privacy.ledger import Budget, Ledger, verify

MakeBlock = Callable[..., Block]


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM entries ORDER BY seq").fetchall()


def reserve(ledger: Ledger, block: object, name: str, dataset: str = "survey") -> object:
    return ledger.reserve(block, dataset=dataset, request_id=name, purpose="test")  # type: ignore[arg-type]


def test_a_charge_is_on_disk_when_reserve_returns(ledger: Ledger, path: Path, make_block: MakeBlock) -> None:
    ledger.grant("survey", epsilon=3.0, delta=1e-5)
    reserve(ledger, make_block(), "one")
    with Ledger.open(path) as other:
        assert other.spent("survey") == Budget(epsilon=0.25, delta=1e-6)
        assert other.granted("survey") == Budget(epsilon=3.0, delta=1e-5)
        assert other.left("survey") == Budget(epsilon=2.75, delta=9e-6)


def test_commits_are_synced_in_full_before_they_return(ledger: Ledger) -> None:
    """kill -9 cannot show a missing fsync (the kernel keeps the pages), so the settings themselves are checked."""
    connection = ledger._store.connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA fullfsync").fetchone() == (1,)


def test_a_dataset_without_a_grant_is_refused_with_the_command_to_type(ledger: Ledger, make_block: MakeBlock) -> None:
    before = ledger.head()
    with pytest.raises(BudgetExceeded, match=r"`tacit ledger grant \S+ 'my data' --epsilon 0\.25 --delta 1e-06`"):
        reserve(ledger, make_block(), "one", dataset="my data")
    assert ledger.head() == before


@pytest.mark.parametrize(
    ("granted", "asked", "text"),
    [
        ((0.3, 1e-5), (0.25, 1e-6), r"epsilon 0\.05 left of 0\.3 .*at most epsilon 0\.05 at delta 9e-06"),
        ((3.0, 1.5e-6), (0.25, 1e-6), r"delta 5e-07 left of 1\.5e-06"),
        ((0.25, 1e-6), (0.25, 1e-6), r"epsilon 0\.0 left of 0\.25 .*only the data's owner can grant more"),
    ],
)
def test_a_second_block_past_epsilon_or_delta_is_refused_and_leaves_no_trace(
    ledger: Ledger,
    path: Path,
    make_block: MakeBlock,
    granted: tuple[float, float],
    asked: tuple[float, float],
    text: str,
) -> None:
    ledger.grant("survey", epsilon=granted[0], delta=granted[1])
    block = make_block(epsilon=asked[0], delta=asked[1])
    reserve(ledger, block, "one")
    before = rows(path)
    with pytest.raises(BudgetExceeded, match=f"(?s){text}") as refusal:
        reserve(ledger, block, "two")
    assert refusal.value.exit_code == 3
    assert "Nothing was reserved or released" in str(refusal.value)
    assert rows(path) == before


def test_a_budget_is_spent_to_its_last_unit(ledger: Ledger, make_block: MakeBlock) -> None:
    """Ten tenths: in floats 0.1 * 10 is not the sum of ten 0.1."""
    ledger.grant("survey", epsilon=1.0, delta=1e-5)
    for number in range(10):
        reserve(ledger, make_block(epsilon=0.1, noise=300.0), f"tenth {number}")
    assert ledger.left("survey") == Budget(epsilon=0.0, delta=0.0)
    with pytest.raises(BudgetExceeded):
        reserve(ledger, make_block(epsilon=1e-9), "crumb")


def test_budgets_of_datasets_are_apart(ledger: Ledger, make_block: MakeBlock) -> None:
    ledger.grant("one", epsilon=1.0, delta=1e-5)
    ledger.grant("two", epsilon=2.0, delta=1e-5)
    reserve(ledger, make_block(), "r1", dataset="one")
    reserve(ledger, make_block(), "r2", dataset="two")
    reserve(ledger, make_block(), "r3", dataset="one")
    assert (ledger.spent("one").epsilon, ledger.spent("two").epsilon) == (0.5, 0.25)
    assert ledger.datasets() == ("one", "two")
    assert ledger.spent("three") == ledger.granted("three") == ledger.left("three") == Budget(epsilon=0.0, delta=0.0)


def test_grants_add(ledger: Ledger) -> None:
    ledger.grant("survey", epsilon=1.0, delta=1e-5)
    entry = ledger.grant("survey", epsilon=0.5, delta=0.0, note="asked by the board")
    assert ledger.granted("survey") == entry.granted == Budget(epsilon=1.5, delta=1e-5)
    assert entry.content["note"] == "asked by the board"


@pytest.mark.parametrize(
    ("epsilon", "delta"),
    [
        (0.0, 0.0),
        (-1.0, 1e-5),
        (1.0, -1e-5),
        (math.nan, 1e-5),
        (1.0, math.nan),
        (float("inf"), 0.0),
        (1.0, 1.0),
        (1e10, 0.0),
    ],
)
def test_a_grant_out_of_range_is_refused(ledger: Ledger, epsilon: float, delta: float) -> None:
    with pytest.raises(ConfigError, match="a grant needs"):
        ledger.grant("survey", epsilon=epsilon, delta=delta)


def test_grants_whose_deltas_reach_one_are_refused(ledger: Ledger) -> None:
    ledger.grant("survey", epsilon=1.0, delta=0.6)
    with pytest.raises(ConfigError, match="promises nothing"):
        ledger.grant("survey", epsilon=1.0, delta=0.4)
    assert ledger.granted("survey").delta == 0.6


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 501, "\ud800", None, 3])
def test_names_that_a_reader_cannot_read_are_refused(ledger: Ledger, make_block: MakeBlock, name: str) -> None:
    ledger.grant("survey", epsilon=1.0, delta=1e-5)
    with pytest.raises(ConfigError, match="printable text"):
        ledger.reserve(make_block(), dataset=name, request_id="r", purpose="p")
    with pytest.raises(ConfigError, match="printable text"):
        ledger.reserve(make_block(), dataset="survey", request_id=name, purpose="p")
    with pytest.raises(ConfigError, match="printable text"):
        ledger.reserve(make_block(), dataset="survey", request_id="r", purpose=name)
    with pytest.raises(ConfigError, match="printable text"):
        ledger.record("not-dp", dataset="survey", request_id="r", what=name)


def test_the_same_reservation_twice_is_refused_and_charged_once(ledger: Ledger, make_block: MakeBlock) -> None:
    ledger.grant("survey", epsilon=1.0, delta=1e-5)
    reserve(ledger, make_block(), "one")
    with pytest.raises(ConfigError, match=r"resume\('one'\)"):
        reserve(ledger, make_block(), "one")
    assert ledger.spent("survey").epsilon == 0.25


def test_a_used_request_id_is_named_even_when_the_budget_is_spent(ledger: Ledger, make_block: MakeBlock) -> None:
    ledger.grant("survey", epsilon=0.25, delta=1e-5)
    reserve(ledger, make_block(), "one")
    with pytest.raises(ConfigError, match="resume"):
        reserve(ledger, make_block(), "one")


def test_a_record_twice_is_one_entry_and_with_another_content_refused(ledger: Ledger, make_block: MakeBlock) -> None:
    first = ledger.record("not-dp", dataset="survey", request_id="table", what="a table", details={"k": 5, "a": [1, None]})
    again = ledger.record("not-dp", dataset="survey", request_id="table", what="a table", details={"a": [1, None], "k": 5})
    assert again == first
    ledger.grant("survey", epsilon=1.0, delta=1e-5)
    for change in ({"details": {"k": 4}}, {"what": "another"}, {"dataset": "other"}, {"kind": "read-only"}):
        call = {"kind": "not-dp", "dataset": "survey", "what": "a table", "details": {"k": 5, "a": [1, None]}, **change}
        with pytest.raises(ConfigError, match="not-dp entry with another content"):
            ledger.record(request_id="table", **call)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="not-dp entry"):
        reserve(ledger, make_block(), "table")
    reserve(ledger, make_block(), "block")
    with pytest.raises(ConfigError, match="block charged on"):
        ledger.record("not-dp", dataset="survey", request_id="block", what="x")


def test_records_cost_nothing_and_not_dp_releases_are_listed(ledger: Ledger) -> None:
    ledger.record("not-dp", dataset="survey", request_id="a", what="exact table")
    ledger.record("read-only", dataset="survey", request_id="b", what="profile")
    ledger.record("not-dp", dataset="other", request_id="c", what="twin")
    assert ledger.spent("survey") == Budget(epsilon=0.0, delta=0.0)
    assert [entry.content["what"] for entry in ledger.not_dp("survey")] == ["exact table"]


@pytest.mark.parametrize("details", [{"x": math.nan}, {"x": object()}, {"x": {1, 2}}])
def test_details_that_json_does_not_hold_are_refused(ledger: Ledger, details: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="what JSON holds"):
        ledger.record("not-dp", dataset="survey", request_id="a", what="x", details=details)
    assert ledger.find("a") is None


@pytest.mark.parametrize("kind", ["dp", "grant", "steps", "ledger", ""])
def test_what_has_an_epsilon_cannot_be_recorded_without_one(ledger: Ledger, kind: str) -> None:
    with pytest.raises(ConfigError, match='"not-dp" or "read-only"'):
        ledger.record(kind, dataset="survey", request_id="a", what="x")  # type: ignore[arg-type]


def test_a_clock_set_back_refunds_nothing(
    ledger: Ledger, path: Path, make_block: MakeBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.grant("survey", epsilon=0.5, delta=1e-5)
    reserve(ledger, make_block(), "one")
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    reserve(ledger, make_block(), "two")
    with pytest.raises(BudgetExceeded):
        reserve(ledger, make_block(), "three")
    assert ledger.spent("survey").epsilon == 0.5
    assert [entry.when.year for entry in ledger.entries()][-1] == 1970
    assert verify(path).ok


def test_find_tells_whether_to_reserve_or_to_resume(ledger: Ledger, make_block: MakeBlock) -> None:
    assert ledger.find("one") is None
    ledger.grant("survey", epsilon=1.0, delta=1e-5)
    reserve(ledger, make_block(), "one")
    entry = ledger.find("one")
    assert entry is not None
    assert entry.content["block"]["steps"] == 20
    assert entry.content["purpose"] == "test"


def test_a_change_by_another_process_is_seen_at_the_next_charge(path: Path, make_block: MakeBlock) -> None:
    with Ledger.open(path) as one, Ledger.open(path) as two:
        one.grant("survey", epsilon=0.5, delta=1e-5)
        reserve(one, make_block(), "one")
        reserve(two, make_block(), "two")
        with pytest.raises(BudgetExceeded):
            reserve(one, make_block(), "three")
        two.grant("survey", epsilon=0.25, delta=0.0)
        reserve(one, make_block(), "three")
        two.record("read-only", dataset="survey", request_id="profile", what="profile")
        assert one.record("read-only", dataset="survey", request_id="profile", what="profile").seq == 7
        assert one.spent("survey") == two.spent("survey") == Budget(epsilon=0.75, delta=3e-6)
    assert verify(path).ok


amounts = st.integers(1, 3_000_000_000).map(lambda units: units / 1e9)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grant=amounts, costs=st.lists(amounts, max_size=8), data=st.data())
def test_what_is_spent_is_the_exact_sum_and_never_passes_the_grant(
    tmp_path_factory: pytest.TempPathFactory, make_block: MakeBlock, grant: float, costs: list[float], data: st.DataObject
) -> None:
    with Ledger.open(tmp_path_factory.mktemp("ledger") / "ledger.sqlite") as ledger:
        ledger.grant("survey", epsilon=grant, delta=0.1)
        spent = 0
        for number, cost in enumerate(costs):
            fits = spent + round(cost * 1e9) <= round(grant * 1e9)
            try:
                reserve(ledger, make_block(epsilon=cost), str(number))
                assert fits
                spent += round(cost * 1e9)
            except BudgetExceeded:
                assert not fits
            assert ledger.spent("survey").epsilon == spent / 1e9
            assert ledger.left("survey").epsilon == (round(grant * 1e9) - spent) / 1e9
