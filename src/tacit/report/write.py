"""Writes the two editions of a report, each as HTML and JSON, whole or not at all."""

from dataclasses import dataclass
from pathlib import Path

from tacit.errors import RunError
from tacit.privacy.ledger import durable
from tacit.report.document import document
from tacit.report.editions import Edition
from tacit.report.html import page
from tacit.report.statement import Statement


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportPaths:
    """Where the four files are."""

    custodian_html: Path
    release_html: Path
    custodian_json: Path
    release_json: Path


def write_report(statement: Statement, folder: Path | str) -> ReportPaths:
    """Write custodian.html, release.html, custodian.json and release.json into a folder, made if absent.

    Each file appears whole or not at all; the custodian's are readable by their owner only. The same statement gives the
    same bytes. Raises RunError when the folder cannot be written, ConfigError when an answer names no report item.
    """
    folder = Path(folder)
    texts = {
        folder / f"{edition.value}{suffix}": (render(statement, edition), 0o600 if edition is Edition.CUSTODIAN else 0o644)
        for edition in Edition
        for suffix, render in ((".html", page), (".json", document))
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, (text, mode) in texts.items():
            durable.replace(path, text.encode("utf-8", "backslashreplace"), mode=mode)
    except OSError as error:
        raise RunError(
            f"the report could not be written to {folder}: {error.strerror or error}. What stood there before is unharmed. "
            "Free some space or choose a folder you may write to, then run the same command again; finished steps are kept."
        ) from error
    names = [folder / name for name in ("custodian.html", "release.html", "custodian.json", "release.json")]
    return ReportPaths(custodian_html=names[0], release_html=names[1], custodian_json=names[2], release_json=names[3])
