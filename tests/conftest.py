"""What the whole suite shares: what is absent is listed at the end as not run, and fails where TACIT_REQUIRE names it."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from command_line import Answer, grant, tacit
from small_study import write_small_study

if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores; as many threads in each would wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by numpy and torch, which no file has imported yet

_ROOT = Path(__file__).parents[1]
_absent: Counter[str] = Counter()


def data_folder() -> Path:
    """Return the folder of real data sets: $TACIT_DATA, else ../shared/data beside the project."""
    return Path(os.environ.get("TACIT_DATA") or _ROOT.parent / "shared" / "data")


_PRESENT = {"chromium": lambda: shutil.which("chromium") is not None, "data": lambda: data_folder().is_dir()}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name, present in _PRESENT.items():
        if item.get_closest_marker(name) and not present():
            if name in os.environ.get("TACIT_REQUIRE", "").split(","):
                pytest.fail(f"{name} is required here (TACIT_REQUIRE) and absent", pytrace=False)
            pytest.skip(f"not run: {name}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("skipped", []):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        _absent[reason.removeprefix("Skipped: ")] += 1
    for reason, count in sorted(_absent.items()):
        terminalreporter.write_line(f"{reason} ({count} tests)")


@pytest.fixture(scope="session", autouse=True)
def _keys_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Signing keys of the tests live in a folder of their own, never in the home of whoever runs them."""
    os.environ.setdefault("TACIT_KEYS", str(tmp_path_factory.mktemp("keys")))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """The folder of a finished run of the small study, which tests read and never change, and what the command printed."""
    folder = tmp_path_factory.mktemp("finished")
    write_small_study(folder)
    grant(folder)
    answer = tacit("run", folder=folder, one_process=False, pictures=True)
    assert answer.code == 0, answer.error
    return folder, answer


@pytest.fixture
def again(finished: tuple[Path, Answer], tmp_path: Path) -> Path:
    """A copy of the finished run that a test may go on with."""
    return Path(shutil.copytree(finished[0], tmp_path / "again"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; use with the marker `data`."""
    return data_folder()
