"""Reports made from a table at hand are paid for first, once for all rows, and at what the mechanism says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tacit.errors import BudgetExceeded, ConfigError
from tacit.noise.source import SeededSource
from tacit.privacy.guarantee import Guarantee, Neighbours
from tacit.privacy.ledger import Ledger, Reservation, verify
from tacit.privacy.local import RandomizedResponse
from tacit.train.local import frequencies, paid_reports

QUESTION = RandomizedResponse(epsilon=1.0, categories=("no", "yes"))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "l.sqlite", key_folder=tmp_path / "keys") as one:
        one.grant("people", epsilon=1.5, delta=0)
        one.grant("others", epsilon=0.5, delta=0)
        yield one


def test_the_charge_is_on_disk_before_the_first_report_and_covers_every_row(ledger: Ledger, tmp_path: Path) -> None:
    with paid_reports(ledger=ledger, budget="people", request_id="ask", epsilon=QUESTION.epsilon):
        with Ledger.open(tmp_path / "l.sqlite", key_folder=tmp_path / "keys") as fresh:
            spent = fresh.spent("people")
        found = frequencies(QUESTION.randomize(["yes"] * 900 + ["no"] * 100, SeededSource(1)))
    assert (spent.epsilon, spent.delta) == (1.0, 0.0)
    assert found.values[1] == pytest.approx(0.9, abs=0.2)
    assert (ledger.spent("people").epsilon, ledger.spent("others").epsilon) == (1.0, 0.0)
    answer = verify(tmp_path / "l.sqlite", key_folder=tmp_path / "keys")
    assert answer.ok, answer.problems
    assert answer.datasets["people"].epsilon == 1.0


def test_the_entry_promises_one_row_against_any_other(ledger: Ledger) -> None:
    with paid_reports(ledger=ledger, budget="people", request_id="ask", epsilon=0.5):
        pass
    entry = ledger.find("ask")
    assert entry is not None
    assert entry.content["block"]["event"] == {"event": "local-randomized", "epsilon": 0.5}
    assert entry.content["block"]["guarantee"] == Guarantee(epsilon=0.5, delta=0.0, neighbours=Neighbours.REPLACE_ONE).to_json()


def test_what_the_budget_does_not_hold_reports_nothing(ledger: Ledger) -> None:
    before = ledger.head()
    reported: list[int] = []
    with pytest.raises(BudgetExceeded):
        report(ledger, reported, budget="others")
    assert (ledger.head(), reported) == (before, [])


def test_rows_are_not_reported_twice_for_one_price(ledger: Ledger) -> None:
    reported: list[int] = []
    report(ledger, reported, epsilon=0.5)
    with pytest.raises(ConfigError, match="is taken"):
        report(ledger, reported, epsilon=0.5)
    assert len(reported) == 1
    assert ledger.spent("people").epsilon == 0.5
    assert ledger.resume("ask").steps_left == 0


def test_an_error_inside_refunds_nothing(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), paid_reports(ledger=ledger, budget="people", request_id="ask", epsilon=1.0):
        _ = 1 // 0
    assert ledger.spent("people").epsilon == 1.0


def test_the_one_paid_step_is_counted_before_the_block_is_entered(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    count = Reservation.count_step

    def seen(reservation: Reservation) -> None:
        count(reservation)
        counted.append(f"{reservation.steps_left} left")

    monkeypatch.setattr(Reservation, "count_step", seen)
    with paid_reports(ledger=ledger, budget="people", request_id="ask", epsilon=1.0):
        assert counted == ["0 left"]
    assert counted == ["0 left"]


def report(ledger: Ledger, reported: list[int], *, budget: str = "people", epsilon: float = 1.0) -> None:
    with paid_reports(ledger=ledger, budget=budget, request_id="ask", epsilon=epsilon):
        reported.append(1)
