"""`tacit anonymize --ledger`: the release is in the book, durably, before any file of it exists."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from command_line import Answer, tacit
from tacit.privacy.ledger import Entry, Ledger, verify

ASKED = ("anonymize", "people.csv", "--quasi", "age", "--quasi", "town", "--hierarchy", "town=towns.csv", "--k", "4")
BOOK = ("--ledger", "book.sqlite", "--dataset", "survey")


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    chance = random.Random(2)
    rows = [f"{20 + chance.randrange(60)},{('Kiel', 'Husum', 'Jena', 'Gera')[n % 4]},{n % 3}" for n in range(80)]
    (tmp_path / "people.csv").write_text("\n".join(["age,town,ill", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "towns.csv").write_text("Kiel;coast\nHusum;coast\nJena;hills\nGera;hills\n", encoding="utf-8")
    return tmp_path


def release(folder: Path, name: str = "out.csv", *more: str) -> Answer:
    return tacit(*ASKED, "--out", name, *more, folder=folder)


def entries(folder: Path) -> list[Entry]:
    """Return what the book says of releases, after it was verified from the file alone."""
    assert verify(folder / "book.sqlite").ok
    with Ledger.open(folder / "book.sqlite") as ledger:
        return list(ledger.not_dp("survey"))


def test_a_release_is_in_the_ledger_as_not_dp_and_the_screen_says_which_entry(people: Path) -> None:
    answer = release(people, "out.csv", *BOOK, "--require", "distinct-l-diversity:column=ill,l=2")
    assert (answer.code, answer.error) == (0, "")
    assert max(len(line) for line in answer.out.splitlines()) <= 80
    assert "Recorded in book.sqlite before it had its name: entry 2, not-dp, of 'survey'." in " ".join(answer.out.split())
    (entry,) = entries(people)
    told = json.loads((people / "out.csv.manifest.json").read_text())
    assert entry.content["what"] == "an anonymized table: k-anonymity (k 4); distinct-l-diversity (column ill, l 2)"
    assert entry.content["details"] == {"sha256": told["sha256"], "rows": told["released"], "settings": told["settings"]}
    assert (told["ledger"]["dataset"], told["ledger"]["entry"]) == ("survey", entry.seq)
    shown = tacit("ledger", "show", "book.sqlite", folder=people).out
    assert "1 release that has no epsilon" in " ".join(shown.split())


def test_without_a_ledger_one_line_says_that_nothing_was_recorded(people: Path) -> None:
    answer = release(people)
    assert answer.out.count("No ledger entry was written") == 1
    assert "ledger" not in json.loads((people / "out.csv.manifest.json").read_text())
    assert not (people / "book.sqlite").exists()


def test_the_manifest_is_an_anchor_against_a_rollback(people: Path) -> None:
    before = people / "before.sqlite"
    with Ledger.open(people / "book.sqlite"):
        pass
    before.write_bytes((people / "book.sqlite").read_bytes())
    assert release(people, "out.csv", *BOOK).code == 0
    checked = tacit("ledger", "verify", "book.sqlite", "--anchor", "out.csv.manifest.json", folder=people)
    assert (checked.code, "rollback: rows 1 to 2 are anchored" in checked.out) == (0, True)
    rolled = tacit("ledger", "verify", "before.sqlite", "--anchor", "out.csv.manifest.json", folder=people)
    assert rolled.code == 1


def test_the_anchor_follows_the_entry_and_refuses_a_ledger_that_lacks_it(people: Path) -> None:
    assert release(people, "out.csv", *BOOK, "--anchor", "head").code == 0
    assert json.loads((people / "head").read_text())["count"] == 2
    for path in people.glob("book.sqlite*"):
        path.unlink()
    answer = release(people, "other.csv", *BOOK, "--anchor", "head", "--k", "5")
    assert (answer.code, answer.out) == (1, "")
    assert "LedgerError" in answer.error
    assert not (people / "other.csv").exists()


def test_one_release_is_one_entry_and_another_request_is_another(people: Path) -> None:
    assert release(people, "out.csv", *BOOK).code == 0
    assert release(people, "again.csv", *BOOK).code == 0
    assert len(entries(people)) == 1
    assert release(people, "other.csv", *BOOK, "--k", "20").code == 0
    assert len(entries(people)) == 2


def test_what_fails_after_the_entry_leaves_it_and_no_file(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that is written of a release is its draft's folder: the entry stands before that."""

    def full(*given: Any, **more: Any) -> str:
        raise OSError(28, "No space left on device", "out.csv")

    before = set(os.listdir(people))
    monkeypatch.setattr("tacit.cli.release_drafts.tempfile.mkdtemp", full)
    answer = release(people, "out.csv", *BOOK)
    assert (answer.code, answer.out) == (1, "")
    assert "disk is full" in answer.error
    assert len(entries(people)) == 1
    assert {name for name in os.listdir(people) if not name.startswith("book.sqlite")} == before


def test_killed_between_entry_and_files_it_is_in_the_ledger_and_run_again_still_once(people: Path) -> None:
    script = (
        "import os, signal, sys, tempfile\n"
        "from tacit.cli import release_drafts\n"
        "from tacit.cli.app import main\n"
        "release_drafts.tempfile.mkdtemp = lambda *given, **more: os.kill(os.getpid(), signal.SIGKILL)\n"
        "main()\n"
    )
    before = set(os.listdir(people))
    done = subprocess.run([sys.executable, "-c", script, *ASKED, "--out", "out.csv", *BOOK], cwd=people, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(entries(people)) == 1
    assert {name for name in os.listdir(people) if not name.startswith("book.sqlite")} == before
    assert release(people, "out.csv", *BOOK).code == 0
    assert len(entries(people)) == 1
    assert (people / "out.csv").exists()


def test_a_damaged_ledger_is_refused_before_any_work(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert release(people, "out.csv", *BOOK).code == 0
    (people / "book.sqlite").write_bytes((people / "book.sqlite").read_bytes()[:5000])
    monkeypatch.setattr("tacit.tables.read_table", lambda *given, **more: pytest.fail("the data were read"))
    answer = release(people, "other.csv", *BOOK)
    assert (answer.code, answer.out) == (1, "")
    assert "LedgerError" in answer.error
    assert "Traceback" not in answer.error
