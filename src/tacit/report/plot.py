"""One plot and where it stands."""

from dataclasses import dataclass

from tacit.models.finding import Basis
from tacit.report.statement import Statement


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """One plot as inline SVG, the name of the step in whose chapter it stands, and the basis of what it shows."""

    step: str
    svg: str
    caption: str
    basis: Basis


def last_step(statement: Statement, kind: str) -> str:
    """Return the name of the last step with a finding of this kind: by then all it is compared with is known."""
    return next((step.name for step in reversed(statement.steps) if any(finding.kind == kind for finding in step.findings)), "")
