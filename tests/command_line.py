"""Runs the command `tacit` in this process, as a shell would: its output, its messages and its exit code."""

import contextlib
import io
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

_RUN = subprocess.run


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    error: str


def tacit(*arguments: str | Path, folder: Path, one_process: bool = True, pictures: bool = False) -> Answer:
    """Run `tacit ARGUMENTS` with `folder` as the current folder.

    pictures    -- `tacit run` renders its report's pictures; otherwise all is drawn and laid out but nothing is rendered, which would
                   be half of a small study's time. What the pictures look like is the report's tests' and the demo's matter.
    one_process -- the commands that it starts in processes of their own, such as `tacit ledger verify` at the end of a run, run in
                   this one too: the same answers, without the second in which a fresh Python imports what it needs.
    """
    from tacit.cli.app import main

    out, error = io.StringIO(), io.StringIO()
    before_folder, before_arguments = Path.cwd(), sys.argv
    os.chdir(folder)
    sys.argv = ["tacit", *map(str, arguments)]
    code: object = 0
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(error),
            mock.patch("subprocess.run", _started if one_process else _RUN),
            _empty_pictures() if arguments[:1] == ("run",) and not pictures else contextlib.nullcontext(),
        ):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        os.chdir(before_folder)
        sys.argv = before_arguments
    return Answer(code=code if isinstance(code, int) else 0, out=out.getvalue(), error=error.getvalue())


def _empty_pictures() -> contextlib.AbstractContextManager[Any]:
    def empty(figure: Any, sheet: Any, **settings: Any) -> None:
        sheet.write('<svg viewBox="0 0 1 1"></svg>')

    return mock.patch("matplotlib.figure.Figure.savefig", empty)


def _started(command: list[str], **settings: Any) -> "subprocess.CompletedProcess[Any]":
    """Run a command that tacit starts: here when it is tacit itself, else as it is."""
    if command[:3] != [sys.executable, "-m", "tacit"]:
        return _RUN(command, **settings)
    assert settings == {"capture_output": True, "text": True, "check": False}, "else the answer would not be what a process gives"
    answer = tacit(*command[3:], folder=Path.cwd())
    return subprocess.CompletedProcess(command, answer.code, answer.out, answer.error)


def start(*arguments: str | Path, folder: Path) -> subprocess.Popen[str]:
    """Start `tacit ARGUMENTS` as a process of its own."""
    command = [sys.executable, "-m", "tacit", *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_in_mid_training(folder: Path) -> None:
    """Start `tacit run` as a process of its own and kill it when it has taken steps.

    A checkpoint stands before anything is charged; the one that replaces it is written after the first steps.
    """
    process = start("run", folder=folder)
    seen: set[int] = set()
    deadline = time.monotonic() + 240
    while len(seen) < 2 and process.poll() is None and time.monotonic() < deadline:
        for path in folder.glob("runs/*/secret/*.checkpoint"):
            with contextlib.suppress(FileNotFoundError):
                seen.add(path.stat().st_ino)
        time.sleep(0.005)
    process.kill()
    _, error = process.communicate()
    assert process.returncode < 0, f"it ended by itself: {error}"
    assert len(seen) == 2, "it took no steps"


def grant(folder: Path, *, epsilon: float = 2.0, dataset: str = "people") -> None:
    """Grant the small study its budget."""
    answer = tacit("ledger", "grant", "ledger.sqlite", dataset, "--epsilon", str(epsilon), folder=folder)
    assert answer.code == 0, answer.error
