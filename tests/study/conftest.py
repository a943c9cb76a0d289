"""One finished run of the small study, which tests read and never change."""

import shutil
from pathlib import Path

import pytest

from command_line import Answer, grant, tacit
from small_study import write_small_study


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """The folder of a finished run, and what the command printed."""
    folder = tmp_path_factory.mktemp("finished")
    write_small_study(folder)
    grant(folder)
    answer = tacit("run", folder=folder)
    assert answer.code == 0, answer.error
    return folder, answer


@pytest.fixture
def again(finished: tuple[Path, Answer], tmp_path: Path) -> Path:
    """A copy of the finished run that a test may go on with."""
    folder = tmp_path / "again"
    shutil.copytree(finished[0], folder)
    return folder
