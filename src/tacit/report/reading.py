"""Reads the figures a report shows first out of a statement's findings.

Findings come from other stages; what is missing or malformed here is left out, never an error.

Keys expected in `details`:
    accuracy, auc, ...   model: "private" | "non-private"
    membership-attack    model; roc: [[false alarms, found], ...]; limit: the same for any attack at (epsilon, delta)
    audit                proved: epsilon; contradicts: bool; histogram: {edges, present, absent} of the twins' scores; threshold
    reidentification-risk  when: "before" | "after", or the word in its name; class_sizes: [[size, classes], ...]
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tacit.models.finding import Basis, Finding
from tacit.report.statement import Statement, StepSection

ACTED_ON = 1 - 1e-6
"""Confidence from which an audit may contradict a claim (family-wise); anything lower is shown, not acted on."""

PLOTTED = frozenset({"roc", "limit", "class_sizes", "histogram"})
"""Keys of `details` that are drawn instead of written out, when they hold more than a number."""

PRIVATE, PLAIN = "private", "non-private"


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """A lower bound on epsilon. `acted_on`: its confidence is high enough to contradict a claim."""

    finding: Finding
    lower: float
    proved: float | None
    ceiling: float | None
    confidence: float | None

    @property
    def acted_on(self) -> bool:
        return self.confidence is not None and self.confidence >= ACTED_ON - 1e-12

    @property
    def contradicts(self) -> bool:
        above = self.proved is not None and self.lower > self.proved
        return self.acted_on and (above or self.finding.details.get("contradicts") is True)


def findings(statement: Statement, *kinds: str) -> Iterator[tuple[StepSection, Finding]]:
    """Yield every finding of these kinds with its step, in order."""
    for step in statement.steps:
        for finding in step.findings:
            if finding.kind in kinds:
                yield step, finding


def proved_epsilon(statement: Statement) -> float | None:
    """Return the epsilon of the main guarantee, or None when nothing is promised."""
    return statement.guarantees[0].guarantee.epsilon if statement.guarantees else None


def audits(statement: Statement) -> list[Audit]:
    """Return the audits that ended in a number, most confident first."""
    found = []
    for _, finding in findings(statement, "audit"):
        lower = number(finding.value)
        if lower is None:
            continue
        proved = number(finding.details.get("proved"))
        ceiling = number(finding.ceiling) if finding.ceiling is not None else number(finding.details.get("ceiling"))
        confidence = finding.confidence if finding.confidence is not None else number(finding.details.get("confidence"))
        proved = proved_epsilon(statement) if proved is None else proved
        found.append(Audit(finding=finding, lower=lower, proved=proved, ceiling=ceiling, confidence=confidence))
    return sorted(found, key=lambda audit: -(audit.confidence or 0))


def is_contradicted(statement: Statement) -> bool:
    """Return whether an audit of sufficient confidence contradicts a claim."""
    return any(audit.contradicts for audit in audits(statement))


def of_model(statement: Statement, kind: str, model: str) -> Finding | None:
    """Return the first finding of this kind about the private or the non-private model."""
    return next((finding for step, finding in findings(statement, kind) if model_of(step, finding) == model), None)


def first(statement: Statement, kind: str) -> Finding | None:
    """Return the first finding of this kind that has a number."""
    return next((finding for _, finding in findings(statement, kind) if number(finding.value) is not None), None)


def model_of(step: StepSection, finding: Finding) -> str:
    """Return which model a finding is about: what it says itself, else what its name or its step says."""
    model = finding.details.get("model")
    if model in (PRIVATE, PLAIN):
        return str(model)
    name = finding.name.lower()
    return PLAIN if "non-private" in name or "twin" in name or step.name == "twin" else PRIVATE


def risk(statement: Statement, when: str) -> Finding | None:
    """Return the highest re-identification risk "before" or "after" anonymizing."""
    found = [finding for _, finding in findings(statement, "reidentification-risk") if when_of(finding) == when]
    found = [finding for finding in found if number(finding.value) is not None and finding.unit in ("", "share")]
    highest = [finding for finding in found if "highest" in finding.name.lower()]
    return next(iter(highest + found), None)


def when_of(finding: Finding) -> str:
    """Return "before", "after" or "" for a re-identification finding."""
    when = finding.details.get("when")
    if when in ("before", "after"):
        return str(when)
    return next((word for word in ("before", "after") if word in finding.name.lower()), "")


def strictest(found: Iterable[Finding]) -> Basis:
    """Return the basis that something computed from these findings has: exact if one of them is, else dp, else public."""
    bases = {finding.basis for finding in found}
    return next((basis for basis in (Basis.EXACT, Basis.DP) if basis in bases), Basis.PUBLIC)


def number(value: Any) -> float | None:
    """Return a finite float, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def pairs(value: Any) -> list[tuple[float, float]]:
    """Return [[x, y], ...] as pairs of finite numbers; malformed entries are left out."""
    if not isinstance(value, list | tuple):
        return []
    both = [tuple(number(part) for part in pair) for pair in value if isinstance(pair, list | tuple) and len(pair) == 2]
    return [(x, y) for x, y in both if x is not None and y is not None]


def numbers(value: Any) -> list[float]:
    """Return the finite numbers of a list; [] for anything else."""
    found = [number(part) for part in value] if isinstance(value, list | tuple) else []
    return [part for part in found if part is not None]
