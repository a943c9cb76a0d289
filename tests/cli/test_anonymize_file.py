"""`tacit anonymize --memory-limit`: the release of a file piece by piece is the one in memory, and keeps the same rules."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from command_line import Answer, tacit
from tacit.anonymize.scale import profile, writing
from tacit.anonymize.scale import release as scale_release
from tacit.privacy.ledger import Entry, Ledger, verify

pytest.importorskip("ibis", reason="not run: ibis and duckdb")

ASKED = ("--quasi", "age", "--quasi", "town", "--hierarchy", "town=towns.csv", "--k", "4", "--suppression-limit", "0.1")
MORE = ("--require", "distinct-l-diversity:column=ill,l=2", "--keep", "pay", "--weight", "age=2")
LARGE = ("--memory-limit", "300MB")
BOOK = ("--ledger", "book.sqlite", "--dataset", "survey")


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """90 made-up people as text and as Parquet, and a file of their towns."""
    monkeypatch.setenv("COLUMNS", "80")
    chance = random.Random(2)
    rows = [
        f"{20 + chance.randrange(60)},{('Kiel', 'Husum', 'Jena', 'Gera')[n % 4]},{n % 3},{n / 4},u{n}@example.org"
        for n in range(90)
    ]
    (tmp_path / "people.csv").write_text("\n".join(["age,town,ill,pay,contact", *rows]) + "\n", encoding="utf-8")
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(tmp_path / "people.csv"), tmp_path / "people.parquet", row_group_size=20)
    (tmp_path / "towns.csv").write_text("Kiel;coast\nHusum;coast\nJena;hills\nGera;hills\n", encoding="utf-8")
    return tmp_path


def release(folder: Path, data: str = "people.parquet", out: str = "out.parquet", *more: str) -> Answer:
    return tacit("anonymize", data, "--out", out, *ASKED, *more, folder=folder)


def manifest(folder: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((folder / f"{name}.manifest.json").read_text()))


def rows(file: Path) -> list[str]:
    return sorted(map(str, pyarrow.parquet.read_table(file).to_pylist()))


def as_written(value: object) -> object:
    return None if value is None else str(value)


def entries(folder: Path) -> list[Entry]:
    """Return what the book says of releases, after it was verified from the file alone."""
    assert verify(folder / "book.sqlite").ok
    with Ledger.open(folder / "book.sqlite") as ledger:
        return list(ledger.not_dp("survey"))


def others(folder: Path) -> set[str]:
    return {name for name in os.listdir(folder) if not name.startswith("book.sqlite")}


def test_the_file_and_its_manifest_are_those_of_a_table_in_memory(people: Path) -> None:
    before = others(people)
    in_memory = release(people, "people.parquet", "a.parquet", *MORE)
    by_pieces = release(people, "people.parquet", "b.parquet", *MORE, *LARGE)
    assert (in_memory.code, by_pieces.code, by_pieces.error) == (0, 0, "")
    assert others(people) - before == {f"{name}.parquet{ending}" for name in "ab" for ending in ("", ".manifest.json")}
    tables = [pyarrow.parquet.read_table(people / name) for name in ("a.parquet", "b.parquet")]
    assert tables[0].schema.equals(tables[1].schema)
    assert rows(people / "a.parquet") == rows(people / "b.parquet")
    told, theirs = manifest(people, "b.parquet"), manifest(people, "a.parquet")
    assert told["sha256"] == writing.file_digest(people / "b.parquet")
    differ = {"sha256", "verified"}
    assert {key: told[key] for key in told.keys() - differ} == {key: theirs[key] for key in theirs.keys() - differ}


def test_the_screen_differs_in_where_it_was_counted_alone(people: Path) -> None:
    in_memory, by_pieces = release(people, "people.parquet", "a.parquet"), release(people, "people.parquet", "b.parquet", *LARGE)
    lines = [
        [line for line in answer.out.splitlines() if "parquet" not in line and not line.startswith("Counted and recoded")]
        for answer in (in_memory, by_pieces)
    ]
    assert lines[0] == lines[1]
    assert "\nage: " in by_pieces.out, "the hierarchy that was built from the data is described"
    assert "Not released, being named in no option: ill, pay, contact." in " ".join(by_pieces.out.split())
    assert "Counted and recoded in memory." in in_memory.out
    assert "Counted and recoded by duckdb 1." in by_pieces.out
    assert max(map(len, by_pieces.out.splitlines())) <= 80


def test_a_kept_column_that_is_missing_everywhere_is_named(people: Path) -> None:
    table = pyarrow.parquet.read_table(people / "people.parquet")
    pyarrow.parquet.write_table(table.append_column("gone", pyarrow.nulls(90, pyarrow.string())), people / "people.parquet")
    answer = release(people, "people.parquet", "b.parquet", "--keep", "gone", *LARGE)
    assert (answer.code, answer.error) == (0, "")
    assert "gone: missing in every row; it is released and tells nothing." in " ".join(answer.out.split())


def test_a_text_file_gives_the_rows_of_memory_as_text(people: Path) -> None:
    assert release(people, "people.csv", "a.parquet", *MORE).code == 0
    assert release(people, "people.csv", "b.parquet", *MORE, *LARGE).code == 0
    table = pyarrow.parquet.read_table(people / "a.parquet")
    as_text = [{name: as_written(value) for name, value in row.items()} for row in table.to_pylist()]
    assert rows(people / "b.parquet") == sorted(map(str, as_text))


def test_the_limit_holds_for_all_that_is_read(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int | None] = []

    def limited(*given: Any, memory_limit: int | None, **more: Any) -> Any:
        heard.append(memory_limit)
        return honest(*given, memory_limit=memory_limit, **more)

    for module in (profile, scale_release):
        honest = module.open_source
        monkeypatch.setattr(module, "open_source", limited)
    assert release(people, "people.parquet", "out.parquet", *LARGE).code == 0
    assert heard == [300_000_000, 300_000_000]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--recoding", "mondrian"], "--recoding needs the whole table in memory"),
        (["--recoding", "cell-suppression:limit=0.1"], "--recoding needs the whole table in memory"),
        (["--subset", "drawn"], "--subset needs the whole table in memory"),
        (["--population", "towns.csv"], "--population needs the whole table in memory"),
        (["--encoding", "latin-1"], "--encoding needs the whole table in memory"),
        (["--out", "out.csv"], "with --memory-limit the release is written as Parquet"),
        (["--memory-limit", "300"], "--memory-limit takes a number and MB"),
        (["--memory-limit", "100MB"], "memory_limit must be a whole number >= 268435456"),
        (["--keep", "contact"], "'contact' would be released as it is"),
        (["--time-limit", "0"], "time_limit must be > 0"),
        (["--out", "people.parquet"], "never touched"),
        (["--out", "towns.csv.parquet"], "exists already"),
        (["--quasi", "absent"], "absent"),
        (["--k", "91"], "no combination of levels"),
    ],
)
def test_what_cannot_be_is_one_clear_error_and_no_file(people: Path, more: list[str], words: str) -> None:
    (people / "towns.csv.parquet").write_text("mine", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in people.iterdir()}
    answer = release(people, "people.parquet", "out.parquet", *LARGE, *more)
    assert (answer.code in (1, 2), answer.out) == (True, ""), answer.error
    assert words in " ".join(answer.error.split()), answer.error
    assert "Traceback" not in answer.error
    assert {path.name: path.read_bytes() for path in people.iterdir()} == before


def test_a_folder_of_parts_is_read_and_gets_no_release_among_them(people: Path) -> None:
    (people / "parts").mkdir()
    table = pyarrow.parquet.read_table(people / "people.parquet")
    for n in range(3):
        pyarrow.parquet.write_table(table.slice(30 * n, 30), people / "parts" / f"{n}.parquet")
    refused = release(people, "parts", "parts/out.parquet", *LARGE)
    assert (refused.code, "a part of the table" in " ".join(refused.error.split())) == (2, True), refused.error
    assert sorted(os.listdir(people / "parts")) == ["0.parquet", "1.parquet", "2.parquet"]
    assert release(people, "parts", "a.parquet", *LARGE).code == release(people, "people.parquet", "b.parquet", *LARGE).code == 0
    assert (people / "a.parquet").read_bytes() == (people / "b.parquet").read_bytes()


@pytest.mark.parametrize("package", ["ibis", "duckdb"])
def test_without_the_extra_it_is_named(people: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    before = others(people)
    answer = release(people, "people.parquet", "out.parquet", *LARGE)
    assert (answer.code, answer.out, answer.error.count("MissingExtra")) == (2, "", 1)
    assert "pip install 'tacit[anonymize]'" in " ".join(answer.error.split())
    assert others(people) == before


# --- The ledger -------------------------------------------------------------------------------------------------------------


def test_the_release_is_in_the_ledger_and_in_the_manifest(people: Path) -> None:
    assert release(people, "people.parquet", "out.parquet", *LARGE, *BOOK).code == 0
    (entry,) = entries(people)
    told = manifest(people, "out.parquet")
    assert entry.content["details"] == {"sha256": told["sha256"], "rows": told["released"], "settings": told["settings"]}
    assert (told["ledger"]["dataset"], told["ledger"]["entry"]) == ("survey", entry.seq)


def test_what_fails_after_the_entry_leaves_it_and_no_file(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device", str(given[0]))

    before = others(people)
    monkeypatch.setattr("tacit.cli.release_files._name", full)
    answer = release(people, "people.parquet", "out.parquet", *LARGE, *BOOK)
    assert (answer.code, answer.out) == (1, "")
    assert "disk is full or a limit on file size was reached (out.parquet)" in " ".join(answer.error.split())
    assert len(entries(people)) == 1
    assert others(people) == before


def test_without_an_entry_no_file_gets_its_name(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*given: Any, **more: Any) -> None:
        raise OSError(13, "Permission denied", "book.sqlite")

    before = others(people)
    monkeypatch.setattr("tacit.privacy.ledger.Ledger.record", locked)
    assert release(people, "people.parquet", "out.parquet", *LARGE, *BOOK).code == 1
    assert others(people) == before


@pytest.mark.slow
def test_killed_between_entry_and_names_it_is_in_the_ledger_and_run_again_still_once(people: Path) -> None:
    """The draft that is left, which holds what was to be released, the next run into that folder clears away."""
    script = (
        "import os, signal, sys\n"
        "from tacit.cli import release_files\n"
        "from tacit.cli.app import main\n"
        "release_files._name = lambda *given: os.kill(os.getpid(), signal.SIGKILL)\n"
        "main()\n"
    )
    before = others(people)
    asked = ["anonymize", "people.parquet", "--out", "out.parquet", *ASKED, *LARGE, *BOOK]
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script, *asked], cwd=people, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(entries(people)) == 1
    assert {name[:13] for name in others(people) - before} == {".tacit-draft-"}
    assert release(people, "people.parquet", "out.parquet", *LARGE, *BOOK).code == 0
    assert len(entries(people)) == 1
    assert others(people) - before == {"out.parquet", "out.parquet.manifest.json"}


def test_a_signal_in_mid_work_leaves_nothing(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while the draft is checked: the table, its scratch folder and the draft folder are there."""

    def signalled(*given: Any, **more: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    before = others(people)
    monkeypatch.setattr("tacit.anonymize.scale.release.check_file", signalled)
    assert release(people, "people.parquet", "out.parquet", *LARGE).code == 143
    assert others(people) == before
