"""Reads the snippets of a documentation page and runs them: Python in one namespace, commands in one folder, TOML checked.

    ```python    executed, in order, in one namespace per page
    ```console   lines `$ tacit ...` are run; what is written below a command must appear in its output, in order
                 (`...` stands for anything, runs of spaces for one); `$ echo $?` and a number state the exit code, else 0;
                 `$ make TARGET` is not run (it would start this very test): the Makefile must have the target
    ```toml      a study is loaded by the study loader; a fragment is laid over a small study and checked as one; anything
                 else must be TOML. With a first line `# name.toml` it is written under that name into the page's folder
    ```json      must be JSON
    ```text      shown, not run

`<!-- not run: reason -->` on the line above excuses a snippet; `<!-- slow: reason -->` anywhere marks a page slow.
"""

import copy
import json
import os
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command_line import tacit
from small_study import TEXT
from tacit.anonymize import hierarchy_for
from tacit.study.loading import load_study
from tacit.study.settings import StudySettings

ROOT = Path(__file__).parents[1]
RUN = ("python", "console", "toml", "json")
LANGUAGES = (*RUN, "text")
_FENCE = re.compile(r"^(\s*)```(.*)$")
_EXCUSE = re.compile(r"<!-- not run: (.+?) -->")
_SLOW = re.compile(r"<!-- slow: (.+?) -->")


class WrongSnippetError(AssertionError):
    """A snippet does not do what its page says."""


@dataclass(frozen=True)
class Snippet:
    """One fenced block. line -- of its first line in the page. excuse -- why it is not run; "" when it is."""

    page: Path
    line: int
    language: str
    text: str
    excuse: str

    def fail(self, problem: str) -> WrongSnippetError:
        return WrongSnippetError(f"{self.page}:{self.line}: {problem}")


@dataclass
class Shell:
    """What a page's snippets share: a folder, a Python namespace, and the exit code of the last command."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    code: int = 0


def pages() -> list[Path]:
    """Return README.md and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def is_slow(page: Path) -> bool:
    return _SLOW.search(page.read_text(encoding="utf-8")) is not None


def snippets(page: Path) -> Iterator[Snippet]:
    """Yield a page's fenced blocks in order. Raises WrongSnippetError for an unknown language or an open fence."""
    opened: tuple[int, str, str] | None = None
    body: list[str] = []
    before = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            excuse = _EXCUSE.fullmatch(before.strip())
            opened, body = (number + 1, fence.group(2).strip(), excuse.group(1) if excuse else ""), []
            if opened[1] not in LANGUAGES:
                raise WrongSnippetError(f"{page}:{number}: language {opened[1]!r}; known are {', '.join(LANGUAGES)}")
        elif opened is not None and fence and not fence.group(2):
            yield Snippet(page, opened[0], opened[1], textwrap.dedent("\n".join(body)) + "\n", opened[2])
            opened = None
        elif opened is not None:
            body.append(line)
        before = line
    if opened is not None:
        raise WrongSnippetError(f"{page}:{opened[0]}: a snippet without an end")


def run_page(page: Path, folder: Path) -> int:
    """Run a page's snippets in a folder and return how many ran. Raises WrongSnippetError at the first that is wrong."""
    shell, ran = Shell(folder), 0
    for snippet in snippets(page):
        if snippet.language in RUN and not snippet.excuse:
            _RUNNERS[snippet.language](snippet, shell)
            ran += 1
    return ran


def _python(snippet: Snippet, shell: Shell) -> None:
    before = Path.cwd()
    os.chdir(shell.folder)
    try:
        code = compile("\n" * (snippet.line - 1) + snippet.text, str(snippet.page), "exec")
        exec(code, shell.names)  # noqa: S102 (that the page runs is the test)
    except Exception as error:
        raise snippet.fail(f"{type(error).__name__}: {error}") from error
    finally:
        os.chdir(before)


def _console(snippet: Snippet, shell: Shell) -> None:
    for command, expected in _commands(snippet):
        if command == "echo $?":
            if expected.split() != [str(shell.code)]:
                raise snippet.fail(f"the exit code was {shell.code}, the page says {expected!r}")
            shell.code = 0
            continue
        if shell.code:
            raise snippet.fail(f"a command ended with exit code {shell.code}, which the page does not say")
        words = shlex.split(command, comments=True)
        if words[0] == "make":
            _check_targets(snippet, words[1:])
            continue
        if words[0] != "tacit":
            raise snippet.fail(f"{words[0]!r} is not run here: use tacit, Python or <!-- not run: reason -->")
        answer = tacit(*words[1:], folder=shell.folder)
        shell.code = answer.code
        _compare(snippet, command, expected, answer.out + "\n" + answer.error)
    if shell.code:
        raise snippet.fail(f"the last command ended with exit code {shell.code}, which the page does not say")


def _check_targets(snippet: Snippet, targets: list[str]) -> None:
    known = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    if unknown := set(targets) - set(known):
        raise snippet.fail(f"the Makefile has no target {', '.join(sorted(unknown))}")


def _commands(snippet: Snippet) -> Iterator[tuple[str, str]]:
    """Yield each command with the output written below it."""
    joined = snippet.text.replace("\\\n", " ")
    if not joined.startswith("$ "):
        raise snippet.fail("a console snippet begins with `$ `")
    for part in re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command.strip(), expected.strip()


def _compare(snippet: Snippet, command: str, expected: str, output: str) -> None:
    said, position = " ".join(output.split()), 0
    for piece in (" ".join(piece.split()) for line in expected.splitlines() for piece in line.split("...")):
        found = said.find(piece, position)
        if found < 0:
            raise snippet.fail(f"`{command}` did not print {piece!r} (in this order); it printed:\n{output}")
        position = found + len(piece)


def _toml(snippet: Snippet, shell: Shell) -> None:
    try:
        data = tomllib.loads(snippet.text)
        name = re.match(r"# (\S+\.toml)\n", snippet.text)
        path = shell.folder / (name.group(1) if name else "snippet.toml")
        if name:
            path.write_text(snippet.text, encoding="utf-8")
        if "study" in data and "data" in data:
            path.write_text(snippet.text, encoding="utf-8")
            load_study(path)
        elif data.keys() & StudySettings.model_fields.keys():
            _check_fragment(data, shell.folder)
    except Exception as error:
        raise snippet.fail(f"{type(error).__name__}: {error}") from error


def _check_fragment(data: dict[str, Any], folder: Path) -> None:
    """Check some tables of a study as part of a whole one; the columns that it names replace those of the small study."""
    whole = _laid_over(tomllib.loads(TEXT), data)
    settings = StudySettings.model_validate(whole)
    schema = settings.table_schema
    for name in data.get("columns", {}):
        if settings.columns[name].role == "quasi":
            hierarchy_for(schema[name], settings.columns[name].hierarchy, folder=folder)


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    whole = copy.deepcopy(below)
    if any(column.get("role") == "label" for column in above.get("columns", {}).values()):
        del whole["columns"]["ill"]  # one label only
    for key, value in above.items():
        whole[key] = {**whole.get(key, {}), **value} if isinstance(value, dict) else value
    return whole


def _json(snippet: Snippet, shell: Shell) -> None:
    try:
        json.loads(snippet.text)
    except ValueError as error:
        raise snippet.fail(f"not JSON: {error}") from error


_RUNNERS = {"python": _python, "console": _console, "toml": _toml, "json": _json}
