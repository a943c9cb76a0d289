"""[anonymize]: a table for release. Identifiers dropped or pseudonymized, quasi-identifiers generalized, rare rows left out."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from tacit.anonymize import Anonymization, KAnonymity, Pseudonyms, anonymize, measure_risk
from tacit.models import Basis, Finding
from tacit.study.loading import Study
from tacit.study.rows import hierarchies_of, label_rule
from tacit.study.run import Run, Step
from tacit.tables import Role

FILE = "table.csv"
_AS_IS = (Role.SENSITIVE, Role.FEATURE, Role.LABEL)


def _settings(study: Study) -> Mapping[str, Any]:
    settings = study.settings
    return {
        "data": settings.data.model_dump(mode="json"),
        "columns": {name: column.model_dump(mode="json") for name, column in settings.columns.items()},
        "anonymize": settings.anonymize.model_dump(mode="json") if settings.anonymize else None,
    }


def _work(run: Run, folder: Path, moved: Callable[[int, int], None]) -> list[Finding]:
    settings = run.study.settings
    assert settings.anonymize is not None
    run.charge("anonymize", "not-dp", f"a {settings.anonymize.k}-anonymous table of the original rows")
    data = _prepared(run)
    hierarchies = hierarchies_of(run.study)
    quasi = list(hierarchies)
    result = anonymize(
        data,
        hierarchies,
        KAnonymity(k=settings.anonymize.k),
        suppression_limit=settings.anonymize.suppression_limit,
        keep=[name for name in data.column_names if name not in quasi],
        on_progress=moved,
    )
    before = measure_risk(data, quasi, threshold=1 / settings.anonymize.k)
    after = measure_risk(result.table, quasi, threshold=1 / settings.anonymize.k)
    if run.exports:
        pyarrow.csv.write_csv(result.table, folder / FILE)
    return [*_findings(run, result), *before.findings("before"), *after.findings("after")]


def _prepared(run: Run) -> pa.Table:
    """Return the rows with identifiers dropped or replaced, and the label as its declared class."""
    settings, table = run.study.settings, run.table
    columns: dict[str, Any] = {}
    for name, column in settings.columns.items():
        if column.role is Role.IDENTIFIER and column.treat == "pseudonymize":
            columns[name] = Pseudonyms(key=run.key("pseudonym.key")).tokens(table.data.column(name), scope=name)
        elif column.role is Role.LABEL and column.above is not None:
            rule = label_rule(run.study)
            columns[name] = pa.array([rule.classes[number] for number in rule.labels(table)])
        elif column.role is Role.QUASI or column.role in _AS_IS:
            columns[name] = table.data.column(name)
    return pa.table(columns)


def _findings(run: Run, result: Anonymization) -> list[Finding]:
    def finding(name: str, value: Any, unit: str = "", **more: Any) -> Finding:
        return Finding(kind="anonymization", name=name, value=value, unit=unit, basis=Basis.EXACT, **more)

    settings = run.study.settings
    treated = {name: column.treat or "drop" for name, column in settings.columns.items() if column.role is Role.IDENTIFIER}
    search = "full-domain search, proved optimal" if result.optimal else "full-domain search, best found"
    return [
        Finding(
            kind="anonymization",
            name="direct identifiers",
            value="; ".join(f"{name}: {how}" for name, how in treated.items()) or "none",
            basis=Basis.PUBLIC,
        ),
        finding("rows released", result.rows - result.suppressed, "rows", n=result.rows),
        finding("rows suppressed", result.suppressed / result.rows, "share", n=result.rows),
        finding("smallest class", result.smallest_class, "rows"),
        finding("information lost", result.loss, "share", method=search, details={"levels": dict(result.levels)}),
        finding("independent check", "passed", method="; ".join(result.verification.checks)),
    ]


STEP = Step(
    name="anonymize",
    title="Release an anonymized table",
    applies=lambda study: study.settings.anonymize is not None,
    settings=_settings,
    needs=("scan",),
    work=_work,
)
