"""A released file in the ledger: the entry is there, durably, before the file has its name."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from anonymize.scale.people import people, request
from tacit.errors import ConfigError, LedgerError
from tacit.privacy.ledger import Entry, Ledger, verify

pytest.importorskip("ibis", reason="not run: ibis and duckdb")

from tacit.anonymize.scale import anonymize_file, release, writing


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A Parquet file of people, alone in its folder; the book lies beside that folder."""
    (tmp_path / "data").mkdir()
    pq.write_table(people(), tmp_path / "data" / "people.parquet")
    return tmp_path / "data" / "people.parquet"


def released(file: Path, **more: Any) -> Any:
    """Release the file beside itself and record it."""
    with Ledger.open(file.parents[1] / "book.sqlite") as ledger:
        given = {"ledger": ledger, "budget": "survey", **more}
        return anonymize_file(file, file.with_name("released.parquet"), **request(), **given)


def entries(file: Path) -> list[Entry]:
    """Return what the book says of releases, after it was verified from the file alone."""
    book = file.parents[1] / "book.sqlite"
    assert verify(book).ok
    with Ledger.open(book) as ledger:
        return list(ledger.not_dp("survey"))


def test_the_entry_is_that_of_the_manifest(file: Path) -> None:
    told = released(file).manifest()
    (entry,) = entries(file)
    assert entry.content["details"] == {"sha256": told["sha256"], "rows": told["released"], "settings": told["settings"]}
    assert entry.content["details"]["sha256"] == writing.file_digest(file.with_name("released.parquet"))


def test_the_entry_stands_before_the_file_has_its_name(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last thing that can fail is the name: the entry stays, and no file does."""

    def full(*given: Any) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "link", full)
    with pytest.raises(OSError, match="No space left"):
        released(file)
    assert len(entries(file)) == 1
    assert os.listdir(file.parent) == ["people.parquet"]


def test_what_cannot_be_recorded_gets_no_name(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*given: Any, **more: Any) -> None:
        raise LedgerError("damaged")

    monkeypatch.setattr(Ledger, "record", damaged)
    with pytest.raises(LedgerError):
        released(file)
    assert os.listdir(file.parent) == ["people.parquet"]


@pytest.mark.slow
def test_killed_between_entry_and_name_it_is_in_the_ledger_and_run_again_still_once(file: Path) -> None:
    """What is left begins with a dot: a draft and a folder that hold private rows."""
    script = f"""
        import os, signal
        from pathlib import Path
        from anonymize.scale import test_ledger
        from tacit.anonymize.scale import writing
        writing.link = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
        test_ledger.released(Path({str(file)!r}))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert len(entries(file)) == 1
    assert {name[:18] for name in os.listdir(file.parent)} == {"people.parquet", ".released.parquet."}
    released(file)
    assert len(entries(file)) == 1
    assert file.with_name("released.parquet").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"budget": None}, "got ledger without budget"),
        ({"ledger": None}, "got budget without ledger"),
        ({"ledger": "book.sqlite"}, "open ledger, got str"),
    ],
)
def test_half_a_book_is_refused_before_any_work(
    file: Path, given: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "open_source", lambda *more, **named: pytest.fail("the data were read"))
    with pytest.raises(ConfigError, match=message):
        released(file, **given)
    assert entries(file) == []


def test_without_a_ledger_nothing_is_recorded(file: Path) -> None:
    released(file, ledger=None, budget=None)
    assert entries(file) == []
