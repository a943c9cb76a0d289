"""The models a run has trained, asked for probabilities on the study's rows."""

import numpy as np
from numpy.typing import NDArray

from tacit.models import load_model
from tacit.study.run import Run

MODELS = {"train": "private", "twin": "non-private"}
"""Step that trained it -> what the model is called."""


def probabilities(run: Run, features: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return each trained model's class probabilities, shape (n, k), for features of shape (n, d)."""
    found = {}
    for step, name in MODELS.items():
        if step in run.records:
            network, _ = load_model(run.folder / step / "model")
            found[name] = network.predict_proba(features)
    return found
