"""[evaluate]: what the models are worth on rows neither has seen. Exact scores on private rows, so they stay inside."""

from collections.abc import Callable
from pathlib import Path

from tacit.evaluate import accuracy_difference, utility
from tacit.models import Finding
from tacit.study.models import probabilities
from tacit.study.rows import label_rule, rows_of
from tacit.study.run import Run, Step


def _work(run: Run, _folder: Path, moved: Callable[[int, int], None]) -> list[Finding]:
    run.charge("evaluate", "not-dp", "exact accuracy on test rows, in the custodian's edition only")
    rows = rows_of(run)
    labels, classes = rows.labels[~rows.training], label_rule(run.study).classes
    confidence = run.study.settings.evaluate.confidence
    found = probabilities(run, rows.features[~rows.training])
    findings: list[Finding] = []
    for number, (model, matrix) in enumerate(found.items(), 1):
        findings += utility(matrix, labels, classes, model=model, confidence=confidence)
        moved(number, len(found))
    if len(found) == 2:
        findings.append(accuracy_difference(found["private"], found["non-private"], labels, classes, confidence=confidence))
    return findings


STEP = Step(
    name="evaluate",
    title="Compare accuracy",
    applies=lambda study: study.settings.train is not None,
    settings=lambda study: {"confidence": study.settings.evaluate.confidence},
    needs=("train", "twin"),
    work=_work,
)
