"""[anonymize]: a table for release. Identifiers dropped or pseudonymized, quasi-identifiers generalized, rare rows left out."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tacit.anonymize import Hierarchy, Pseudonyms, anonymize, automatic_hierarchies
from tacit.errors import DataError
from tacit.models import Basis, Finding
from tacit.study.loading import Study
from tacit.study.rows import hierarchies_of, label_rule, protection_of, undeclared_hierarchies
from tacit.study.run import Run, Step
from tacit.study.settings import AnonymizeTable
from tacit.study.steps.measures import measures
from tacit.tables import Role, in_training

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
    data, control = _held_back(run, _prepared(run), settings.hold_back)
    declared, undeclared = hierarchies_of(run.study), undeclared_hierarchies(run.study)
    hierarchies = declared | automatic_hierarchies(data, undeclared)
    quasi = {name: hierarchies[name] for name in data.column_names if name in hierarchies}
    sensitive = run.study.settings.sensitive
    result = anonymize(
        data,
        quasi=quasi,
        require=settings.models,
        suppression_limit=settings.suppression_limit,
        sensitive=sensitive,
        keep=[name for name in data.column_names if name not in quasi and name not in sensitive],
        minimize=settings.loss,
        recoding=settings.how,
        time_limit=settings.time_limit,
        on_progress=moved,
    )
    if run.exports:
        pyarrow.csv.write_csv(result.table, folder / FILE)
        (folder / MANIFEST).write_text(json.dumps(result.manifest(), indent=2) + "\n", encoding="utf-8")
    label = next((name for name, column in run.study.settings.columns.items() if column.role is Role.LABEL), None)
    measured = measures(data, result, control, quasi, k=settings.k, secrets=sensitive, label=label, moved=moved)
    return [*_declared(run, settings), *_built({name: hierarchies[name] for name in undeclared}), *result.findings, *measured]


def _held_back(run: Run, table: pa.Table, share: float) -> tuple[pa.Table, pa.Table | None]:
    """Return the rows to release and those held back as a control of the attacks: a keyed choice of this share, None for 0."""
    if share == 0:
        return table, None
    named = run.study.settings.data.id
    ids = run.table.column(named) if named is not None else np.arange(table.num_rows)
    released = pa.array(in_training(ids, key=run.key("control.key").secret, fraction=1 - share))
    rows, control = table.filter(released), table.filter(pc.invert(released))
    if not rows.num_rows or not control.num_rows:
        raise DataError(
            f"hold_back = {share} of {table.num_rows} rows left the release or its control without a row. Choose a share nearer to 0.2, or 0."
        )
    return rows, control


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
        *(
            [finding("sensitive columns", "; ".join(f"{name}: {how}" for name, how in protection_of(run.study).items()))]
            if run.study.settings.sensitive
            else []
        ),
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


STEP = Step(
    name="anonymize",
    title="Release an anonymized table",
    applies=lambda study: study.settings.anonymize is not None,
    settings=_settings,
    needs=("scan",),
    work=_work,
)
