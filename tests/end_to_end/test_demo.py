"""`tacit demo` on the real survey: the main job, its guard rails, its planted fault, and no socket but loopback."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import Answer, tacit

statsmodels = pytest.importorskip("statsmodels", reason="not run: statsmodels (pip install 'tacit[demo]')")

pytestmark = pytest.mark.xdist_group("demo")  # one worker, so that the demo runs once

_NO_SOCKETS = """
import socket, sys
def refuse(event, arguments):
    if event == "socket.connect" and not str(arguments[1][0] if isinstance(arguments[1], tuple) else "127.").startswith(("127.", "::1", "localhost")):
        raise RuntimeError(f"a socket was opened to {arguments[1]}")
    if event == "socket.getaddrinfo" and arguments[0] not in ("localhost", "127.0.0.1", "::1", None):
        raise RuntimeError(f"a name was looked up: {arguments[0]}")
sys.addaudithook(refuse)
"""


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """The folder of one `tacit demo`, run where every socket but loopback is refused, in all its processes."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "hooks").mkdir()
    (folder / "hooks" / "sitecustomize.py").write_text(_NO_SOCKETS)
    import os

    environment = {**os.environ, "PYTHONPATH": str(folder / "hooks"), "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-m", "tacit", "demo"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return folder, Answer(done.returncode, done.stdout, done.stderr)


def test_the_demo_walks_to_its_report(walked: tuple[Path, Answer]) -> None:
    folder, answer = walked
    assert answer.code == 0, answer.error
    assert answer.error == "", "successful runs end without warnings"
    for edition in ("custodian", "release"):
        assert (folder / f"runs/demo/report/{edition}.html").stat().st_size > 10_000
    assert max(map(len, answer.out.splitlines())) <= 80


def test_both_models_learned_and_privacy_cost_little(walked: tuple[Path, Answer]) -> None:
    """The published figures: about 73% with and without privacy, against a majority of 67.8%.

    The secret split holds back about 1,270 rows, so one accuracy has a standard deviation of 1.25 points and the
    difference of two models, which disagree on one row in twenty, one of 0.7. The bounds lie five of them away from
    73% and 0.5 points: false-failure probability below 1e-6 together. The mean over many splits is `bench/accuracy.py`'s.
    """
    numbers = findings(walked[0], "evaluate")
    assert numbers["accuracy of the private model"] > 0.66
    assert numbers["accuracy of the non-private model"] > 0.667
    assert abs(numbers["accuracy lost to privacy"]) < 0.04


def findings(folder: Path, step: str) -> dict[str, float]:
    record = json.loads((folder / "runs/demo" / step / "record.json").read_text())
    return {one["name"]: one["value"] for one in record["findings"]}


def test_the_settings_are_those_of_the_issue(walked: tuple[Path, Answer]) -> None:
    folder, _ = walked
    promise = next(
        one for one in json.loads((folder / "runs/demo/train/record.json").read_text())["findings"] if one["kind"] == "guarantee"
    )
    assert 2.98 < promise["value"] <= 3.0
    assert promise["details"]["delta"] == 1e-5
    verified = json.loads(tacit("ledger", "verify", "runs/demo/ledger.sqlite", "--json", folder=folder).out)["datasets"][
        "redbook"
    ]
    assert verified["granted"] == {"epsilon": 3.0, "delta": 1e-5}
    assert verified["epsilon"] == pytest.approx(promise["value"], abs=1e-6)
    release = findings(folder, "anonymize")
    assert release["smallest class"] >= 5
    assert release["rows suppressed"] <= 0.05
    assert release["highest risk, before"] == 1.0
    assert release["highest risk, after"] <= 0.2
    audit = json.loads((folder / "runs/demo/audit/record.json").read_text())["findings"][0]
    assert (audit["n"], audit["confidence"]) == (1000, 1 - 1e-6)
    assert audit["details"]["contradicts"] is False


def test_the_guard_rails_are_shown(walked: tuple[Path, Answer]) -> None:
    out = re.sub(r"\s+", " ", walked[1].out)
    assert "asks for epsilon 0.5 more: refused, exit code 3" in out
    assert "BudgetExceeded" in out
    assert "noise taken out: refused, exit code 1" in out
    assert "ClaimContradicted" in out


def test_the_planted_fault_exports_nothing_and_touches_nothing_of_the_demo(walked: tuple[Path, Answer]) -> None:
    folder, _ = walked
    broken = folder / "runs/demo-no-noise"
    assert {path.name for path in broken.iterdir() if path.is_dir()} == {"train", "audit", "secret"}
    for step in ("train", "audit"):
        assert [path.name for path in (broken / step).iterdir()] == ["record.json"]
    assert (broken / "ledger.sqlite").exists()
    entries = json.loads(tacit("ledger", "export", "runs/demo/ledger.sqlite", folder=folder).out)["entries"]
    assert sum(entry["kind"] == "dp" for entry in entries) == 1


def test_breaking_it_by_hand_ends_with_exit_code_1(walked: tuple[Path, Answer]) -> None:
    answer = tacit("demo", "--break", "no-noise", folder=walked[0])
    assert answer.code == 1
    assert "proves epsilon >= 4.2" in answer.error


def test_run_again_nothing_is_redone(walked: tuple[Path, Answer]) -> None:
    answer = tacit("demo", folder=walked[0])
    assert answer.code == 0, answer.error
    assert answer.out.count("already done") == 8


def numbers(text: str) -> set[str]:
    """Every number that stands in a text, whole: 0.032 is not one of those of -20.032669."""
    return set(re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])", text))


