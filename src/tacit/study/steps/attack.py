"""Attack both models: can their losses tell whose rows they were trained on?"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tacit.evaluate import cross_entropy, loss_threshold_attack, same_distribution
from tacit.models import Finding
from tacit.privacy.guarantee import Guarantee
from tacit.study.models import probabilities
from tacit.study.rows import rows_of
from tacit.study.run import Run, Step


def _work(run: Run, _folder: Path, moved: Callable[[int, int], None]) -> list[Finding]:
    run.charge("attack", "not-dp", "membership inference on both models, in the custodian's edition only")
    rows = rows_of(run)
    whole = np.column_stack([rows.features, rows.labels])
    population = same_distribution(whole[rows.training], whole[~rows.training])
    found = probabilities(run, rows.features)
    findings: list[Finding] = []
    for number, (model, matrix) in enumerate(found.items(), 1):
        losses = cross_entropy(matrix, rows.labels)
        attack = loss_threshold_attack(
            losses[rows.training],
            losses[~rows.training],
            confidence=run.study.settings.evaluate.confidence,
            guarantee=_guarantee(run) if model == "private" else None,
            population=population,
        )
        findings += attack.findings(model=model)
        moved(number, len(found))
    return findings


def _guarantee(run: Run) -> Guarantee:
    """Return what the training step proved, as its record holds it."""
    return Guarantee(**next(dict(one.details) for one in run.records["train"].findings if one.kind == "guarantee"))


STEP = Step(
    name="attack",
    title="Attack both models",
    applies=lambda study: study.settings.train is not None,
    settings=lambda study: {"confidence": study.settings.evaluate.confidence},
    needs=("train", "twin"),
    work=_work,
)
