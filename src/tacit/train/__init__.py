"""Training with differential privacy: plan, pay, train, export."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.train.clipping import AdaptiveClipping, AutomaticClipping, FlatClipping, PerLayerClipping
    from tacit.train.cycles import BallsInBinsSampler, CyclicPoissonSampler, ShuffleSampler
    from tacit.train.plan import Plan
    from tacit.train.planning import plan_for
    from tacit.train.samplers import PoissonSampler
    from tacit.train.sklearn import (
        PrivateBoostedTrees,
        PrivateClassifier,
        PrivateLinearRegression,
        PrivateLogisticRegression,
        PrivateNaiveBayes,
        PrivateRegressor,
    )
    from tacit.train.torch.adam import DPAdam
    from tacit.train.torch.averaging import Average
    from tacit.train.torch.exporting import export, load_exported, load_public_weights
    from tacit.train.torch.loop import fit
    from tacit.train.torch.plain import train_plain
    from tacit.train.torch.private import PrivateTraining, make_private
    from tacit.train.torch.twins import CanaryTwins
    from tacit.train.trainer import Checkpoints, Network, Trainer
    from tacit.train.users import UserRows

_PUBLIC = {
    "AdaptiveClipping": "tacit.train.clipping",
    "AutomaticClipping": "tacit.train.clipping",
    "Average": "tacit.train.torch.averaging",
    "BallsInBinsSampler": "tacit.train.cycles",
    "CanaryTwins": "tacit.train.torch.twins",
    "Checkpoints": "tacit.train.trainer",
    "CyclicPoissonSampler": "tacit.train.cycles",
    "DPAdam": "tacit.train.torch.adam",
    "FlatClipping": "tacit.train.clipping",
    "Network": "tacit.train.trainer",
    "PerLayerClipping": "tacit.train.clipping",
    "Plan": "tacit.train.plan",
    "PoissonSampler": "tacit.train.samplers",
    "PrivateBoostedTrees": "tacit.train.sklearn",
    "PrivateClassifier": "tacit.train.sklearn",
    "PrivateLinearRegression": "tacit.train.sklearn",
    "PrivateLogisticRegression": "tacit.train.sklearn",
    "PrivateNaiveBayes": "tacit.train.sklearn",
    "PrivateRegressor": "tacit.train.sklearn",
    "PrivateTraining": "tacit.train.torch.private",
    "ShuffleSampler": "tacit.train.cycles",
    "Trainer": "tacit.train.trainer",
    "UserRows": "tacit.train.users",
    "export": "tacit.train.torch.exporting",
    "fit": "tacit.train.torch.loop",
    "load_exported": "tacit.train.torch.exporting",
    "load_public_weights": "tacit.train.torch.exporting",
    "make_private": "tacit.train.torch.private",
    "plan_for": "tacit.train.planning",
    "train_plain": "tacit.train.torch.plain",
}

__all__ = [
    "AdaptiveClipping",
    "AutomaticClipping",
    "Average",
    "BallsInBinsSampler",
    "CanaryTwins",
    "Checkpoints",
    "CyclicPoissonSampler",
    "DPAdam",
    "FlatClipping",
    "Network",
    "PerLayerClipping",
    "Plan",
    "PoissonSampler",
    "PrivateBoostedTrees",
    "PrivateClassifier",
    "PrivateLinearRegression",
    "PrivateLogisticRegression",
    "PrivateNaiveBayes",
    "PrivateRegressor",
    "PrivateTraining",
    "ShuffleSampler",
    "Trainer",
    "UserRows",
    "export",
    "fit",
    "load_exported",
    "load_public_weights",
    "make_private",
    "plan_for",
    "train_plain",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tacit.train' has no attribute {name!r}")
