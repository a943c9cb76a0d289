"""Steps count down inside windows that were claimed durably; nothing is refunded."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tacit.errors import BudgetExceeded, LedgerError, PrivacyError
from tacit.privacy.block import Block
from tacit.privacy.ledger import Ledger, Reservation

MakeBlock = Callable[..., Block]


@pytest.fixture
def run(ledger: Ledger, make_block: MakeBlock) -> Reservation:
    ledger.grant("survey", epsilon=1.0, delta=1e-5)
    return ledger.reserve(make_block(), dataset="survey", request_id="block", purpose="test")


def claimed_on_disk(path: Path) -> int:
    """What a fresh reader would count as spent after a crash now."""
    with Ledger.open(path) as fresh:
        return max(entry.claimed or 0 for entry in fresh.entries())


def test_every_step_is_claimed_on_disk_before_it_runs(run: Reservation, path: Path) -> None:
    for number in range(1, 31):
        run.count_step()
        assert number <= claimed_on_disk(path) == run.claimed < number + 5
        assert run.steps_left == 30 - number


def test_the_step_after_the_last_one_paid_is_refused(run: Reservation) -> None:
    for _ in range(30):
        run.count_step()
    for _ in range(2):
        with pytest.raises(BudgetExceeded, match=r"all 30 steps .*20 planned, 10 spare"):
            run.count_step()


def test_steps_inside_a_window_write_nothing(run: Reservation, ledger: Ledger) -> None:
    rows = ledger.head().count
    for _ in range(5):
        run.count_step()
    assert ledger.head().count == rows
    run.count_step()
    assert ledger.head().count == rows + 1


def test_a_checkpoint_claims_the_following_window_and_only_once(run: Reservation) -> None:
    run.checkpoint()
    assert run.claimed == 5
    for _ in range(5):
        run.count_step()
    run.checkpoint()
    run.checkpoint()
    assert run.claimed == 10


def test_a_resumed_run_starts_after_every_step_claimed_before_it(run: Reservation, ledger: Ledger) -> None:
    run.count_step()
    again = ledger.resume("block")
    assert (again.claimed, again.steps_left) == (10, 25)
    assert again.guarantee == run.guarantee
    assert again.block == run.block


def test_a_block_resumed_too_often_has_no_step_left(run: Reservation, ledger: Ledger) -> None:
    for _ in range(5):
        assert ledger.resume("block").steps_left > 0
    rows = ledger.head().count
    spent = ledger.resume("block")
    assert spent.steps_left == 0
    assert ledger.head().count == rows
    with pytest.raises(BudgetExceeded):
        spent.count_step()


def test_a_window_is_never_larger_than_what_was_paid(ledger: Ledger, make_block: MakeBlock) -> None:
    ledger.grant("survey", epsilon=1.0, delta=1e-5)
    short = ledger.reserve(make_block(steps=3, spare_steps=0), dataset="survey", request_id="short", purpose="test")
    assert (short.claimed, short.steps_left) == (3, 3)


def test_after_its_context_a_reservation_counts_nothing_more(run: Reservation) -> None:
    with run as inside:
        inside.count_step()
    for refused in (run.count_step, run.checkpoint, run.__enter__):
        with pytest.raises(PrivacyError, match="has ended"):
            refused()


def test_stopping_early_refunds_nothing(run: Reservation, ledger: Ledger) -> None:
    with run:
        run.count_step()
    assert ledger.spent("survey").epsilon == 0.25


def test_an_error_inside_the_context_refunds_nothing_and_is_not_hidden(run: Reservation, ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), run:
        _step_then_fail(run)
    assert ledger.spent("survey").epsilon == 0.25
    with pytest.raises(PrivacyError):
        run.count_step()


def test_a_failed_claim_counts_no_step(run: Reservation, ledger: Ledger) -> None:
    for _ in range(5):
        run.count_step()
    ledger.close()
    for _ in range(2):
        with pytest.raises(LedgerError, match="closed"):
            run.count_step()
    assert run.steps_left == 25


def test_resume_names_what_is_missing(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no block 'nothing' to resume"):
        ledger.resume("nothing")
    ledger.record("read-only", dataset="survey", request_id="profile", what="profile")
    with pytest.raises(LedgerError, match="read-only entry"):
        ledger.resume("profile")


def _step_then_fail(run: Reservation) -> None:
    run.count_step()
    raise ZeroDivisionError
