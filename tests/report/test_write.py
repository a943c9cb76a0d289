"""Four files, each whole or not at all, the same bytes each time."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tacit.errors import RunError
from tacit.report import Statement, write_report


@pytest.fixture
def bare(make: Callable[..., Statement]) -> Statement:
    """Return a statement without plots."""
    return make(steps=())


def test_four_files_appear_and_nothing_else(statement: Statement, tmp_path: Path) -> None:
    paths = write_report(statement, tmp_path / "deep" / "report")
    names = ["custodian.html", "custodian.json", "release.html", "release.json"]
    assert sorted(path.name for path in (tmp_path / "deep" / "report").iterdir()) == names
    assert paths.release_json.read_bytes().startswith(b"{")
    assert all(path.read_bytes().endswith(b"\n") for path in (paths.custodian_html, paths.release_html))


def test_the_same_statement_gives_the_same_bytes_in_another_process(statement: Statement, tmp_path: Path) -> None:
    """Hash seed, time zone and process differ; the files may not."""
    code = (
        "import importlib.util, sys; from tacit.report import write_report\n"
        f"spec = importlib.util.spec_from_file_location('given', {str(Path(__file__).with_name('conftest.py'))!r})\n"
        "given = importlib.util.module_from_spec(spec); spec.loader.exec_module(given)\n"
        "write_report(given.make_statement(), sys.argv[1])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Asia/Tokyo", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], check=True, env=environment)
    write_report(statement, tmp_path / "here")
    for name in ("custodian.html", "release.html", "custodian.json", "release.json"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes(), name


def test_the_custodians_files_are_for_their_owner_only(bare: Statement, tmp_path: Path) -> None:
    paths = write_report(bare, tmp_path)
    for path in (paths.custodian_html, paths.custodian_json):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_report_that_cannot_be_written_leaves_the_old_one(bare: Statement, tmp_path: Path, full_disk: None) -> None:
    (tmp_path / "release.html").write_text("the old one", encoding="utf-8")
    with pytest.raises(RunError, match=r"could not be written.*No space left.*Free some space"):
        write_report(bare, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["release.html"]
    assert (tmp_path / "release.html").read_text(encoding="utf-8") == "the old one"


def test_a_folder_that_is_a_file_is_one_clear_message(bare: Statement, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="choose a folder you may write to"):
        write_report(bare, tmp_path / "file")
