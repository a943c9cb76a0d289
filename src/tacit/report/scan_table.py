"""What the search for personal data found, as one table: a row for each column of the data."""

from dataclasses import dataclass

from tacit.models.finding import Finding
from tacit.report.reading import number, strictest
from tacit.report.words import ROLES
from tacit.report.writing import evidence_of, flat, value_of

_OWN_CELL = frozenset({"role", "suggested", "certainty", "reasons"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanRow:
    """One column: its name, what it seems to be, its role in the study, how sure that is, and why."""

    column: str
    seems: str
    role: str
    certainty: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanTable:
    """All columns, the basis of what is said of them, and how it was found."""

    rows: list[ScanRow]
    basis: str
    how: str


def scan_table(found: list[Finding]) -> ScanTable | None:
    """Return the table of these personal-data findings, or None when there are none."""
    if not found:
        return None
    methods = dict.fromkeys(finding.method for finding in found if finding.method)
    assumptions = dict.fromkeys(finding.assumption for finding in found if finding.assumption)
    how = "; ".join(methods) + (f". Assumes: {'; '.join(assumptions)}" if assumptions else "")
    return ScanTable(rows=[_row(finding) for finding in found], basis=strictest(found).value, how=how.strip(". "))


def _row(finding: Finding) -> ScanRow:
    details = finding.details
    certainty = number(details.get("certainty"))
    rest = {key: value for key, value in details.items() if key not in _OWN_CELL or (key == "certainty" and certainty is None)}
    reasons = details.get("reasons")
    why = [str(reason) for reason in reasons] if isinstance(reasons, list | tuple) else []
    return ScanRow(
        column=finding.name,
        seems="nothing found" if finding.value in ("", None) else value_of(finding),
        role=_role(details.get("role"), details.get("suggested")),
        certainty="–" if certainty is None else f"{100 * certainty:.0f}%",
        why="; ".join([*why, *evidence_of(finding), *(f"{key}: {text}" for key, text in flat(rest))]),
    )


def _role(role: object, suggested: object) -> str:
    """Return the role the study gives a column, and beside it the one the search would give where that differs."""
    given, other = (ROLES.get(str(one), str(one)) if one else "" for one in (role, suggested))
    if other and given and other != given:
        return f"{given} (suggested: {other})"
    return given or other or "–"
