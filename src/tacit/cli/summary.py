"""The table at the end of a run: accuracy, attack, promise and price on one screen of 80 columns."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tacit.errors import LedgerError
from tacit.report.writing import lower, upper

if TYPE_CHECKING:
    from rich.console import Group

    from tacit.models.finding import Finding
    from tacit.study.run import Run

_MODELS = ("private", "non-private")
_LABEL = 30  # columns of a terminal that a row's name takes


def summary(run: "Run") -> "Group":
    """Return the tables of a run. What was spent is recomputed by a fresh process from the ledger alone."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    findings = [finding for record in run.records.values() for finding in record.findings]
    models = Table(box=SIMPLE_HEAD, title=run.study.settings.study.title or None, title_justify="left", pad_edge=False)
    models.add_column("", min_width=_LABEL)
    for heading in (*_MODELS, "commonest label"):
        models.add_column(heading, justify="right")
    for row in _model_rows(findings):
        models.add_row(*row)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(min_width=_LABEL)
    for label, text in [*_single_rows(findings), *_ledger_rows(run)]:
        facts.add_row(label, text)
    return Group(models, facts) if models.row_count else Group(facts)


def _model_rows(findings: list["Finding"]) -> Iterator[tuple[str, ...]]:
    majority = _of_model(findings, "majority", "private")
    for label, kind, part in (
        ("accuracy on unseen rows", "accuracy", ""),
        ("area under ROC", "auc", ""),
        ("membership attack, AUC", "membership-attack", ": AUC"),
    ):
        cells = [_number(_of_model(findings, kind, model, part)) for model in _MODELS]
        if any(cells):
            yield (label, *cells, _number(majority) if kind == "accuracy" else "")


def _single_rows(findings: list["Finding"]) -> Iterator[tuple[str, str]]:
    by_name = {finding.name: finding for finding in findings}
    before, after = by_name.get("highest risk, before"), by_name.get("highest risk, after")
    if before and after:
        yield "highest re-identification risk", f"{before.value:.3g} -> {after.value:.3g}"
    proved = next((finding for finding in findings if finding.kind == "guarantee"), None)
    if proved is not None:
        yield "epsilon, proved at most", upper(float(proved.value or 0))
    for audit, label in (("canary audit", "epsilon, audited at least"), ("one-run audit", "epsilon, one-run audit at least")):
        found = [by_name[name] for name in (f"{audit}, acted on", f"{audit}, shown") if name in by_name]
        if found:
            levels = [f"{lower(float(one.value or 0))} (at {_percent(one.confidence)})" for one in found]
            yield label, f"{', '.join(levels)}; ceiling {lower(found[0].ceiling or 0)}"


def _percent(confidence: float | None) -> str:
    return f"{100 * (confidence or 0):.6g}%"


def _ledger_rows(run: "Run") -> Iterator[tuple[str, str]]:
    book = _verified(run)["datasets"].get(run.study.settings.budget)
    if book is None:
        raise LedgerError(
            f"the ledger knows nothing of {run.study.settings.budget!r}, so what this run spent cannot be told. Verify it."
        )
    entries = "1 dp entry" if book["blocks"] == 1 else f"{book['blocks']} dp entries"
    yield "epsilon spent, by the ledger", f"{upper(book['epsilon'])} of {book['granted']['epsilon']:g} granted, over {entries}"
    counted = Counter(book["not_dp"])
    lines = [what if times == 1 else f"{what} ({times} times)" for what, times in counted.items()]
    yield "and releases without any", "\n".join(lines) or "none"


def _verified(run: "Run") -> Any:
    """Return what `tacit ledger verify` finds in a fresh process. Raises LedgerError when the ledger is not whole."""
    path = run.study.beside(run.study.settings.ledger.path)
    command = [sys.executable, "-m", "tacit", "ledger", "verify", str(path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LedgerError(f"the ledger {path} does not verify: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout)


def _of_model(findings: list["Finding"], kind: str, model: str, part: str = "") -> "Finding | None":
    of_kind = (finding for finding in findings if finding.kind == kind and finding.details.get("model") == model)
    return next((finding for finding in of_kind if finding.name.endswith(part)), None)


def _number(finding: "Finding | None") -> str:
    if finding is None:
        return ""
    if not isinstance(finding.value, float):
        return "void"  # the report says why
    return f"{finding.value:.1%}" if finding.unit == "share" else f"{finding.value:.3f}"
