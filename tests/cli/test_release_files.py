"""A release and its manifest on disk: both or neither, whatever ends the run, and never in the place of another file."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from tacit.cli import release_drafts
from tacit.cli.release_files import check_target, write_release
from tacit.errors import ConfigError

TABLE = pa.table({"age": ["[20, 30)"] * 5})
NAMES = ["release.csv", "release.csv.manifest.json"]


def write(folder: Path, name: str = "release.csv") -> None:
    out = folder / name
    write_release(TABLE, out, {"claim": "none"}, check_target(out, inputs=[]))


@pytest.mark.parametrize("name", ["release.csv", "release.parquet"])
def test_a_release_is_two_complete_files_and_nothing_else(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    assert sorted(os.listdir(tmp_path)) == [name, f"{name}.manifest.json"]
    read = pyarrow.csv.read_csv if name.endswith("csv") else pyarrow.parquet.read_table
    assert read(tmp_path / name).to_pydict() == TABLE.to_pydict()
    assert (tmp_path / f"{name}.manifest.json").read_text() == '{\n  "claim": "none"\n}\n'


@pytest.mark.parametrize("step", ["pyarrow.csv.write_csv", "os.fsync", "os.link"])
def test_a_full_disk_leaves_nothing_and_names_the_release(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to write fails in turn; the second link fails when the manifest has its name already."""
    calls = []

    def refuse(*given: Any) -> None:
        calls.append(given)
        if step != "os.link" or len(calls) == 2:
            raise OSError(28, "No space left on device", str(given[-1]))
        link(*given)

    link = os.link
    monkeypatch.setattr(step, refuse)
    with pytest.raises(OSError, match="No space left") as refusal:
        write(tmp_path)
    assert calls
    assert refusal.value.filename in (tmp_path / "release.csv", str(tmp_path / "release.csv"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("taken", NAMES)
def test_a_name_that_was_taken_meanwhile_is_left_alone(tmp_path: Path, taken: str) -> None:
    manifest = check_target(tmp_path / "release.csv", inputs=[])
    (tmp_path / taken).write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="made meanwhile"):
        write_release(TABLE, tmp_path / "release.csv", {}, manifest)
    assert os.listdir(tmp_path) == [taken]
    assert (tmp_path / taken).read_text() == "mine"


def test_where_a_file_has_one_name_alone_it_is_renamed_and_overwrites_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write(tmp_path)
    assert sorted(os.listdir(tmp_path)) == NAMES
    (tmp_path / "release.csv").write_text("mine", encoding="utf-8")
    (tmp_path / NAMES[1]).unlink()
    with pytest.raises(ConfigError, match="made meanwhile"):
        write_release(TABLE, tmp_path / "release.csv", {}, tmp_path / NAMES[1])
    assert os.listdir(tmp_path) == ["release.csv"]
    assert (tmp_path / "release.csv").read_text() == "mine"


# --- Signals --------------------------------------------------------------------------------------------------------------

STOPS = [(signal.SIGINT, KeyboardInterrupt, None), (signal.SIGTERM, SystemExit, 143), (signal.SIGHUP, SystemExit, 129)]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Signals that nobody took: with the fault planted the test fails, and is not ended."""
    numbers: list[int] = []
    before = {one: signal.signal(one, lambda number, _: numbers.append(number)) for one, _, _ in STOPS}
    yield numbers
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.parametrize(("number", "kind", "code"), STOPS)
def test_a_signal_while_writing_leaves_nothing(
    tmp_path: Path, heard: list[int], number: int, kind: type[BaseException], code: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: Any) -> None:
        written(*given)
        os.kill(os.getpid(), number)

    written = pyarrow.csv.write_csv
    monkeypatch.setattr(pyarrow.csv, "write_csv", interrupted)
    handlers = [signal.getsignal(one) for one, _, _ in STOPS]
    with pytest.raises(kind) as end:
        write(tmp_path)
    assert code is None or (isinstance(end.value, SystemExit) and end.value.code == code)
    assert heard == []
    assert os.listdir(tmp_path) == []
    assert [signal.getsignal(one) for one, _, _ in STOPS] == handlers


@pytest.mark.parametrize("when", ["between the names", "while clearing up"])
def test_a_signal_waits_while_the_two_files_get_their_names_and_drafts_go(
    tmp_path: Path, heard: list[int], when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def signalled(*given: Any, **more: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        real(*given, **more)

    where, name = (os, "link") if when == "between the names" else (shutil, "rmtree")
    real = getattr(where, name)
    monkeypatch.setattr(where, name, signalled)
    with pytest.raises(SystemExit):
        write(tmp_path)
    assert heard == []
    assert sorted(os.listdir(tmp_path)) == NAMES


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path, heard: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """As under nohup."""

    def hung_up(*given: Any) -> None:
        written(*given)
        os.kill(os.getpid(), signal.SIGHUP)

    written = pyarrow.csv.write_csv
    monkeypatch.setattr(pyarrow.csv, "write_csv", hung_up)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    write(tmp_path)
    assert sorted(os.listdir(tmp_path)) == NAMES


# --- Killed ---------------------------------------------------------------------------------------------------------------

_WINDOWS = {  # killed at this call of it, and what is to be seen then
    "while writing": ("pyarrow.csv", "write_csv", 0, []),
    "before the names": ("os", "link", 0, []),
    "between the names": ("os", "link", 1, NAMES[1:]),
    "after the names": ("shutil", "rmtree", 0, NAMES),
}

_KILLED = """
import os, shutil, signal, sys
import pyarrow, pyarrow.csv
from pathlib import Path
from tacit.cli import release_files

owners = {"os": os, "pyarrow.csv": pyarrow.csv, "shutil": shutil}
folder, windows = Path(sys.argv[1]), eval(sys.argv[2])
for window, (place, name, left, _) in windows.items():
    (folder / window).mkdir()
    if child := os.fork():
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        continue
    real = getattr(owners[place], name)

    def killed(*given, **more):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(*given, **more)

    setattr(owners[place], name, killed)
    out = folder / window / "release.csv"
    manifest = release_files.check_target(out, inputs=[])
    release_files.write_release(pyarrow.table({"age": ["[20, 30)"] * 5}), out, {}, manifest)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each window, in which a process of its own was killed."""
    folder = tmp_path_factory.mktemp("killed")
    subprocess.run([sys.executable, "-c", _KILLED, str(folder), repr(_WINDOWS)], check=True)
    return folder


@pytest.mark.parametrize("window", _WINDOWS)
def test_what_a_killed_run_left_the_next_one_clears(killed: Path, window: str) -> None:
    """In no window is there a table without its manifest; a manifest without its table goes, a complete release stays."""
    folder, (*_, seen) = killed / window, _WINDOWS[window]
    assert sorted(one for one in os.listdir(folder) if not one.startswith(".")) == seen
    (draft,) = folder.glob(".tacit-draft-*")
    assert draft.stat().st_mode & 0o777 == 0o700
    if seen == NAMES:
        before = (folder / "release.csv").read_bytes()
        with pytest.raises(ConfigError, match="exists already"):
            check_target(folder / "release.csv", inputs=[])
        assert (folder / "release.csv").read_bytes() == before
    else:
        write(folder)
    assert sorted(os.listdir(folder)) == NAMES


def test_a_living_run_keeps_its_drafts(tmp_path: Path) -> None:
    with release_drafts.stopping() as stop, release_drafts.draft_folder(tmp_path, stop) as folder:
        (folder / "release.csv").write_text("x", encoding="utf-8")
        write(tmp_path, "other.csv")
        assert (folder / "release.csv").exists()
    assert sorted(os.listdir(tmp_path)) == ["other.csv", "other.csv.manifest.json"]


def test_clearing_up_follows_no_link_and_touches_no_other_file(tmp_path: Path) -> None:
    """In a folder that others may write to, a draft of theirs must not make tacit remove what is not a draft."""
    apart = tmp_path / "apart"
    apart.mkdir()
    (apart / "kept").write_text("x", encoding="utf-8")
    (tmp_path / ".tacit-draft-linked").symlink_to(apart)
    draft = tmp_path / ".tacit-draft-dead"
    draft.mkdir()
    for name in ("people.csv", "other.csv"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    (draft / "two").write_text("x", encoding="utf-8")
    (draft / "people.csv").symlink_to(tmp_path / "people.csv")
    (draft / "other.csv").write_text("other.csv", encoding="utf-8")
    release_drafts.clear_dead(tmp_path)
    assert not draft.exists()
    assert (apart / "kept").exists()
    assert [(tmp_path / name).read_text() for name in ("people.csv", "other.csv")] == ["people.csv", "other.csv"]


def test_a_draft_of_another_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = tmp_path / ".tacit-draft-theirs"
    draft.mkdir()
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    release_drafts.clear_dead(tmp_path)
    assert draft.exists()
