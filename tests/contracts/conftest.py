"""One finished run of the small study; tests go on with copies of it."""

import shutil
from pathlib import Path

import pytest

from command_line import grant, tacit
from small_study import write_small_study


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("finished")
    write_small_study(folder)
    grant(folder)
    answer = tacit("run", folder=folder)
    assert answer.code == 0, answer.error
    return folder


@pytest.fixture
def again(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may go on with."""
    return Path(shutil.copytree(finished, tmp_path / "again"))
