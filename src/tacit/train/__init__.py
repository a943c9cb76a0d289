"""Training with differential privacy: plan, pay, train, export."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.train.plan import Plan
    from tacit.train.samplers import PoissonSampler
    from tacit.train.sklearn import PrivateClassifier
    from tacit.train.torch.plain import train_plain
    from tacit.train.torch.private import PrivateTraining, make_private
    from tacit.train.torch.twins import CanaryTwins
    from tacit.train.trainer import Checkpoints, Network, Trainer

_PUBLIC = {
    "CanaryTwins": "tacit.train.torch.twins",
    "Checkpoints": "tacit.train.trainer",
    "Network": "tacit.train.trainer",
    "Plan": "tacit.train.plan",
    "PoissonSampler": "tacit.train.samplers",
    "PrivateClassifier": "tacit.train.sklearn",
    "PrivateTraining": "tacit.train.torch.private",
    "Trainer": "tacit.train.trainer",
    "make_private": "tacit.train.torch.private",
    "train_plain": "tacit.train.torch.plain",
}

__all__ = [
    "CanaryTwins",
    "Checkpoints",
    "Network",
    "Plan",
    "PoissonSampler",
    "PrivateClassifier",
    "PrivateTraining",
    "Trainer",
    "make_private",
    "train_plain",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tacit.train' has no attribute {name!r}")
