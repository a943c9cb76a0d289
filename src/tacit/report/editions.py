"""The two editions of a report, and what may stand in the one that leaves the custodian.

The release edition is built anew from a list of what may leave, so that a field nobody thought about stays behind.
What it holds depends on settings and declared values, or is the output of a charged mechanism (basis "dp"):
changing one private row changes no byte of it outside the dp findings.
"""

from enum import StrEnum

from tacit.models.finding import Basis, Finding
from tacit.report.reading import is_contradicted
from tacit.report.statement import DatasetLedger, ListedEntry, Statement, StepSection


class Edition(StrEnum):
    """Who a report is for."""

    CUSTODIAN = "custodian"  # whoever holds the rows: everything
    RELEASE = "release"  # anyone: charged or public values only


_SCORE = frozenset({"model", "classes", "positive"})
_AUDIT = frozenset({"proved", "delta", "confidence", "ceiling", "contradicts", "can_contradict", "threat_model", "p_value"})
_TWINS = frozenset({"runs", "absent", "canaries", "threshold", "true_positives", "false_positives", "histogram"})
_GUESSES = frozenset({"guesses", "correct", "share_correct"})

RELEASE_KINDS: dict[str, frozenset[str]] = {
    "guarantee": frozenset({"epsilon", "delta", "unit", "neighbours"}),
    "training": frozenset(
        {"noise_multiplier", "probability", "steps", "spare_steps", "clip_norm", "expected_batch_size", "layers"}
    ),
    "audit": _AUDIT | _TWINS | _GUESSES,
    "accuracy": _SCORE,
    "auc": _SCORE,
    "accuracy-difference": _SCORE,
    "majority": _SCORE,
    "anonymization": frozenset({"k"}),
    "pretraining": frozenset({"sha256", "tensors", "started_anew"}),
}
"""Kinds of finding that may leave, each with the details that may go with it; and the basis must be public or dp.

Not here, whatever their basis: personal-data, reidentification-risk, membership-attack (they speak about single rows)
and timing (running time depends on private rows).
"""


def claims_hold(statement: Statement) -> bool:
    """Return whether what is called dp may be treated as such: real randomness, and no audit contradicts."""
    return statement.randomness.private and not is_contradicted(statement)


def may_leave(finding: Finding, *, claims: bool) -> bool:
    """Return whether a finding may stand in the release edition.

    claims -- whether the claims hold; otherwise a "dp" finding is an exact statistic in disguise and stays.
    """
    allowed = (Basis.PUBLIC, Basis.DP) if claims else (Basis.PUBLIC,)
    return finding.kind in RELEASE_KINDS and finding.basis in allowed


def edition_of(statement: Statement, edition: Edition) -> Statement:
    """Return what a statement says in this edition."""
    return statement if edition is Edition.CUSTODIAN else for_release(statement)


def for_release(statement: Statement) -> Statement:
    """Return the statement with nothing but what may leave the custodian, built field by field."""
    claims = claims_hold(statement)
    return Statement(
        title=statement.title,
        run=statement.run,
        dataset=statement.dataset,
        rows=statement.rows,
        settings=statement.settings,
        guarantees=statement.guarantees,
        ledgers=tuple(_ledger(ledger) for ledger in statement.ledgers),
        head=statement.head,
        randomness=statement.randomness,
        steps=tuple(_step(step, claims) for step in statement.steps),
        answers=statement.answers,
        verify_command=statement.verify_command,
        created=statement.created[:10],
        tacit_version=statement.tacit_version,
    )


def _step(step: StepSection, claims: bool) -> StepSection:
    kept = tuple(_finding(finding) for finding in step.findings if may_leave(finding, claims=claims))
    return StepSection(name=step.name, title=step.title, findings=kept, settings=step.settings, versions=step.versions)


def _finding(finding: Finding) -> Finding:
    details = {key: value for key, value in finding.details.items() if key in RELEASE_KINDS[finding.kind]}
    return Finding(
        kind=finding.kind,
        name=finding.name,
        value=finding.value,
        basis=finding.basis,
        unit=finding.unit,
        method=finding.method,
        interval=finding.interval,
        confidence=finding.confidence,
        n=finding.n,
        ceiling=finding.ceiling,
        assumption=finding.assumption,
        details=details,
    )


def _ledger(ledger: DatasetLedger) -> DatasetLedger:
    return DatasetLedger(
        dataset=ledger.dataset,
        granted_epsilon=ledger.granted_epsilon,
        granted_delta=ledger.granted_delta,
        spent_epsilon=ledger.spent_epsilon,
        spent_delta=ledger.spent_delta,
        left_epsilon=ledger.left_epsilon,
        left_delta=ledger.left_delta,
        dp=ledger.dp,
        not_dp=tuple(ListedEntry(what=entry.what) for entry in ledger.not_dp),
        read_only=tuple(ListedEntry(what=entry.what) for entry in ledger.read_only),
    )
