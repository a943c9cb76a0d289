"""Many spenders, one cap: not one unit over."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tacit.errors import BudgetExceeded, LedgerError, PrivacyError
from tacit.privacy.block import Block
from tacit.privacy.ledger import Entry, Head, Ledger, Reservation, verify

MakeBlock = Callable[..., Block]
Worker = Callable[..., "subprocess.CompletedProcess[str]"]


def capped(path: Path, blocks: int) -> None:
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=0.25 * blocks, delta=0.01)


def test_sixteen_processes_spend_exactly_the_cap(path: Path, worker: Worker) -> None:
    capped(path, 40)
    granted = worker("race", path, 16, 5, "-").stdout.split()
    assert len(granted) == len(set(granted)) == 40
    with Ledger.open(path) as ledger:
        assert {entry.request_id for entry in ledger.entries() if entry.kind == "dp"} == set(granted)
        assert ledger.left("survey").epsilon == 0
    assert verify(path).ok


def test_the_anchor_of_concurrent_spenders_ends_at_the_last_row(path: Path, tmp_path: Path, worker: Worker) -> None:
    anchor = tmp_path / "elsewhere" / "head.json"
    anchor.parent.mkdir()
    capped(path, 10)
    assert len(worker("race", path, 4, 5, anchor).stdout.split()) == 10
    result = verify(path, [Head.from_json(json.loads(anchor.read_text()))])
    assert result.ok, result.summary
    assert result.anchored == result.count


def test_processes_that_create_the_ledger_together_end_with_one_ledger_and_one_key(path: Path, worker: Worker) -> None:
    answers = [line.split() for line in worker("found", path, 8).stdout.splitlines()]
    assert len({ledger_id for ledger_id, _ in answers}) == 1
    assert sorted(int(row) for _, row in answers) == list(range(2, 10))
    assert verify(path).ok
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []


def test_threads_share_a_ledger_without_passing_the_cap(ledger: Ledger, path: Path, make_block: MakeBlock) -> None:
    ledger.grant("survey", epsilon=2.5, delta=0.01)
    block, granted, refused = make_block(), [], []

    def spend(thread: int) -> None:
        for turn in range(5):
            try:
                granted.append(ledger.reserve(block, dataset="survey", request_id=f"{thread}-{turn}", purpose="race"))
                ledger.head()
            except BudgetExceeded:
                refused.append(turn)

    threads = [threading.Thread(target=spend, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(granted), len(refused)) == (10, 10)
    assert verify(path).ok


def test_threads_share_a_reservation_without_taking_a_step_twice(ledger: Ledger, make_block: MakeBlock) -> None:
    ledger.grant("survey", epsilon=0.25, delta=1e-6)
    run = ledger.reserve(make_block(), dataset="survey", request_id="one", purpose="race")
    taken: list[int] = []

    def take() -> None:
        try:
            for _ in range(50):
                run.count_step()
                taken.append(1)
        except BudgetExceeded:
            pass

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 30


def test_threads_at_the_end_of_a_window_claim_the_next_one_once(ledger: Ledger, make_block: MakeBlock) -> None:
    """While one thread claims, the others must wait, or a window that was claimed is lost."""
    ledger.grant("survey", epsilon=0.25, delta=1e-6)
    paid = ledger.reserve(make_block(), dataset="survey", request_id="one", purpose="race")

    inside, together = [], []

    def slowly(entry: Entry, block: Block) -> tuple[int, int]:
        inside.append(1)
        time.sleep(0.005)
        together.append(len(inside))
        inside.pop()
        return ledger._claim(entry, block)

    run = Reservation(paid.entry, paid.block, (0, 5), slowly)
    taken: list[int] = []
    threads = [threading.Thread(target=lambda: taken.append(_take_all(run, 50))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 30
    assert set(together) == {1}


def test_two_resumers_together_never_run_more_steps_than_were_paid(path: Path, make_block: MakeBlock) -> None:
    with Ledger.open(path) as one, Ledger.open(path) as two:
        one.grant("survey", epsilon=0.25, delta=1e-6)
        one.reserve(make_block(), dataset="survey", request_id="block", purpose="test").finish()
        runs = [one.resume("block"), two.resume("block")]
        taken = [_take_all(run, 3) for _ in range(10) for run in runs]
    assert sum(taken) == 25  # thirty paid; the first window of five was claimed by the run that is gone


def _take_all(run: Reservation, most: int) -> int:
    for done in range(most):
        try:
            run.count_step()
        except BudgetExceeded:
            return done
    return most


def _in_child(work: "object") -> str:
    """Run in a forked child; returns what it wrote."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = work()  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001 - told to the parent
            answer = type(error).__name__
        os.write(write, str(answer).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as pipe:
        return pipe.read()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_copy_of_a_ledger_or_reservation_is_refused(ledger: Ledger, path: Path, make_block: MakeBlock) -> None:
    ledger.grant("survey", epsilon=1.0, delta=1e-5)
    run = ledger.reserve(make_block(), dataset="survey", request_id="block", purpose="test")
    assert _in_child(run.count_step) == PrivacyError.__name__
    assert _in_child(run.checkpoint) == PrivacyError.__name__
    assert _in_child(lambda: ledger.spent("survey")) == LedgerError.__name__
    assert _in_child(lambda: ledger.reserve(make_block(), dataset="survey", request_id="x", purpose="t")) == LedgerError.__name__
    assert _in_child(ledger.close) == "None"
    run.count_step()
    ledger.record("read-only", dataset="survey", request_id="after", what="still works")
    assert verify(path).ok
