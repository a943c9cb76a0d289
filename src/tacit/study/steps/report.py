"""[report]: everything that was proved, measured and spent, in two editions."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tacit
from tacit.models import Basis, Finding
from tacit.privacy.events import event_to_json
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger import Entry
from tacit.privacy.ledger.blocks import block_from_json
from tacit.report import DatasetLedger, DpEntry, ListedEntry, Randomness, StatedGuarantee, Statement, StepSection, write_report
from tacit.study.loading import Study
from tacit.study.run import Run, Step
from tacit.tables import OriginKind

CUSTODIAN, RELEASE = "custodian.html", "release.html"


def statement_of(run: Run) -> Statement:
    """Return the report's contents, with the budget recomputed from the ledger's rows."""
    settings = run.study.settings
    return Statement(
        title=settings.study.title or settings.study.name,
        run=settings.study.name,
        dataset=settings.budget,
        rows=settings.data.rows,
        guarantees=tuple(
            StatedGuarantee(
                what="the private model", guarantee=Guarantee(**dict(finding.details)), intermediate_models_visible=True
            )
            for record in run.records.values()
            for finding in record.findings
            if finding.kind == "guarantee"
        ),
        ledgers=(_dataset_ledger(run),),
        head=run.ledger.head().to_json(),
        randomness=Randomness(name=run.source.name, private=run.source.private),
        steps=tuple(
            StepSection(
                name=name,
                findings=record.findings,
                seconds=record.seconds,
                settings=_shown_settings(run.study, name),
                versions=record.versions,
            )
            for name, record in run.records.items()
        ),
        settings=settings.model_dump(mode="json", exclude={"columns", "report"}),
        answers=_answers(run) | settings.report.answers,
        verify_command=f"tacit ledger verify {run.study.beside(settings.ledger.path)} --anchor {run.folder}/{STEP.name}/release.json",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tacit_version=tacit.__version__,
        input_hashes={"data": run.data_digest},
    )


def _dataset_ledger(run: Run) -> DatasetLedger:
    budget = run.study.settings.budget
    entries = [entry for entry in run.ledger.entries() if entry.dataset == budget]
    granted, spent, left = run.ledger.granted(budget), run.ledger.spent(budget), run.ledger.left(budget)
    return DatasetLedger(
        dataset=budget,
        granted_epsilon=granted.epsilon,
        granted_delta=granted.delta,
        spent_epsilon=spent.epsilon,
        spent_delta=spent.delta,
        left_epsilon=left.epsilon,
        left_delta=left.delta,
        dp=tuple(_dp_entry(entry) for entry in entries if entry.kind == "dp"),
        not_dp=tuple(ListedEntry(what=entry.content["what"]) for entry in entries if entry.kind == "not-dp"),
        read_only=tuple(ListedEntry(what=entry.content["what"]) for entry in entries if entry.kind == "read-only"),
    )


def _dp_entry(entry: Entry) -> DpEntry:
    block = block_from_json(entry.content["block"])
    return DpEntry(
        purpose=entry.content["purpose"],
        epsilon=block.guarantee.epsilon,
        delta=block.guarantee.delta,
        event=event_to_json(block.event),
        steps=block.steps,
        spare_steps=block.spare_steps,
    )


def _shown_settings(study: Study, step: str) -> Mapping[str, Any]:
    """Return the step's table of the study file, as written there or by default."""
    table = getattr(study.settings, {"attack": "evaluate", "audit": "evaluate", "twin": "train"}.get(step, step), None)
    return table.model_dump(mode="json", exclude_none=True) if table is not None else {}


def _answers(run: Run) -> dict[str, str]:
    """Return what this software can say of itself and its ledger for the report's fourteen items."""
    if run.study.settings.train is None:
        return {}
    trainings = sum(entry.kind == "dp" and entry.dataset == run.study.settings.budget for entry in run.ledger.entries())
    return {
        **_tuning(trainings),
        "trust-model": "Central: one custodian holds the rows and runs the training.",
        "sampling-actual": "Poisson: each row drawn independently in every step, by the object that was accounted; nothing truncated.",
        "preprocessing": _preprocessing(run.study),
        "early-stopping": "None: the number of steps was fixed before the start.",
        "public-pretraining": "None.",
        "floating-point": "Clipped sums and noise are rounded to one grid of powers of two; the rounding is inside the clip norm.",
        "per-example-gradients": "Exact, by operation; models that do not allow it are refused.",
        "side-channels": "Running time and memory are not protected.",
    }


def _preprocessing(study: Study) -> str:
    charged = [what for what, origin in study.settings.origins.items() if origin.kind is OriginKind.CHARGED]
    if charged:
        return f"Bounds and categories applied to one row at a time; estimated from the data and charged: {', '.join(charged)}."
    return "Declared bounds and categories, applied to one row at a time; nothing was fitted to the data."


def _tuning(trainings: int) -> dict[str, str]:
    """Return what the ledger shows of a search: whether more than one training was charged to these data."""
    if trainings <= 1:
        return {"tuning-runs": "None in the ledger: one training is charged to these data.", "tuning-cost": "0."}
    return {
        "tuning-runs": f"{trainings} trainings are charged to these data, and exact scores could be seen between them.",
        "tuning-cost": "Each training is in the total. Choosing among them by exact scores is not covered by any epsilon.",
    }


def _work(run: Run, folder: Path, moved: Callable[[int, int], None]) -> list[Finding]:
    paths = write_report(statement_of(run), folder)
    moved(1, 1)
    return [
        Finding(kind="report", name=path.name, value=path.name, basis=Basis.PUBLIC)
        for path in (paths.custodian_html, paths.release_html)
    ]


STEP = Step(
    name="report",
    title="Write the report",
    applies=lambda _study: True,
    settings=lambda study: study.settings.model_dump(mode="json"),
    needs=("scan", "anonymize", "train", "twin", "evaluate", "attack", "audit"),
    work=_work,
    charges=False,
    reads_ledger=True,
)
