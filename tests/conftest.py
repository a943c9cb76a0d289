"""What the whole suite shares: what is absent is listed at the end as not run, and fails where TACIT_REQUIRE names it."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

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
def real_data() -> Path:
    """The folder of real data sets; use with the marker `data`."""
    return data_folder()
