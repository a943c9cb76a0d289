"""The page in a real browser: no console message, no request, the key figures in sight, no sideways scrolling."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tacit.models.finding import Basis, Finding
from tacit.report import Edition, Statement, StepSection, write_report

pytestmark = pytest.mark.chromium

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
]
KEY_FIGURES = ("2.997", "0.871", "73.0%", "100% → 20%", "these 3 releases that have no epsilon", "not stated")


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium")
    assert found is not None, "the marker `chromium` skips or fails these tests where it is absent"
    return found


@pytest.fixture(scope="session")
def report(rendered: dict[Edition, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both pages."""
    folder = tmp_path_factory.mktemp("report")
    for edition, text in rendered.items():
        (folder / f"{edition.value}.html").write_text(text, encoding="utf-8")
    return folder


def browse(chromium: str, folder: Path, address: str, *options: str) -> tuple[str, str]:
    """Return what the browser printed and logged."""
    command = [chromium, *QUIET, f"--user-data-dir={folder / 'profile'}", *options, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


@pytest.mark.parametrize("edition", ["custodian", "release"])
def test_the_page_loads_without_a_console_message(chromium: str, report: Path, tmp_path: Path, edition: str) -> None:
    dom, log = browse(chromium, tmp_path, (report / f"{edition}.html").as_uri(), "--dump-dom")
    assert "CONSOLE" not in log
    hidden = ("73.0%", "100% → 20%") if edition == "release" else ()
    for figure in KEY_FIGURES:
        assert (figure in dom) == (figure not in hidden), figure
    drawings = dom.count("<svg")
    assert drawings == (7 if edition == "custodian" else 3)


def test_a_console_message_would_be_seen(chromium: str, tmp_path: Path) -> None:
    """The test above can fail: an image the policy forbids is logged."""
    policy = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'
    (tmp_path / "bad.html").write_text(f"<!DOCTYPE html>{policy}<img src='other.png'>", encoding="utf-8")
    _, log = browse(chromium, tmp_path, (tmp_path / "bad.html").as_uri(), "--dump-dom")
    assert "CONSOLE" in log


def test_long_names_do_not_make_it_scroll(chromium: str, make: Callable[..., Statement], tmp_path: Path) -> None:
    name = "a_very_long_column_name" * 12
    found = Finding(kind="personal-data", name=name, value=name, basis=Basis.EXACT, method=name, details={name: name})
    step = StepSection(name=name, title=name, findings=(found,), settings={name: name})
    wide = make(title=name, dataset=name, run=name, verify_command=name, steps=(step,), settings={name: [name]})
    write_report(wide, tmp_path)
    assert width_needed(chromium, tmp_path, tmp_path / "custodian.html", 390) <= 390


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_scrolls_sideways(chromium: str, report: Path, tmp_path: Path, width: int) -> None:
    assert width_needed(chromium, tmp_path, report / "custodian.html", width) <= width


def test_sideways_scrolling_would_be_seen(chromium: str, tmp_path: Path) -> None:
    (tmp_path / "wide.html").write_text("<!DOCTYPE html><div style='width: 700px'>wide</div>", encoding="utf-8")
    assert width_needed(chromium, tmp_path, tmp_path / "wide.html", 390) > 390


def width_needed(chromium: str, folder: Path, page: Path, width: int) -> int:
    """Return the width a page needs in a frame of this width, every detail opened."""
    frame = (
        f"<!DOCTYPE html><iframe style='border:0' width={width} height=900 src='{page.as_uri()}'></iframe>"
        "<script>onload = () => {"
        "const inner = document.querySelector('iframe').contentDocument;"
        "inner.querySelectorAll('details').forEach(each => each.open = true);"
        "document.title = 'needs ' + inner.documentElement.scrollWidth }</script>"
    )
    (folder / "frame.html").write_text(frame, encoding="utf-8")
    address = (folder / "frame.html").as_uri()
    dom, _ = browse(chromium, folder, address, "--allow-file-access-from-files", "--window-size=1600,1000", "--dump-dom")
    needed = re.search(r"<title>needs (\d+)</title>", dom)
    assert needed is not None, dom[:500]
    return int(needed.group(1))


def test_a_picture_can_be_taken(chromium: str, report: Path, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    browse(chromium, tmp_path, (report / "custodian.html").as_uri(), "--window-size=1280,1600", f"--screenshot={picture}")
    assert picture.stat().st_size > 50_000  # an empty page of this size is under 10,000 bytes
