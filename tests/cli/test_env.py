"""`tacit env`: what it needs is looked for first, what is there stays, what is half made is refused, what fails is removed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from command_line import tacit
from tacit.cli import environment
from tacit.errors import RunError

SPARK = environment.ENVIRONMENTS["spark"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the environment would lie, with a Java 17 at hand."""
    monkeypatch.setenv("TACIT_ENVIRONMENTS", str(tmp_path / "environments"))
    java(tmp_path, monkeypatch, 'openjdk version "17.0.15" 2025-04-15')
    return tmp_path / "environments" / "spark"


def java(folder: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    """Put a java that says this about itself where tacit looks."""
    program = folder / "jdk" / "bin" / "java"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(folder / "jdk"))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would be run, in place of running it; the venv is an empty folder with an interpreter."""
    seen: list[list[str]] = []

    def noted(command: list[Any], on_package: Any = None) -> None:
        seen.append([str(one) for one in command])
        if "venv" in command:
            (Path(command[-1]) / "bin").mkdir()
            (Path(command[-1]) / "bin" / "python").touch()

    monkeypatch.setattr(environment, "_run", noted)
    return seen


def test_it_is_made_from_its_pins_alone_then_used_as_it_is(folder: Path, commands: list[list[str]], tmp_path: Path) -> None:
    answer = tacit("env", "create", "spark", folder=tmp_path)
    assert (answer.code, answer.error) == (0, "")
    assert f"spark is ready: {folder}" in " ".join(answer.out.split())
    venv, pins, this, check = commands
    assert venv == [sys.executable, "-m", "venv", str(folder)]
    assert pins[-4:] == ["off", "--no-deps", "-r", str(SPARK.pins)]
    assert Path(this[-1]).is_dir() or this[-1].startswith("tacit")
    assert check[-1] == "check"
    again = tacit("env", "create", "spark", "--json", folder=tmp_path)
    assert json.loads(again.out)["made"] is False
    assert len(commands) == 4


def test_the_list_says_what_is_there(folder: Path, commands: list[list[str]], tmp_path: Path) -> None:
    def state() -> str:
        [row] = json.loads(tacit("env", "list", "--json", folder=tmp_path).out)
        assert row["folder"] == str(folder)
        return str(row["state"])

    assert state() == "absent"
    tacit("env", "create", "spark", folder=tmp_path)
    assert state() == "ready"
    assert "ready" in tacit("env", "list", folder=tmp_path).out
    (folder / "tacit-environment.json").write_text('{"name": "spark", "pins": "others"}')
    assert state() == "outdated"
    (folder / "tacit-environment.json").unlink()
    assert state() == "unfinished"


@pytest.mark.parametrize(("mark", "word"), [(None, "not a finished environment"), ('{"pins": "others"}', "with other pins")])
def test_what_is_half_made_or_of_other_pins_is_refused_and_left_alone(
    folder: Path, commands: list[list[str]], tmp_path: Path, mark: str | None, word: str
) -> None:
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("work")
    if mark is not None:
        (folder / "tacit-environment.json").write_text(mark)
    answer = tacit("env", "create", "spark", folder=tmp_path)
    assert answer.code == 2
    assert word in answer.error
    assert f"rm -r {folder}" in answer.error
    assert commands == []
    assert (folder / "mine.txt").read_text() == "work"


@pytest.mark.parametrize("stop", [RunError("pip failed"), KeyboardInterrupt(), SystemExit(143)])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_what_was_begun_is_removed_when_it_fails_or_is_interrupted(
    folder: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, at: int, stop: BaseException
) -> None:
    honest = environment._run

    def failing(command: list[Any], **more: Any) -> None:
        honest(command, **more)
        if len(commands) > at:
            raise stop

    monkeypatch.setattr(environment, "_run", failing)
    with pytest.raises(type(stop)):
        environment.create(SPARK, lambda *moved: None)
    assert not folder.exists()
    assert SPARK.state() == "absent"


@pytest.mark.parametrize("says", ['openjdk version "11.0.2"', 'java version "1.8.0_292"', 'openjdk version "24.0.1"', "nothing"])
def test_a_java_that_spark_does_not_run_on_is_named_with_the_remedy(
    folder: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str
) -> None:
    java(tmp_path, monkeypatch, says)
    answer = tacit("env", "create", "spark", folder=tmp_path)
    assert answer.code == 2
    assert "Java 17 or 21" in answer.error
    assert "apt-get install openjdk-17-jre-headless" in answer.error
    assert commands == []
    assert not folder.exists()


def test_no_java_at_all_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "no java was found" in tacit("env", "create", "spark", folder=tmp_path).error
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "absent"))
    assert "of no version that it tells" in tacit("env", "create", "spark", folder=tmp_path).error


def test_an_environment_that_is_not_known_is_refused_with_those_that_are(folder: Path, tmp_path: Path) -> None:
    answer = tacit("env", "create", "flower", folder=tmp_path)
    assert (answer.code, "Known: spark" in answer.error) == (2, True)
    assert not folder.parent.exists()


def test_pip_is_heard_while_it_works_and_its_last_words_are_told() -> None:
    said = (
        "import sys; print('Collecting numpy==2.4.6 (from -r x)'); print('Collecting ibis-framework==12.0.0'); print('no space')"
    )
    heard: list[tuple[str, int]] = []
    environment._run([sys.executable, "-c", said], on_package=lambda name, count: heard.append((name, count)))
    assert heard == [("numpy", 1), ("ibis-framework", 2)]
    with pytest.raises(RunError, match=r"exit code 3.*disk space(.|\n)*no space"):
        environment._run([sys.executable, "-c", f"{said}; sys.exit(3)"])


def test_every_package_is_pinned_as_it_is_in_the_base_where_it_is_there_too() -> None:
    def pins(path: Path) -> dict[str, str]:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert all(line.count("==") == 1 for line in lines), path
        return dict(line.split("==") for line in lines)

    constraints = Path(__file__).parents[2] / "constraints"
    base = pins(constraints / "base.txt") | pins(constraints / "test.txt")
    for one in environment.ENVIRONMENTS.values():
        mine = pins(one.pins)
        assert {name: mine[name] for name in mine.keys() & base.keys()} == {
            name: base[name] for name in mine.keys() & base.keys()
        }


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="not run: java")
def test_spark_is_made_and_its_scale_tests_pass_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetches half a gigabyte; $TACIT_ENVIRONMENTS may name a place where the environment is kept for the next time."""
    if "TACIT_ENVIRONMENTS" not in os.environ:
        monkeypatch.setenv("TACIT_ENVIRONMENTS", str(tmp_path))
    answer = tacit("env", "create", "spark", folder=tmp_path)
    assert answer.code == 0, answer.error
    assert SPARK.state() == "ready"
    root = Path(__file__).parents[2]
    pip: list[Any] = [SPARK.python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "-c", root / "constraints" / "test.txt", "pytest"], check=True)
    plain = ["-o", "addopts=", "--import-mode=importlib", "-p", "no:cacheprovider"]
    tests: list[Any] = [root / "tests" / "anonymize" / "scale" / "test_backends.py", "-k", "spark or ibis"]
    done = subprocess.run(
        [SPARK.python, "-m", "pytest", *plain, *tests],
        cwd=root,
        env={**os.environ, "TACIT_REQUIRE": "spark"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "2 passed" in done.stdout
