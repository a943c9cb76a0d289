"""What a finished step leaves: a folder with its artifacts and a record. Written aside, then renamed: whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit.errors import ConfigError, RunError
from tacit.models.finding import Finding
from tacit.privacy.ledger import durable

FORMAT = 1
"""Of run folders; a folder of another format is refused, never guessed at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """How a step came about and what it found.

    key       -- hash of everything the step depends on; the same key means the same work.
    settings  -- the part of the study it depends on, as written.
    inputs    -- input name to SHA-256. artifacts -- file name to SHA-256.
    """

    step: str
    key: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    findings: tuple[Finding, ...]
    seconds: float
    versions: Mapping[str, str]
    finished: str
    artifacts: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        data = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "findings"}
        data |= {"format": FORMAT, "findings": [finding.to_json() for finding in self.findings]}
        text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        durable.replace(folder / "record.json", text.encode())  # exact findings: for their owner alone


def read_record(folder: Path) -> Record | None:
    """Return the record in a step's folder; None when the step has not finished there.

    Raises RunError when it was written by another version or is damaged.
    """
    path = folder / "record.json"
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("format", None) != FORMAT:
            raise ValueError("another format")
        findings = tuple(Finding.from_json(one) for one in data.pop("findings"))
        return Record(findings=findings, **data)
    except (ValueError, TypeError, KeyError, AttributeError, ConfigError) as error:
        raise RunError(
            f"{path} was written by another version of tacit or is damaged ({type(error).__name__}). Nothing was changed. Move the folder "
            f"{folder.parent} away to start afresh (what the ledger charged stays charged), or use the version that wrote it."
        ) from None


@contextmanager
def step_folder(final: Path, retire: Callable[[], None]) -> Iterator[Path]:
    """Yield an empty folder to fill; when the block ends well the old one is retired and this takes its place.

    When the block does not end well it vanishes. A kill between the two moves leaves no finished step, so it is done again.
    """
    partial = final.with_name(final.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        retire()
        os.rename(partial, final)
        durable.sync_folder(final.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str, ensure_ascii=False).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def artifact_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a step's folder, but its record."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "record.json")
    return {str(path.relative_to(folder)): file_digest(path) for path in files}
