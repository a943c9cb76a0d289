"""Runs the command `tacit` in this process, as a shell would: its output, its messages and its exit code."""

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    error: str


def tacit(*arguments: str | Path, folder: Path) -> Answer:
    """Run `tacit ARGUMENTS` with `folder` as the current folder."""
    from tacit.cli.app import main

    out, error = io.StringIO(), io.StringIO()
    before_folder, before_arguments = Path.cwd(), sys.argv
    os.chdir(folder)
    sys.argv = ["tacit", *map(str, arguments)]
    code: object = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        os.chdir(before_folder)
        sys.argv = before_arguments
    return Answer(code=code if isinstance(code, int) else 0, out=out.getvalue(), error=error.getvalue())


def start(*arguments: str | Path, folder: Path) -> subprocess.Popen[str]:
    """Start `tacit ARGUMENTS` as a process of its own."""
    command = [sys.executable, "-m", "tacit", *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def in_process(*arguments: str | Path, folder: Path) -> Answer:
    """Run `tacit ARGUMENTS` as a process of its own and wait for it."""
    process = start(*arguments, folder=folder)
    out, error = process.communicate(timeout=240)
    return Answer(code=process.returncode, out=out, error=error)


def grant(folder: Path, *, epsilon: float = 2.0, dataset: str = "people") -> None:
    """Grant the small study its budget."""
    answer = tacit("ledger", "grant", "ledger.sqlite", dataset, "--epsilon", str(epsilon), folder=folder)
    assert answer.code == 0, answer.error
