"""What a model is worth and what it gives away: accuracy, membership attacks, and audits of a stated guarantee.

Works on numbers alone (NumPy arrays); how to train again comes in as a `tacit.models.predictor.CanaryTrainFn`.
"""

import importlib
from typing import Any

_PUBLIC = {
    "CanaryAudit": "canary",
    "LossAttack": "membership",
    "OneRunAudit": "one_run",
    "SameDistribution": "population",
    "accuracy_difference": "accuracy",
    "attack_limit": "limits",
    "audit_scores": "canary",
    "canary_audit": "canary",
    "cross_entropy": "membership",
    "epsilon_lower_bound": "bounds",
    "loss_threshold_attack": "membership",
    "one_run_audit": "one_run",
    "one_run_lower_bound": "bounds",
    "one_run_p_value": "bounds",
    "runs_needed": "bounds",
    "same_distribution": "population",
    "utility": "accuracy",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"tacit.evaluate.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'tacit.evaluate' has no attribute {name!r}")
