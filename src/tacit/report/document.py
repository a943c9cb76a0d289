"""The report's JSON document: the same edition as the HTML, for programs."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tacit.report.editions import Edition, edition_of
from tacit.report.headline import banners
from tacit.report.items import Part, checklist
from tacit.report.reading import is_contradicted
from tacit.report.statement import DatasetLedger, Statement, StepSection
from tacit.report.writing import NOT_STATED, total

SCHEMA_VERSION = 1


def document(original: Statement, edition: Edition) -> str:
    """Return an edition as JSON text: sorted keys, two spaces, ends in a newline; a number that is not finite is null.

    Every finding and every part of an item says its basis; all else is public in the release edition.
    """
    shown = edition_of(original, edition)
    data = {
        "schema": "tacit/statement",
        "schema_version": SCHEMA_VERSION,
        "edition": edition.value,
        "warnings": [asdict(banner) for banner in banners(original, edition)],
        "claim_contradicted": is_contradicted(original),
        "title": shown.title,
        "run": shown.run,
        "created": shown.created,
        "tacit_version": shown.tacit_version,
        "dataset": {"name": shown.dataset, "declared_rows": shown.rows},
        "settings": shown.settings,
        "guarantees": [
            {"what": one.what, "intermediate_models_visible": one.intermediate_models_visible, **one.guarantee.to_json()}
            for one in shown.guarantees
        ],
        "ledgers": [_ledger(ledger) for ledger in shown.ledgers],
        "head": shown.head,
        "randomness": asdict(shown.randomness),
        "steps": [_step(step, edition) for step in shown.steps],
        "items": [
            {
                "number": item.number,
                "title": item.title,
                "parts": {part.key: _part(part) for part in item.parts},
            }
            for item in checklist(shown)
        ],
        "verify_command": shown.verify_command,
    }
    if edition is Edition.CUSTODIAN:
        data["input_hashes"] = shown.input_hashes
    return json.dumps(_json(data), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _part(part: Part) -> dict[str, str]:
    return {"text": NOT_STATED if part.text is None else part.text, "basis": part.basis.value}


def _ledger(ledger: DatasetLedger) -> dict[str, Any]:
    return {**asdict(ledger), "total": total(ledger)}


def _step(step: StepSection, edition: Edition) -> dict[str, Any]:
    public = {"name": step.name, "title": step.title, "settings": step.settings, "versions": step.versions}
    found = [finding.to_json() for finding in step.findings]
    return {**public, "findings": found, **({"seconds": step.seconds} if edition is Edition.CUSTODIAN else {})}


def _json(value: Any) -> Any:
    """Return a value as plain JSON types; a number that is not finite becomes null, anything else its text."""
    if isinstance(value, Mapping):
        return {str(key): _json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else None if isinstance(value, float) else str(value)
