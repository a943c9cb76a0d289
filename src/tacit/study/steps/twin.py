"""The non-private twin: what the same network learns without privacy. A release without an epsilon, recorded as such."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tacit.models import Basis, Finding, save_model
from tacit.study.loading import Study
from tacit.study.rows import label_rule, rows_of
from tacit.study.run import Run, Step
from tacit.study.steps.train import network_of, settings_of
from tacit.train import train_plain


def _settings(study: Study) -> Mapping[str, Any]:
    """Return what the twin depends on: all the private model does, but privacy's own settings."""
    settings = dict(settings_of(study))
    settings["train"] = {name: settings["train"][name] for name in ("features", "training_share", "hidden", "activation")}
    return settings


def _work(run: Run, folder: Path, moved: Callable[[int, int], None]) -> list[Finding]:
    rows = rows_of(run)
    run.charge("twin", "not-dp", "a model trained without privacy, for comparison; it stays with the custodian")
    network = train_plain(
        rows.features[rows.training],
        rows.labels[rows.training],
        label_rule(run.study).classes,
        network_of(run.study),
        on_step=moved,
    )
    if run.exports:
        save_model(folder / "model", network, {"study": run.study.settings.study.name, "guarantee": None})
    return [Finding(kind="training", name="guarantee of the non-private twin", value="none", basis=Basis.PUBLIC)]


STEP = Step(
    name="twin",
    title="Train the non-private twin",
    applies=lambda study: study.settings.train is not None and study.settings.train.twin,
    settings=_settings,
    needs=(),
    work=_work,
)
