"""What a study found, written down: one offline HTML file with plots in two editions, and the same as JSON."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.report.editions import Edition, for_release
    from tacit.report.items import checklist, missing
    from tacit.report.statement import (
        DatasetLedger,
        DpEntry,
        ListedEntry,
        Randomness,
        StatedGuarantee,
        Statement,
        StepSection,
    )
    from tacit.report.write import ReportPaths, write_report

_PUBLIC = {
    "DatasetLedger": "tacit.report.statement",
    "DpEntry": "tacit.report.statement",
    "Edition": "tacit.report.editions",
    "ListedEntry": "tacit.report.statement",
    "Randomness": "tacit.report.statement",
    "ReportPaths": "tacit.report.write",
    "StatedGuarantee": "tacit.report.statement",
    "Statement": "tacit.report.statement",
    "StepSection": "tacit.report.statement",
    "checklist": "tacit.report.items",
    "for_release": "tacit.report.editions",
    "missing": "tacit.report.items",
    "write_report": "tacit.report.write",
}

__all__ = [
    "DatasetLedger",
    "DpEntry",
    "Edition",
    "ListedEntry",
    "Randomness",
    "ReportPaths",
    "StatedGuarantee",
    "Statement",
    "StepSection",
    "checklist",
    "for_release",
    "missing",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tacit.report' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
