"""Every private estimator with settings that suit small tests."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.privacy.ledger import Ledger
from tacit.train.sklearn import _ESTIMATORS

NAMES = tuple(one.__name__ for one in _ESTIMATORS)
ONE_RELEASE = ("PrivateLinearRegression", "PrivateLogisticRegression", "PrivateNaiveBayes")
REGRESSORS = ("PrivateLinearRegression", "PrivateRegressor")

_SMALL: dict[str, dict[str, Any]] = {
    "PrivateBoostedTrees": {"rounds": 20, "depth": 3},
    "PrivateClassifier": {"epochs": 2},
    "PrivateRegressor": {"epochs": 2},
}


def estimator(name: str, ledger: Ledger | None, **more: Any) -> Any:
    """Return an unfitted estimator for `people`, paying from the budget "people"."""
    (kind,) = (one for one in _ESTIMATORS if one.__name__ == name)
    declared: dict[str, Any] = {"target_bounds": (-10, 10)} if name in REGRESSORS else {"classes": ["no", "yes"]}
    settings = {"ledger": ledger, "budget": "people", "bounds": (0, 10), "epsilon": 2.0, **declared, **_SMALL.get(name, {})}
    return kind(**(settings | more))


def people(name: str, n: int = 300) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return rows of shape (n, 3) within (0, 10), and targets that depend on the first two features."""
    generator = np.random.default_rng(1)
    x = generator.uniform(0, 10, size=(n, 3))
    difference = x[:, 0] - x[:, 1]
    return x, (difference if name in REGRESSORS else np.where(difference > 0, "yes", "no"))
