"""Every snippet of the documentation runs, and does what its page says."""

import importlib.util
import re
from pathlib import Path

import pytest

from page_snippets import ROOT, RUN, WrongSnippetError, is_slow, pages, run_page, snippets

MOST_EXCUSED = 5
"""Snippets in all pages together that may be shown without being run."""


def _parameters() -> list[object]:
    names = [str(page.relative_to(ROOT)) for page in pages()]
    return [
        pytest.param(page, id=name, marks=[pytest.mark.slow] if is_slow(page) else [])
        for page, name in zip(pages(), names, strict=True)
    ]


@pytest.mark.parametrize("page", _parameters())
def test_every_snippet_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    needed = re.search(r"<!-- needs: (.+?) -->", page.read_text(encoding="utf-8"))
    for module in needed[1].split(", ") if needed else ():
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"not run: {needed[1] if needed else module}")
    run_page(page, tmp_path)


def test_few_snippets_are_shown_without_being_run() -> None:
    excused = [snippet for page in pages() for snippet in snippets(page) if snippet.language in RUN and snippet.excuse]
    assert len(excused) <= MOST_EXCUSED, [(str(one.page), one.line, one.excuse) for one in excused]


def _page(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text.replace("'''", "```"), encoding="utf-8")
    return page


def test_a_right_page_passes_and_its_snippets_share_a_namespace_and_a_folder(tmp_path: Path) -> None:
    page = _page(
        tmp_path,
        "'''python\nx = 1\nfrom pathlib import Path\nPath('a.csv').write_text('age\\n30\\n')\n'''\n\n'''python\nassert x == 1\n'''\n\n"
        "'''console\n$ tacit init a.csv   # a comment\nWrote ...\nThen: tacit check\n$ tacit check\nmissing\n$ echo $?\n2\n'''\n"
        "'''toml\n[anonymize]\nk = 7\n'''\n<!-- not run: an example -->\n'''python\nraise SystemExit\n'''\n'''text\n$ anything\n'''\n",
    )
    assert run_page(page, tmp_path) == 4


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("'''python\nassert 1 == 2\n'''\n", "AssertionError"),
        ("'''python\nfrom tacit import Ledgr\n'''\n", "Ledgr"),
        ("'''python\nx =\n'''\n", "SyntaxError"),
        ("'''console\n$ tacit --version\ntacit 99\n'''\n", "tacit 99"),
        ("'''console\n$ tacit --version\n0.1\ntacit\n'''\n", "in this order"),
        ("'''console\n$ tacit check nothing.toml\n'''\n", "exit code 2"),
        ("'''console\n$ tacit check nothing.toml\n$ tacit --version\n'''\n", "exit code 2"),
        ("'''console\n$ tacit check nothing.toml\n$ echo $?\n3\n'''\n", "exit code was 2"),
        ("'''console\n$ tacit verbless\n$ echo $?\n0\n'''\n", "exit code was 2"),
        ("'''console\n$ make demmo\n'''\n", "no target demmo"),
        ("'''console\n$ rm file\n'''\n", "'rm' is not run here"),
        ("'''console\ntacit --version\n'''\n", "begins with"),
        ("'''toml\n[anonymize]\nkk = 7\n'''\n", "kk"),
        ("'''toml\n[columns.age]\nrole = \"quasi\"\nbounds = [20, 80]\nhierarchy = { widths = [10, 15] }\n'''\n", "multiple"),
        ("'''toml\n[study]\nname = \"a\"\n[data]\npath = \"a.csv\"\n'''\n", "rows"),
        ("'''toml\nk = 4 4\n'''\n", "TOML"),
        ("'''json\n{'a': 1}\n'''\n", "not JSON"),
        ("'''bash\ntacit --version\n'''\n", "language 'bash'"),
        ("'''\ntacit --version\n'''\n", "language ''"),
        ("'''python\nx = 1\n", "without an end"),
        ("'''python {run=never}\nx = 1\n'''\n", "language"),
    ],
)
def test_a_wrong_snippet_is_found(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(WrongSnippetError, match=problem):
        run_page(_page(tmp_path, text), tmp_path)
