"""Virtual environments for what cannot live beside tacit: each a file of pins, a check of what it needs, a folder of its own."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from tacit.errors import ConfigError, RunError

State = Literal["absent", "ready", "outdated", "unfinished"]
Progress = Callable[[str, int, int], None]

_COMPLETE = "tacit-environment.json"
_SPARK_JAVA = range(17, 24)
"""Versions of Java that Spark 4.0 runs on: its documentation names 17 and 21; what it asks of the security manager ended with 24."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An environment that tacit can make. Its pins are the file pins/NAME.txt: all that is installed, tacit itself apart.

    purpose -- what it is for, in a line. require -- raises ConfigError, with the remedy, when a program that pip cannot bring is absent.
    """

    name: str
    purpose: str
    require: Callable[[], None]

    @property
    def pins(self) -> Path:
        """The requirements file."""
        return Path(__file__).with_name("pins") / f"{self.name}.txt"

    @property
    def folder(self) -> Path:
        """$TACIT_ENVIRONMENTS/NAME, by default below $XDG_DATA_HOME/tacit or ~/.local/share/tacit."""
        if places := os.environ.get("TACIT_ENVIRONMENTS"):
            return Path(places).absolute() / self.name
        data = os.environ.get("XDG_DATA_HOME")
        return (Path(data) if data else Path.home() / ".local" / "share") / "tacit" / "environments" / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def state(self) -> State:
        """Say whether it is there, complete, and what this version of tacit would make."""
        if not os.path.lexists(self.folder):
            return "absent"
        try:
            made = json.loads((self.folder / _COMPLETE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return "unfinished"
        return "ready" if made == self._made() and self.python.exists() else "outdated"

    def _made(self) -> dict[str, str]:
        return {"name": self.name, "tacit": metadata.version("tacit"), "pins": hashlib.sha256(self.pins.read_bytes()).hexdigest()}


def create(environment: Environment, on_progress: Progress) -> bool:
    """Make the environment; False when it is there already. What was begun is removed when it fails or is interrupted.

    on_progress -- called with (what is being done, packages fetched, in all).
    Raises ConfigError when a program it needs is absent, or when what is there is unfinished or of other pins; RunError when pip fails.
    """
    state = environment.state()
    if state == "ready":
        return False
    if state != "absent":
        raise ConfigError(_IN_THE_WAY[state].format(folder=environment.folder, name=environment.name))
    environment.require()
    total = sum(1 for line in environment.pins.read_text(encoding="utf-8").splitlines() if "==" in line)
    environment.folder.parent.mkdir(parents=True, exist_ok=True)
    environment.folder.mkdir()  # of two at once, one fails here
    try:
        on_progress("making the virtual environment", 0, total)
        _run([sys.executable, "-m", "venv", environment.folder])
        pip = [environment.python, "-m", "pip", "--disable-pip-version-check"]
        quiet = ["--no-input", "--progress-bar", "off", "--no-deps"]
        _run([*pip, "install", *quiet, "-r", environment.pins], on_package=lambda name, n: on_progress(name, n, total))
        on_progress("tacit", total, total)
        _run([*pip, "install", *quiet, *_this_tacit()])
        _run([*pip, "check"])
        (environment.folder / _COMPLETE).write_text(json.dumps(environment._made()) + "\n", encoding="utf-8")
    except BaseException:
        shutil.rmtree(environment.folder, ignore_errors=True)
        raise
    return True


_IN_THE_WAY = {
    "unfinished": (
        "{folder} is not a finished environment: `tacit env create {name}` was killed there, is still at work, or something else lies "
        "there. Half an environment would fail later and elsewhere. If nothing works on it, remove it (rm -r {folder}) and try again."
    ),
    "outdated": (
        "{folder} was made by another version of tacit or with other pins, and what runs in it would not be what was tested. "
        "Remove it (rm -r {folder}), then: tacit env create {name}"
    ),
}


def _run(command: list[Any], on_package: Callable[[str, int], None] | None = None) -> None:
    """Run a command to its end, telling of each package that pip begins with. Raises RunError with its last lines when it fails."""
    last: deque[str] = deque(maxlen=12)
    packages = 0
    with subprocess.Popen(
        [str(one) for one in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        try:
            for line in process.stdout or ():
                last.append(line.rstrip())
                if on_package and (found := re.match(r"Collecting ([\w.-]+)", line)):
                    packages += 1
                    on_package(found[1], packages)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RunError(
            f"the environment could not be made: {' '.join(str(one) for one in command[1:4])} ended with exit code "
            f"{process.returncode}. What was begun is removed. Mend what it says (a connection, a proxy, disk space), then try again:\n"
            + "\n".join(last)
        )


def _this_tacit() -> list[str]:
    """Return what pip is told to install this very tacit: its folder, its address, or its version in the index."""
    text = metadata.distribution("tacit").read_text("direct_url.json")
    if text is None:
        return [f"tacit=={metadata.version('tacit')}"]
    direct = json.loads(text)
    if "vcs_info" in direct:
        return [f"tacit @ {direct['vcs_info']['vcs']}+{direct['url']}@{direct['vcs_info']['commit_id']}"]
    return [*(["--editable"] if direct.get("dir_info", {}).get("editable") else []), direct["url"].removeprefix("file://")]


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home, "bin", "java")) if home else shutil.which("java")
    version = None if program is None else _java_version(program)
    if version not in _SPARK_JAVA:
        found = "no java was found" if program is None else f"{program} is Java {version or 'of no version that it tells'}"
        raise ConfigError(
            f"Spark runs on Java 17 or 21, and {found}. pip cannot bring it, so nothing was made. On Debian or Ubuntu: "
            "apt-get install openjdk-17-jre-headless (as root); elsewhere install a JDK 17 and set JAVA_HOME. Then try again."
        )


def _java_version(program: str) -> int | None:
    try:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return None
    found = re.search(r'version "(\d+)', said.stderr + said.stdout)
    return int(found[1]) if found else None


ENVIRONMENTS = {
    one.name: one
    for one in (
        Environment(name="spark", purpose="anonymize_file with Spark, on one machine or a cluster", require=_require_java),
    )
}
