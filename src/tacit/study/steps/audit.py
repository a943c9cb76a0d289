"""Audit the promise: train twins with and without a planted record, by the plan and the source that trained the model.

The twins' ordinary rows are drawn from the declared bounds, not from the data, so what the audit finds is public: it
looks at the sampler, the clipping, the noise and the accounting, which are the same whatever the rows are. There are few of
them, because they never touch a canary's coordinate: more would cost time and show nothing.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tacit.evaluate import canary_audit, one_run_audit
from tacit.models import Basis, Finding
from tacit.study.loading import Study
from tacit.study.rows import encoding_of
from tacit.study.run import Run, Step
from tacit.study.steps.train import plan_of
from tacit.train import CanaryTwins

SYNTHETIC_SEED = 1974
"""Of the twins' ordinary rows, which are public; the noise never comes from a seed."""
SYNTHETIC_ROWS = 400


def _settings(study: Study) -> Mapping[str, Any]:
    settings = study.settings
    return {
        "plan": plan_of(study).summary(),
        "runs": settings.evaluate.audit_runs,
        "canaries": settings.evaluate.audit_canaries,
        "confidence": settings.evaluate.confidence,
    }


def _work(run: Run, _folder: Path, moved: Callable[[int, int], None]) -> list[Finding]:
    settings = run.study.settings.evaluate
    plan = plan_of(run.study)
    generator = np.random.default_rng(SYNTHETIC_SEED)
    features = generator.uniform(-1, 1, size=(SYNTHETIC_ROWS, encoding_of(run.study).dimension))
    labels = generator.integers(0, 2, size=SYNTHETIC_ROWS)
    total = 2 * plan.steps

    def twins(done_before: int) -> CanaryTwins:
        return CanaryTwins(
            plan=plan,
            features=features,
            labels=labels,
            source=run.source,
            on_step=lambda step, _steps: moved(done_before + step, total),
        )

    many = canary_audit(twins(0), plan.guarantee, runs=settings.audit_runs, shown_confidence=settings.confidence)
    one = one_run_audit(
        twins(plan.steps),
        plan.guarantee,
        coins=run.source,
        canaries=settings.audit_canaries,
        shown_confidence=settings.confidence,
    )
    return [*many.findings(Basis.PUBLIC), *one.findings(Basis.PUBLIC)]


STEP = Step(
    name="audit",
    title="Audit the promise",
    applies=lambda study: study.settings.train is not None,
    settings=_settings,
    needs=("train",),
    work=_work,
    charges=False,
)
