"""[anonymize]: a table for release. Identifiers dropped or pseudonymized, quasi-identifiers generalized, rare rows left out."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from tacit.anonymize import (
    Anonymization,
    AverageClassSize,
    Hierarchy,
    Loss,
    PrecisionLoss,
    Pseudonyms,
    QueryError,
    anonymize,
    automatic_hierarchies,
    measure_risk,
)
from tacit.models import Basis, Finding
from tacit.study.loading import Study
from tacit.study.rows import hierarchies_of, label_rule, undeclared_hierarchies
from tacit.study.run import Run, Step
from tacit.study.settings import AnonymizeTable
from tacit.tables import Role

FILE, MANIFEST = "table.csv", "manifest.json"
_AS_IS = (Role.SENSITIVE, Role.FEATURE, Role.LABEL)


def _settings(study: Study) -> Mapping[str, Any]:
    settings = study.settings
    return {
        "data": settings.data.model_dump(mode="json"),
        "columns": {name: column.model_dump(mode="json") for name, column in settings.columns.items()},
        "anonymize": settings.anonymize.model_dump(mode="json") if settings.anonymize else None,
    }


def _work(run: Run, folder: Path, moved: Callable[[int, int], None]) -> list[Finding]:
    settings = run.study.settings.anonymize
    assert settings is not None
    run.charge("anonymize", "not-dp", _told(settings))
    data, declared, undeclared = _prepared(run), hierarchies_of(run.study), undeclared_hierarchies(run.study)
    hierarchies = declared | automatic_hierarchies(data, undeclared)
    quasi = [name for name in data.column_names if name in hierarchies]
    result = anonymize(
        data,
        quasi={name: hierarchies[name] for name in quasi},
        require=settings.models,
        suppression_limit=settings.suppression_limit,
        sensitive=tuple(dict.fromkeys(name for model in settings.models for name in model.columns)),
        keep=[
            name for name in data.column_names if name not in quasi and not any(name in one.columns for one in settings.models)
        ],
        minimize=settings.loss,
        recoding=settings.recoding,
        time_limit=settings.time_limit,
        on_progress=moved,
    )
    risks = [measure_risk(table, quasi, threshold=1 / settings.k) for table in (data, result.table)]
    if run.exports:
        pyarrow.csv.write_csv(result.table, folder / FILE)
        (folder / MANIFEST).write_text(json.dumps(result.manifest(), indent=2) + "\n", encoding="utf-8")
    return [
        *_declared(run, settings),
        *_built({name: hierarchies[name] for name in undeclared}),
        *result.findings,
        *_utility(result),
        *(finding for when, risk in zip(("before", "after"), risks, strict=True) for finding in risk.findings(when)),
    ]


def _told(settings: AnonymizeTable) -> str:
    """Return what the ledger says of the table."""
    further = "".join(f", with {model}" for model in settings.models[1:])
    return f"a {settings.k}-anonymous table of the original rows{further}"


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


def _declared(run: Run, settings: AnonymizeTable) -> list[Finding]:
    """Return what follows from the study file alone, and so may leave."""

    def finding(name: str, value: str, **details: Any) -> Finding:
        return Finding(kind="anonymization", name=name, value=value, basis=Basis.PUBLIC, details=details)

    columns, undeclared = run.study.settings.columns, undeclared_hierarchies(run.study)
    treated = {name: column.treat or "drop" for name, column in columns.items() if column.role is Role.IDENTIFIER}
    levels = {name: "built from the data" if name in undeclared else "declared" for name in run.study.settings.quasi}
    return [
        finding("direct identifiers", "; ".join(f"{name}: {how}" for name, how in treated.items()) or "none"),
        finding("privacy models", "; ".join(str(model) for model in settings.models), k=settings.k),
        finding("hierarchies", "; ".join(f"{name}: {origin}" for name, origin in levels.items())),
    ]


def _built(hierarchies: Mapping[str, Hierarchy]) -> list[Finding]:
    """Return each hierarchy that was built from the data, level by level: its ends and its order tell of the rows."""
    return [
        Finding(
            kind="anonymization",
            name=f"hierarchy of {name}",
            value="built from the data",
            basis=Basis.EXACT,
            method="nothing was declared for the column, so its values say how it is made coarser",
            details={"by_level": [line.strip() for line in hierarchy.describe().splitlines()[1:]]},
        )
        for name, hierarchy in hierarchies.items()
    ]


def _utility(result: Anonymization) -> list[Finding]:
    """Return what the release is worth beside its loss, each by a measure with a name."""

    def finding(name: str, value: Any, unit: str = "", **more: Any) -> Finding:
        return Finding(kind="anonymization", name=name, value=value, unit=unit, basis=Basis.EXACT, **more)

    recoded = result.recoded
    lost = dict(zip(recoded.names, (round(float(loss), 4) for loss in Loss().columns(recoded)), strict=True))
    return [
        finding("column that loses most", max(lost, key=lambda name: lost[name]), details={"lost": lost}),
        finding("precision lost", PrecisionLoss().score(recoded), "share", method="mean level / top level (Sweeney 2002)"),
        finding(
            "average class size", AverageClassSize().score(recoded), "rows", method="LeFevre et al. 2006, as ARX computes it"
        ),
        finding(
            "error of counts",
            QueryError().score(recoded),
            "share",
            method="mean relative error of 1,000 random counts over two columns (Xiao & Tao 2006)",
        ),
    ]


STEP = Step(
    name="anonymize",
    title="Release an anonymized table",
    applies=lambda study: study.settings.anonymize is not None,
    settings=_settings,
    needs=("scan",),
    work=_work,
)
