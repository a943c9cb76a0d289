"""[train]: a model with differential privacy, on the original rows through declared maps."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tacit.anonymize import load_or_create_key
from tacit.errors import PrivacyError
from tacit.models import Basis, Finding, save_model
from tacit.privacy.ledger.keys import default_folder
from tacit.study.loading import Study
from tacit.study.rows import encoding_of, label_rule, rows_of
from tacit.study.run import Run, Step
from tacit.tables import OriginKind
from tacit.train import Plan, Trainer
from tacit.train.trainer import Checkpoints, Network


def network_of(study: Study) -> Network:
    train = study.settings.train
    assert train is not None
    return Network(hidden=train.hidden, activation=train.activation, learning_rate=train.learning_rate, momentum=train.momentum)


def plan_of(study: Study) -> Plan:
    """Return the plan the study asks for; it depends on declared values alone."""
    train = study.settings.train
    assert train is not None
    n = study.settings.training_rows
    inputs, classes = encoding_of(study).dimension, len(label_rule(study).classes)
    return Plan.solve(
        epsilon=train.epsilon,
        delta=train.delta,
        n=n,
        batch_size=max(1, n // 8) if train.batch_size is None else train.batch_size,
        epochs=train.epochs,
        clip_norm=train.clip_norm,
        parameters=network_of(study).parameters(inputs, classes),
    )


def settings_of(study: Study) -> Mapping[str, Any]:
    """Return what a trained model depends on: [train], [data] and the columns it reads."""
    settings = study.settings
    label = label_rule(study).column
    columns = {
        name: settings.columns[name].model_dump(mode="json", exclude={"hierarchy", "treat"})
        for name in [*settings.features, label]
    }
    return {
        "train": settings.train.model_dump(mode="json", exclude={"twin"}) if settings.train else None,
        "data": settings.data.model_dump(mode="json"),
        "columns": columns,
    }


def _work(run: Run, folder: Path, moved: Callable[[int, int], None]) -> list[Finding]:
    _check_charged_origins(run)
    plan = plan_of(run.study)
    rows = rows_of(run)
    classes = label_rule(run.study).classes
    checkpoints = Checkpoints(path=run.checkpoint(STEP.name), key=checkpoint_key())
    trainer = Trainer(plan=plan, network=network_of(run.study), source=run.source)
    network = trainer.fit(
        rows.features[rows.training],
        rows.labels[rows.training],
        classes,
        ledger=run.ledger,
        budget=run.study.settings.budget,
        request_id=run.request_id("train"),
        purpose=f"train the model of study {run.study.settings.study.name}",
        checkpoints=checkpoints,
        on_step=moved,
    )
    if run.exports:
        card = {
            "study": run.study.settings.study.name,
            "plan": plan.summary(),
            "encoding": encoding_of(run.study).to_json(),
            "randomness": {"source": run.source.name, "private": run.source.private},
            "ledger_head": run.ledger.head().to_json(),
            "request_id": run.request_id("train"),
        }
        save_model(folder / "model", network, card)
    ran = Finding(kind="training", name="steps run", value=trainer.steps_run, basis=Basis.PUBLIC, method=_SHORT_OF_STEPS)
    return [_guarantee(plan), *_plan_findings(plan), ran, *_origin_findings(run.study)]


_SHORT_OF_STEPS = "fewer than planned only when interruptions used up the spare steps"


def checkpoint_key() -> bytes:
    """Return the key that opens checkpoints. It lies with the ledgers' key, away from the run folder and what is shared of it."""
    return load_or_create_key(default_folder() / "checkpoint.key").secret


def _guarantee(plan: Plan) -> Finding:
    return Finding(
        kind="guarantee",
        name="proved epsilon of the private model",
        value=plan.guarantee.epsilon,
        unit="epsilon",
        basis=Basis.PUBLIC,
        method="privacy loss distribution of the Poisson-sampled Gaussian mechanism, composed over all paid steps (dp-accounting)",
        assumption="one row is zeroed out; an observer may see every noisy step",
        details=plan.guarantee.to_json(),
    )


def _plan_findings(plan: Plan) -> list[Finding]:
    return [
        Finding(kind="training", name=name, value=plan.summary()[name], basis=Basis.PUBLIC)
        for name in ("steps", "spare_steps", "batch_size", "clip_norm", "noise_multiplier")
    ]


def _origin_findings(study: Study) -> list[Finding]:
    """Return what was taken as public, one finding per origin."""
    by_origin: dict[str, list[str]] = {}
    for what, origin in study.settings.origins.items():
        by_origin.setdefault(str(origin), []).append(what)
    return [
        Finding(kind="training", name=f"taken as public; {origin}", value="; ".join(what), basis=Basis.PUBLIC)
        for origin, what in by_origin.items()
    ]


def _check_charged_origins(run: Run) -> None:
    """Raise PrivacyError when a value is said to come from a charge that the ledger does not have."""
    for what, origin in run.study.settings.origins.items():
        entry = run.ledger.find(origin.source) if origin.kind is OriginKind.CHARGED else None
        if origin.kind is OriginKind.CHARGED and (
            entry is None or entry.kind != "dp" or entry.dataset != run.study.settings.budget
        ):
            raise PrivacyError(
                f"the study says the {what} come from the charge {origin.source!r}, which the ledger does not have as a dp entry of "
                f'"{run.study.settings.budget}". Taken from private rows without a charge, they would leak. Declare them, or name the charge.'
            )


STEP = Step(
    name="train",
    title="Train with differential privacy",
    applies=lambda study: study.settings.train is not None,
    settings=settings_of,
    needs=(),
    work=_work,
    paid=True,
    afford=lambda run: run.ledger.check_fits(plan_of(run.study).block, dataset=run.study.settings.budget),
)
