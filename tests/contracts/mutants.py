"""A copy of the source with a fault in it, and whether a named test notices."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import tacit

ROOT = Path(__file__).parents[2]
SOURCE = Path(tacit.__file__).parent
SECONDS = 300
"""Longest that one test may take on a faulty copy before the check gives up."""

_COPY_ONLY = """\
import pathlib, tacit
assert pathlib.Path(tacit.__file__).parents[1] == pathlib.Path(__file__).parent, f"the copy is not what runs: {tacit.__file__}"
"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How pytest ended (0 passed, 1 failed, all else never came to a verdict), and the end of what it printed."""

    code: int
    text: str


def copy_source(folder: Path) -> Path:
    """Copy the package below `folder`, which then goes on PYTHONPATH, and return the copy's own folder."""
    copy = folder / "tacit"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "only_the_copy.py").write_text(_COPY_ONLY, encoding="utf-8")
    return copy


def run_tests(folder: Path, *tests: str) -> Outcome:
    """Run the named tests of this project against the copy in `folder`; refuses to run them against any other tacit."""
    environment = {name: value for name, value in os.environ.items() if name not in ("TACIT_KEYS", "PYTEST_ADDOPTS")}
    environment |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "only_the_copy", "-m", "", *tests]
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    return Outcome(code=done.returncode, text=(done.stdout + done.stderr)[-4000:])


def missing_tests(names: Iterable[str]) -> list[str]:
    """Return those of the named tests ("tests/x.py::test_y" or "...[case]") whose file has no such function."""
    return [name for name in names if not _has_test(*name.partition("[")[0].split("::"))]


def _has_test(file: str, test: str) -> bool:
    path = ROOT / file
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.is_file() else iter(())
    return any(isinstance(node, ast.FunctionDef) and node.name == test for node in nodes)


def plant(copy: Path, file: str, edits: tuple[tuple[str, str], ...]) -> None:
    """Replace texts that occur exactly once in a file of the copy; the result is still Python."""
    text = (copy / file).read_text(encoding="utf-8")
    for old, new in edits:
        assert text.count(old) == 1, f"{file} holds {text.count(old)} times: {old}"
        text = text.replace(old, new)
    ast.parse(text)
    (copy / file).write_text(text, encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call in the source.

    place -- of the function it stands in, "Class.method"; called -- what is called, as written; number -- which of several.
    first, last -- offsets of the call's text in the file, in characters.
    """

    file: str
    place: str
    called: str
    number: int
    first: int
    last: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.file, self.place, self.called, self.number


def calls(source: Path) -> Iterator[Call]:
    """Yield every call below a folder of Python files, in order."""
    for path in sorted(source.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        seen: dict[tuple[str, str], int] = {}
        for place, node in _placed_calls(ast.parse(text), ()):
            called = ast.unparse(node.func)
            seen[place, called] = seen.get((place, called), 0) + 1
            yield Call(
                file=path.relative_to(source).as_posix(),
                place=place,
                called=called,
                number=seen[place, called],
                first=_offset(text, node.lineno, node.col_offset),
                last=_offset(text, node.end_lineno or 0, node.end_col_offset or 0),
            )


def _placed_calls(node: ast.AST, place: tuple[str, ...]) -> Iterator[tuple[str, ast.Call]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield ".".join(place), child
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from _placed_calls(child, (*place, child.name) if named else place)  # type: ignore[attr-defined]


def _offset(text: str, line: int, column: int) -> int:
    """Return the offset in characters of a place that ast counts in lines and UTF-8 bytes."""
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())
