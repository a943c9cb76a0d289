"""kill -9 at random moments: nothing is released that was not charged, and no step runs twice."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tacit.privacy.block import Block
from tacit.privacy.ledger import Ledger, verify

MakeBlock = Callable[..., Block]
Worker = Callable[..., "subprocess.CompletedProcess[str]"]


def lines(log: Path) -> list[str]:
    """Whole lines only: one that a kill cut off was never released."""
    return log.read_text().split("\n")[:-1] if log.exists() else []


def uncharged(path: Path, log: Path) -> list[str]:
    with Ledger.open(path) as ledger:
        charged = {entry.request_id for entry in ledger.entries()}
    return [name for name in lines(log) if name not in charged]


def spendable(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=100_000.0, delta=0.5)


def test_two_hundred_killed_spenders_released_nothing_they_had_not_charged(path: Path, tmp_path: Path, worker: Worker) -> None:
    log = tmp_path / "released"
    spendable(path)
    worker("spend", path, log, 200, 1, "charge-first")
    assert uncharged(path, log) == []
    assert len(lines(log)) > 20
    result = verify(path)
    assert result.ok, result.summary


def test_a_release_before_its_charge_is_seen_by_this_very_check(path: Path, tmp_path: Path, worker: Worker) -> None:
    log = tmp_path / "released"
    spendable(path)
    worker("spend", path, log, 40, 2, "release-first")
    assert uncharged(path, log) != []


def test_killed_and_resumed_runs_never_take_a_step_twice_nor_one_that_was_not_paid(
    path: Path, tmp_path: Path, worker: Worker, make_block: MakeBlock
) -> None:
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=1.0, delta=1e-5)
        block = make_block(steps=2900, spare_steps=100, noise=1000.0)
        ledger.reserve(block, dataset="survey", request_id="block", purpose="test")
    log = tmp_path / "steps"
    worker("step", path, log, 40, 3)
    taken = lines(log)
    assert len(taken) == len(set(taken)) >= 10
    with Ledger.open(path) as ledger:
        claimed = max(entry.claimed or 0 for entry in ledger.entries())
    assert {int(number) for number in taken} <= set(range(6, claimed + 1))  # the first window was claimed by `reserve`
    assert claimed <= 3000
    result = verify(path)
    assert result.ok, result.summary


@pytest.mark.slow
def test_a_thousand_killed_spenders_released_nothing_they_had_not_charged(path: Path, tmp_path: Path, worker: Worker) -> None:
    log = tmp_path / "released"
    spendable(path)
    worker("spend", path, log, 1000, 4, "charge-first")
    assert uncharged(path, log) == []
    assert verify(path).ok
