"""Killed at any moment and run again: nothing is released that was not charged, and the study ends whole."""

import random
import time
from pathlib import Path

import pytest

from command_line import grant, start, tacit
from small_study import TEXT, write_small_study
from tacit.privacy.ledger import Ledger, verify

RELEASES = {"anonymize": "not-dp", "train": "dp", "twin": "not-dp", "evaluate": "not-dp", "attack": "not-dp"}


def assert_charged(folder: Path) -> None:
    """Every step that left anything, finished or not, has its entry in the ledger."""
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        charged = {(entry.kind, str(entry.request_id).split("/")[1]) for entry in ledger.entries() if entry.request_id}
    for step, kind in RELEASES.items():
        for name in (step, f"{step}.partial"):
            if any(path.is_file() for path in (folder / "runs/small" / name).rglob("*")):
                assert (kind, step) in charged, f"{name} left files, but the ledger knows nothing of it"


@pytest.mark.slow
def test_random_kills_release_nothing_uncharged_and_the_study_ends_whole(tmp_path: Path) -> None:
    write_small_study(tmp_path, TEXT.replace("epochs = 4", "epochs = 60"))
    grant(tmp_path)
    chance = random.Random(5)
    kills = 0
    for _ in range(25):
        process = start("run", folder=tmp_path)
        time.sleep(chance.uniform(0.3, 9))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.communicate()
        assert_charged(tmp_path)
    assert kills >= 3
    answer = tacit("run", folder=tmp_path)
    assert answer.code == 0, answer.error
    assert verify(tmp_path / "ledger.sqlite").ok
    assert verify(tmp_path / "ledger.sqlite").datasets["people"].blocks == 1, "one block, however often it was killed"
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith((".partial", ".old"))]
