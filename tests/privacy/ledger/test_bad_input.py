"""Every way a ledger's file can be unusable ends in one message, and nothing is half-written."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tacit.errors import LedgerError
from tacit.privacy.block import Block
from tacit.privacy.ledger import Ledger, store, verify
from tacit.privacy.ledger.turn import Turn

MakeBlock = Callable[..., Block]
Worker = Callable[..., "subprocess.CompletedProcess[str]"]


def closed_ledger(path: Path) -> Path:
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=1.0, delta=1e-5)
    return path


def alter(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def refused(path: Path, text: str) -> str:
    with pytest.raises(LedgerError, match=text) as refusal:
        Ledger.open(path)
    return str(refusal.value)


def test_a_full_disk_refuses_the_charge_loses_nothing_and_recovers(path: Path, tmp_path: Path, worker: Worker) -> None:
    """A file-size limit stands for the disk: it needs no root, and every write past it fails as on a full one."""
    output = worker("fill-disk", path, tmp_path / "log", 300_000).stdout.splitlines()
    released = [line for line in output if line.startswith(("r", "again")) and not line.startswith("refused")]
    (message,) = [line for line in output if line.startswith("refused")]
    assert "disk" in message
    assert "nothing was charged or released" in message
    assert len(released) > 20
    with Ledger.open(path) as ledger:
        assert {entry.request_id for entry in ledger.entries() if entry.kind == "dp"} == set(released)
    assert verify(path).ok


@pytest.mark.parametrize("room", [0, 40, 5_000, 30_000])
def test_a_disk_full_from_the_start_leaves_no_half_ledger(path: Path, tmp_path: Path, worker: Worker, room: int) -> None:
    output = worker("fill-disk", path, tmp_path / "log", room).stdout.splitlines()
    assert len([line for line in output if line.startswith("refused")]) == 1
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []
    assert verify(path).ok


def test_a_locked_ledger_is_told_after_a_while(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed_ledger(path)
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with Ledger.open(path) as ledger:
        with pytest.raises(LedgerError, match="another process holds it locked"):
            ledger.record("read-only", dataset="survey", request_id="a", what="profile")
        holder.execute("ROLLBACK")
        holder.close()
        assert ledger.find("a") is None
        ledger.record("read-only", dataset="survey", request_id="a", what="profile")


def test_writers_take_turns_so_that_no_commit_meets_a_checkpoint(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds the turn keeps every other charge out, even one that SQLite itself would let in."""
    closed_ledger(path)
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.05)
    holder = Turn(path.with_name("ledger.sqlite.lock"))
    holder.take(1.0)
    with Ledger.open(path) as ledger:
        with pytest.raises(LedgerError, match="another process holds"):
            ledger.record("read-only", dataset="survey", request_id="a", what="profile")
        holder.give_back()
        ledger.record("read-only", dataset="survey", request_id="a", what="profile")
        holder.take(1.0)  # given back after the charge
    holder.close()


def test_a_ledger_of_a_newer_version_is_left_alone(path: Path) -> None:
    alter(closed_ledger(path), "PRAGMA user_version = 2")
    assert "pip install --upgrade tacit" in refused(path, "written by a newer tacit")
    assert not verify(path).ok


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_text("age,salary\n41,3000\n" * 100)
    before = path.read_bytes()
    refused(path, "is not a tacit ledger")
    assert path.read_bytes() == before
    assert not verify(path).ok


def test_an_emptied_ledger_is_not_taken_for_a_new_one(path: Path) -> None:
    closed_ledger(path).write_bytes(b"")
    refused(path, "is not a tacit ledger")


def test_another_database_is_left_alone(path: Path) -> None:
    alter(path, "CREATE TABLE entries (x)")
    refused(path, "is not a tacit ledger")


def test_a_folder_in_place_of_the_file_is_told(path: Path) -> None:
    path.mkdir()
    refused(path, "cannot be opened")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file" / "ledger.sqlite", "cannot be created")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER forget AFTER INSERT ON entries WHEN NEW.kind = 'dp' BEGIN DELETE FROM entries WHERE seq = NEW.seq; END",
        "CREATE TABLE more (x)",
        "CREATE VIEW v AS SELECT 1",
        "DROP INDEX by_dataset",
    ],
)
def test_a_planted_trigger_or_table_is_refused(path: Path, statement: str) -> None:
    """The trigger would erase every charge just after it was made."""
    alter(closed_ledger(path), statement)
    refused(path, "not those tacit made")
    assert not verify(path).ok


def test_a_ledger_that_lost_its_file_but_not_its_log_is_not_started_anew(path: Path) -> None:
    with Ledger.open(path):
        path.unlink()
        refused(path, "its log ledger.sqlite-wal is still there")
        assert not path.exists()


@pytest.mark.parametrize(
    "statement", ["DELETE FROM entries", "DELETE FROM entries WHERE seq = 1", "UPDATE entries SET body = '{'"]
)
def test_a_ledger_without_its_first_row_is_refused(path: Path, statement: str) -> None:
    alter(closed_ledger(path), statement)
    refused(path, "does not begin with the row that founds it")


def test_totals_changed_on_disk_are_not_charged_against(path: Path, make_block: MakeBlock) -> None:
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=0.25, delta=1e-6)
        ledger.reserve(make_block(), dataset="survey", request_id="one", purpose="test")
        ledger.record("read-only", dataset="other", request_id="two", what="profile")
    alter(path, "UPDATE entries SET spent_epsilon = 0, spent_delta = 0 WHERE request_id = 'one'")
    with Ledger.open(path) as ledger:
        with pytest.raises(LedgerError, match=r"row 3 .* was changed"):
            ledger.reserve(make_block(), dataset="survey", request_id="three", purpose="test")
        with pytest.raises(LedgerError, match=r"row 3 .* was changed"):
            ledger.spent("survey")
        with pytest.raises(LedgerError, match=r"row 3 .* was changed"):
            ledger.resume("one")
    alter(path, "UPDATE entries SET body = '{}' WHERE seq = 4")
    refused(path, "row 4 .* was changed")


def test_a_read_only_ledger_is_told(path: Path) -> None:
    """SQLite opened read-only stands for a file that may not be written: it needs no other user and works as root."""
    closed_ledger(path)
    with closing(store.Store(path, read_only=True)) as opened:
        newest = opened.last()
        with pytest.raises(LedgerError, match="read-only"), opened:
            opened.append(newest._replace(seq=newest.seq + 1))
    with Ledger.open(path) as ledger:
        assert ledger.head().count == 2


def test_a_closed_ledger_says_so(path: Path) -> None:
    ledger = Ledger.open(path)
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerError, match="is closed"):
        ledger.grant("survey", epsilon=1.0, delta=1e-5)


def test_an_interrupt_in_the_middle_of_a_charge_leaves_the_ledger_usable(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.grant("survey", epsilon=1.0, delta=1e-5)
    before = ledger.head()

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger._store, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ledger.record("read-only", dataset="survey", request_id="a", what="profile")
    assert ledger.head() == before
    ledger.record("read-only", dataset="survey", request_id="a", what="profile")
    assert verify(path).ok


def test_a_ledger_is_readable_by_its_owner_alone(path: Path) -> None:
    assert closed_ledger(path).stat().st_mode & 0o777 == 0o600


def test_a_path_with_signs_that_mean_something_in_an_address_is_just_a_path(tmp_path: Path) -> None:
    odd = tmp_path / "a b?mode=ro#%41" / "ledger?.sqlite"
    closed_ledger(odd)
    assert odd.is_file()
    assert verify(odd).ok
    shutil.rmtree(odd.parent)
