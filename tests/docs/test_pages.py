"""The reference is complete and its links hold: every key, verb, option and error class is in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from page_snippets import ROOT, pages
from tacit import errors
from tacit.cli.app import app
from tacit.study import settings

DOCS = ROOT / "docs"
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def _sections(page: Path) -> dict[str, str]:
    """Return a page's second-level sections by heading."""
    parts = re.split(r"^## +(.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {heading.strip().strip("`"): body for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def _tables() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield each table a study file may have, as it is written there."""
    for name, field in settings.StudySettings.model_fields.items():
        if name == "columns":
            yield "[columns.NAME]", settings.ColumnTable
            continue
        kinds = [*getattr(field.annotation, "__args__", ()), field.annotation]
        yield f"[{name}]", next(one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel))


def _default(field: Any) -> str:
    """Return a key's default as a study file would write it, or what stands for it."""
    value = field.default
    if value is PydanticUndefined:
        return "required"
    match value:
        case None:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f'`"{value.value if hasattr(value, "value") else value}"`'
        case tuple() | list():
            return f"`{list(value)}`"
        case float() if value < 1e-3:
            return f"`{value:.0e}`".replace("e-0", "e-")
        case _:
            return f"`{value}`"


_KEYS = [(heading, key, _default(field)) for heading, table in _tables() for key, field in table.model_fields.items()]


@pytest.mark.parametrize(("heading", "key", "default"), _KEYS)
def test_every_key_of_a_study_is_in_the_reference_with_its_default(heading: str, key: str, default: str) -> None:
    section = _sections(DOCS / "reference/study.md")[heading]
    row = re.search(rf"^\| `{key}` \|(.+)\|$", section, flags=re.MULTILINE)
    assert row, f"{heading} has no row for `{key}`"
    assert default in [cell.strip() for cell in row[1].split("|")], f"{heading} {key}: {row[0]}"


def test_the_reference_has_no_key_that_a_study_has_not() -> None:
    written = {
        (heading, key)
        for heading, section in _sections(DOCS / "reference/study.md").items()
        if heading.startswith("[")
        for key in re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
    }
    assert written == {(heading, key) for heading, key, _ in _KEYS}


def _verbs() -> Iterator[tuple[str, Any]]:
    for name, verb in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(verb, "commands", None)
        if inner is None:
            yield f"tacit {name}", verb
        else:
            yield from ((f"tacit {name} {below}", one) for below, one in inner.items())


_OPTIONS = [
    (heading, option)
    for heading, verb in _verbs()
    for one in verb.params
    for option in ([one.name.upper()] if one.param_type_name == "argument" else one.opts)
]


@pytest.mark.parametrize(("heading", "option"), _OPTIONS)
def test_every_argument_and_option_of_the_command_line_is_in_the_reference(heading: str, option: str) -> None:
    section = _sections(DOCS / "reference/cli.md")[heading]
    assert re.search(rf"^\| .*`{option}\b[^`]*`.* \|$", section, flags=re.MULTILINE), f"{heading} has no row for {option}"


def test_the_reference_has_no_verb_and_no_option_that_the_command_line_has_not() -> None:
    for heading, section in _sections(DOCS / "reference/cli.md").items():
        if heading.startswith("tacit "):
            known = {option for verb, option in _OPTIONS if verb == heading}
            assert known, heading
            rows = "\n".join(re.findall(r"^\|([^|]+)\|", section, flags=re.MULTILINE))
            assert set(re.findall(r"`(--[\w-]+)", rows)) <= known, heading


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_class_is_in_the_reference_with_its_exit_code(name: str) -> None:
    code = getattr(errors, name).exit_code
    text = (DOCS / "reference/errors.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{name}` \| {code} \|", text, flags=re.MULTILINE), f"{name} with exit code {code}"


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, spelled as mkdocs and GitHub agree to spell simple ones."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_internal_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), f"{page.name} links to {link}"
        assert not anchor or anchor in _anchors(target), f"{page.name} links to {link}: no such heading"


def test_every_page_is_in_the_table_of_contents() -> None:
    named = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE))
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if "decisions" not in page.parts}
    assert named == there
