"""A rollback shows only against an anchor that the ledger cannot rewrite."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tacit.errors import LedgerError
from tacit.privacy.block import Block
from tacit.privacy.ledger import Head, Ledger, verify
from tacit.privacy.ledger import anchor as anchor_module
from tacit.privacy.ledger.turn import Turn

MakeBlock = Callable[..., Block]


def granted(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=0.5, delta=1e-5)


def charge(path: Path, block: Block, name: str, anchor: Path | None = None) -> Head:
    with Ledger.open(path, anchor=anchor) as ledger:
        ledger.reserve(block, dataset="survey", request_id=name, purpose="test")
        return ledger.head()


def test_database_and_local_head_restored_together_are_caught_by_the_report_alone(
    path: Path, tmp_path: Path, make_block: MakeBlock
) -> None:
    granted(path)
    local = path.with_suffix(".head")
    local.write_text(json.dumps(charge(path, make_block(), "one").to_json()))
    for file in (path, local):
        shutil.copy(file, tmp_path / f"{file.name}.backup")
    in_report = charge(path, make_block(), "two")
    local.write_text(json.dumps(in_report.to_json()))

    for file in (path, local):
        shutil.copy(tmp_path / f"{file.name}.backup", file)
    restored = Head.from_json(json.loads(local.read_text()))
    assert verify(path, [restored]).ok  # the restored pair agrees with itself
    result = verify(path, [in_report])
    assert not result.ok
    assert not result.rollback_protected
    assert "rolled back or rewritten" in result.summary


def test_without_an_anchor_verify_says_it_is_not_protected(path: Path, make_block: MakeBlock) -> None:
    granted(path)
    head = charge(path, make_block(), "one")
    result = verify(path)
    assert result.ok
    assert not result.rollback_protected
    assert "not protected against rollback" in result.summary
    anchored = verify(path, [head])
    assert anchored.ok
    assert anchored.rollback_protected
    assert "not protected" not in anchored.summary
    charge(path, make_block(), "two")
    later = verify(path, [head])
    assert (later.anchored, later.count) == (3, 4)
    assert "rows 1 to 3 are anchored; later ones are not" in later.summary


def test_heads_of_another_ledger_or_signed_by_another_key_are_problems(path: Path, tmp_path: Path) -> None:
    granted(path)
    granted(tmp_path / "same key.sqlite")
    with Ledger.open(tmp_path / "same key.sqlite") as other:
        assert "another ledger" in verify(path, [other.head()]).summary
    with Ledger.open(tmp_path / "other key.sqlite", key_folder=tmp_path / "other") as other:
        forged = Head.from_json({**other.head().to_json(), "ledger_id": verify(path).ledger_id})
        assert "not signed with this ledger's key" in verify(path, [forged, other.head()]).summary
    with Ledger.open(path) as ledger:
        genuine = ledger.head()
    assert "not signed" in verify(path, [Head.from_json({**genuine.to_json(), "signature": "0" * 128})]).summary


def test_two_genuine_histories_spliced_after_a_rollback_do_not_verify(path: Path, tmp_path: Path, make_block: MakeBlock) -> None:
    """Every row is sealed with the right key; only the link to the row before tells that they never stood together."""
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=0.5, delta=1e-5)
    shutil.copy(path, tmp_path / "backup")
    charge(path, make_block(), "one")
    charge(path, make_block(), "two")
    shutil.copy(tmp_path / "backup", path.with_name("second.sqlite"))
    charge(path.with_name("second.sqlite"), make_block(), "other")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ATTACH ? AS second", [str(path.with_name("second.sqlite"))])
        connection.execute("DELETE FROM entries WHERE seq = 3")
        connection.execute("INSERT INTO entries SELECT * FROM second.entries WHERE seq = 3")
        connection.commit()
    assert verify(path.with_name("second.sqlite")).ok
    (problem,) = verify(path).problems
    assert "row 4 does not follow the row before it" in problem


def test_anchors_are_written_in_turn(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchor_module, "_PATIENCE", 0.05)
    anchor = tmp_path / "elsewhere.json"
    holder = Turn(tmp_path / "elsewhere.json.lock")
    holder.take(1.0)
    with Ledger.open(path, anchor=anchor) as ledger:
        with pytest.raises(LedgerError, match="another process holds"):
            ledger.record("not-dp", dataset="survey", request_id="one", what="a table")
        assert not anchor.exists()
        holder.close()
        ledger.record("not-dp", dataset="survey", request_id="one", what="a table")
    assert anchor.exists()


def test_every_row_is_anchored_before_its_caller_may_rely_on_it(path: Path, tmp_path: Path, make_block: MakeBlock) -> None:
    anchor = tmp_path / "elsewhere.json"

    def anchored() -> int:
        return Head.from_json(json.loads(anchor.read_text())).count

    with Ledger.open(path, anchor=anchor) as ledger:
        ledger.grant("survey", epsilon=0.5, delta=1e-5)
        assert anchored() == 2
        run = ledger.reserve(make_block(), dataset="survey", request_id="one", purpose="test")
        assert anchored() == 3
        for _ in range(6):
            run.count_step()
        assert anchored() == 4
        ledger.resume("one")
        assert anchored() == 5
        ledger.record("not-dp", dataset="survey", request_id="two", what="a table")
        assert anchored() == 6
        assert anchored() == ledger.head().count


def test_a_ledger_behind_its_anchor_is_refused_at_open_and_while_open(path: Path, tmp_path: Path, make_block: MakeBlock) -> None:
    anchor, backup = tmp_path / "elsewhere.json", tmp_path / "backup"
    granted(path)
    shutil.copy(path, backup)
    charge(path, make_block(), "one", anchor)
    with Ledger.open(path) as ledger:
        ledger.record("read-only", dataset="survey", request_id="not anchored", what="profile")
    Ledger.open(path, anchor=anchor).close()  # more rows than the anchor knows are no rollback
    newest = anchor.read_text()

    shutil.copy(backup, path)
    with pytest.raises(LedgerError, match="rolled back, rewritten or replaced"):
        Ledger.open(path, anchor=anchor)
    anchor.unlink()
    with Ledger.open(path, anchor=anchor) as ledger:
        anchor.write_text(newest)
        with pytest.raises(LedgerError, match="rolled back, rewritten or replaced"):
            ledger.reserve(make_block(), dataset="survey", request_id="two", purpose="test")
    assert anchor.read_text() == newest


def test_a_deleted_ledger_is_not_started_anew_beside_its_anchor(path: Path, tmp_path: Path) -> None:
    anchor = tmp_path / "elsewhere.json"
    with Ledger.open(path, anchor=anchor) as ledger:
        ledger.grant("survey", epsilon=0.5, delta=1e-5)
    path.unlink()
    with pytest.raises(LedgerError, match="rolled back, rewritten or replaced"):
        Ledger.open(path, anchor=anchor)
    assert not path.exists()
    granted(path)
    with pytest.raises(LedgerError, match="rolled back, rewritten or replaced"):
        Ledger.open(path, anchor=anchor)


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"count": 1}', "\ud800"])
def test_an_anchor_that_holds_something_else_is_not_overwritten(path: Path, tmp_path: Path, content: str) -> None:
    anchor = tmp_path / "elsewhere.json"
    anchor.write_bytes(content.encode(errors="surrogatepass"))
    with pytest.raises(LedgerError, match="does not hold a ledger's signed head"):
        Ledger.open(path, anchor=anchor)
    assert anchor.read_bytes() == content.encode(errors="surrogatepass")


def test_an_anchor_in_a_folder_that_is_not_there_is_told_before_anything_is_charged(path: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"anchor .* cannot be used"):
        Ledger.open(path, anchor=tmp_path / "unplugged" / "head.json")
    assert not path.exists()


def test_a_charge_that_cannot_be_anchored_hands_out_nothing_and_can_be_resumed(
    path: Path, tmp_path: Path, make_block: MakeBlock
) -> None:
    granted(path)
    anchor = tmp_path / "stick" / "head.json"
    anchor.parent.mkdir()
    with Ledger.open(path, anchor=anchor) as ledger:
        anchor.parent.rmdir()
        with pytest.raises(LedgerError, match=r"anchor .* cannot be used"):
            ledger.reserve(make_block(), dataset="survey", request_id="one", purpose="test")
    with Ledger.open(path) as ledger:
        assert ledger.spent("survey").epsilon == 0.25
        assert ledger.resume("one").steps_left == 25


def test_a_record_repeated_after_its_anchor_failed_is_anchored_then(path: Path, tmp_path: Path) -> None:
    anchor = tmp_path / "stick" / "head.json"
    anchor.parent.mkdir()
    with Ledger.open(path, anchor=anchor) as ledger:
        anchor.parent.rmdir()
        for _ in range(2):
            with pytest.raises(LedgerError, match=r"anchor .* cannot be used"):
                ledger.record("not-dp", dataset="survey", request_id="one", what="a table")
        anchor.parent.mkdir()
        entry = ledger.record("not-dp", dataset="survey", request_id="one", what="a table")
    assert Head.from_json(json.loads(anchor.read_text())).count == entry.seq == 2
