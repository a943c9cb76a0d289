"""[train]: a model with differential privacy, on the original rows through declared maps."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tacit.models import Basis, Finding, save_model
from tacit.study.loading import Study
from tacit.study.rows import encoding_of, label_rule, rows_of
from tacit.study.run import Run, Step
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
    plan = plan_of(run.study)
    rows = rows_of(run)
    classes = label_rule(run.study).classes
    checkpoints = Checkpoints(path=run.secret("train.checkpoint"), key=run.key("checkpoint.key").secret)
    trainer = Trainer(plan=plan, network=network_of(run.study), source=run.source)
    network = trainer.fit(
        rows.features[rows.training],
        rows.labels[rows.training],
        classes,
        ledger=run.ledger,
        budget=run.study.settings.budget,
        request_id=run.request_id("train"),
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
    checkpoints.path.unlink(missing_ok=True)
    return [_guarantee(plan), *_plan_findings(plan)]


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


STEP = Step(
    name="train",
    title="Train with differential privacy",
    applies=lambda study: study.settings.train is not None,
    settings=settings_of,
    needs=(),
    work=_work,
)
