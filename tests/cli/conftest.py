"""A folder with the small study, its budget granted, nothing run."""

from pathlib import Path

import pytest

from command_line import grant
from small_study import write_small_study


@pytest.fixture
def small(tmp_path: Path) -> Path:
    write_small_study(tmp_path)
    grant(tmp_path)
    return tmp_path
