"""Steps count down inside windows that were claimed durably; nothing is refunded."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tacit.errors import BudgetExceeded, LedgerError, PrivacyError
from tacit.privacy.block import Block
from tacit.privacy.events import MatrixEvent
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger import Ledger, Reservation
from tacit.privacy.strategies import Banded

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


def in_order(*, steps: int = 6, spare_steps: int = 4, checkpoint_every: int = 2) -> Block:
    """A run whose steps share noise, at noise multiplier 100."""
    event = MatrixEvent(
        noise_multiplier=100.0,
        strategy=Banded(coefficients=(1.0, 0.5)),
        steps=steps,
        period=2,
        probability=None,
        replays=spare_steps // checkpoint_every,
        replay_steps=checkpoint_every,
    )
    promise = Guarantee(epsilon=0.25, delta=1e-6)
    return Block(event=event, steps=steps, spare_steps=spare_steps, checkpoint_every=checkpoint_every, guarantee=promise)


@pytest.fixture
def ordered(ledger: Ledger) -> Reservation:
    ledger.grant("survey", epsilon=1.0, delta=1e-5)
    return ledger.reserve(in_order(), dataset="survey", request_id="block", purpose="test")


def test_one_run_takes_the_windows_of_steps_that_share_noise_in_order(ordered: Reservation) -> None:
    for step in range(1, 11):
        ordered.count_step()
        assert ordered.claimed == step + step % 2
    with pytest.raises(BudgetExceeded):
        ordered.count_step()


def test_of_two_runs_of_steps_that_share_noise_the_one_that_was_left_behind_ends(ordered: Reservation, ledger: Ledger) -> None:
    """Each would release the steps between with noise of its own: more windows lost at once than replays were paid for."""
    ordered.count_step()
    second = ledger.resume("block")
    assert (second.claimed, second.steps_left) == (4, 8)
    ordered.count_step()  # still inside the window that is its own
    with pytest.raises(PrivacyError, match="another run has gone on"):
        ordered.count_step()
    assert ordered.steps_left == 0
    with pytest.raises((PrivacyError, BudgetExceeded)):
        ordered.count_step()
    second.count_step()
    second.count_step()  # its own window; what the other claimed in vain is spent, and no one takes it
    with pytest.raises((PrivacyError, BudgetExceeded)):
        second.count_step()


def test_a_checkpoint_of_the_run_that_was_left_behind_ends_it_too(ordered: Reservation, ledger: Ledger) -> None:
    ordered.count_step()
    ordered.count_step()
    ledger.resume("block")
    with pytest.raises(PrivacyError, match="another run has gone on"):
        ordered.checkpoint()
    assert ordered.steps_left == 0


def test_two_runs_of_independent_steps_share_the_windows(run: Reservation, ledger: Ledger) -> None:
    second = ledger.resume("block")
    for _ in range(6):
        run.count_step()
    assert (second.claimed, run.claimed) == (10, 15)


def _step_then_fail(run: Reservation) -> None:
    run.count_step()
    raise ZeroDivisionError
