"""What the stages agree on about models: how to ask one, what is found out about it, how it is stored."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.models.dense import ACTIVATIONS, DenseNetwork
    from tacit.models.finding import Basis, Finding
    from tacit.models.predictor import CanaryTrainFn, Predictor
    from tacit.models.storage import load_model, save_model

_PUBLIC = {
    "ACTIVATIONS": "tacit.models.dense",
    "Basis": "tacit.models.finding",
    "CanaryTrainFn": "tacit.models.predictor",
    "DenseNetwork": "tacit.models.dense",
    "Finding": "tacit.models.finding",
    "Predictor": "tacit.models.predictor",
    "load_model": "tacit.models.storage",
    "save_model": "tacit.models.storage",
}

__all__ = [
    "ACTIVATIONS",
    "Basis",
    "CanaryTrainFn",
    "DenseNetwork",
    "Finding",
    "Predictor",
    "load_model",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tacit.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
