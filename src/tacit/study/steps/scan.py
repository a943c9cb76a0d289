"""Find the personal data, and refuse a study that would let a direct identifier through."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tacit.anonymize import ColumnFinding, identify_columns
from tacit.errors import PrivacyError
from tacit.models import Basis, Finding
from tacit.study.loading import Study
from tacit.study.rows import label_rule
from tacit.study.run import Run, Step
from tacit.tables import Role

_KEPT_BACK = (Role.IDENTIFIER, Role.IGNORE, Role.UNIT)
_CERTAIN = 0.9


def _settings(study: Study) -> Mapping[str, Any]:
    return {
        "data": study.settings.data.model_dump(mode="json"),
        "roles": {name: column.role.value for name, column in study.settings.columns.items()},
    }


def _work(run: Run, _folder: Path, moved: Callable[[int, int], None]) -> list[Finding]:
    run.charge("scan", "read-only", "the columns were searched for personal data")
    table = run.table
    if run.study.settings.train is not None:
        label_rule(run.study).labels(table)  # refuses missing, undeclared or one-sided labels before anything is released
    roles = {name: column.role for name, column in run.study.settings.columns.items()}
    found = identify_columns(table.data)
    for number, column in enumerate(found, 1):
        _refuse_slipping(column, roles.get(column.column))
        moved(number, len(found))
    return [_finding(column, roles.get(column.column, Role.IGNORE)) for column in found]


def _refuse_slipping(column: ColumnFinding, role: Role | None) -> None:
    """Raise PrivacyError when a column that surely names people would pass as an ordinary attribute."""
    if column.role is Role.IDENTIFIER and column.confidence >= _CERTAIN and role is not None and role not in _KEPT_BACK:
        raise PrivacyError(
            f'column {column.column!r} has role = "{role}" in the study, but it holds {column.kind} ({"; ".join(column.reasons)}). Released or '
            f'trained on, it would name people. Give it role = "identifier" (dropped, or treat = "pseudonymize") or role = "ignore".'
        )


def _finding(column: ColumnFinding, role: Role) -> Finding:
    return Finding(
        kind="personal-data",
        name=column.column,
        value=column.kind,
        basis=Basis.EXACT,
        method="names, types, patterns and checksums of the column's values",
        assumption="patterns miss what they do not know; read the columns yourself",
        details={
            "role": role.value,
            "suggested": column.role.value,
            "certainty": round(column.confidence, 2),
            "reasons": list(column.reasons),
        },
    )


STEP = Step(
    name="scan",
    title="Find the personal data",
    applies=lambda _study: True,
    settings=_settings,
    needs=(),
    work=_work,
)
