"""Learning from local reports: frequencies, means and logistic regression, by a server that never sees a value."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.train.local.custodian import paid_reports
    from tacit.train.local.estimate import Estimate
    from tacit.train.local.frequency import frequencies
    from tacit.train.local.logistic import LocalLogisticRegression, Progress
    from tacit.train.local.means import mean

_PUBLIC = {
    "Estimate": "estimate",
    "LocalLogisticRegression": "logistic",
    "Progress": "logistic",
    "frequencies": "frequency",
    "mean": "means",
    "paid_reports": "custodian",
}

__all__ = ["Estimate", "LocalLogisticRegression", "Progress", "frequencies", "mean", "paid_reports"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