def test_the_release_edition_names_no_exact_number_of_private_rows(walked: tuple[Path, Answer]) -> None:
    """Fails by chance with probability below 1e-6: of numbers drawn anew at every run only those of five digits and more are looked for, and
    those that the page shows have seventeen; short shares (one half, 0.032) may stand there for another reason."""
    folder, _ = walked
    page = (folder / "runs/demo/report/release.html").read_text() + (folder / "runs/demo/report/release.json").read_text()
    shown, looked_for = numbers(page), 0
    for step in ("evaluate", "attack", "anonymize"):
        for name, value in findings(folder, step).items():
            assert name == "direct identifiers" or f">{name}<" not in page, name
            if isinstance(value, float) and len(repr(value).strip("-0.").replace(".", "")) >= 5:
                assert repr(value) not in shown, name
                looked_for += 1
    assert looked_for >= 10
    for kind in ("e-mail", "sex life", "belief"):  # what the scan found in the rows
        assert kind not in page
    assert "epsilon" in page


def test_an_unknown_fault_is_refused(tmp_path: Path) -> None:
    assert tacit("demo", "--break", "half-noise", folder=tmp_path).code == 2
    assert tacit("demo", "--break", "no-noise", "--eject", folder=tmp_path).code == 2
    assert not list(tmp_path.iterdir())


def test_eject_writes_a_study_and_a_script_of_a_page_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = tacit("demo", "--eject", "--out", "mine", folder=tmp_path)
    assert answer.code == 0, answer.error
    folder = tmp_path / "mine"
    assert {path.name for path in folder.iterdir()} == {"people.csv", "study.toml", "demo.py"}
    assert len((folder / "demo.py").read_text().splitlines()) < 100
    assert tacit("check", folder=folder).code == 0
    script = subprocess.run([sys.executable, "demo.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert script.returncode == 0, script.stderr
    assert "contradicted: False" in script.stdout
    assert "1.00 -> 0.20, 298 rows suppressed" in script.stdout, "the demo's own table"
    assert (folder / "released.csv").exists()
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit, match="spent its budget"):
        runpy.run_path("demo.py", run_name="__main__")
    again = tacit("demo", "--eject", "--out", "mine", folder=tmp_path)
    assert again.code == 2
    assert "--out" in again.error
