"""Logistic regression or an MLP by DP-SGD, with scikit-learn's manners."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.models.dense import DenseNetwork
from tacit.train.releases import request_named
from tacit.train.sklearn.dp_sgd import DPSGD
from tacit.train.sklearn.estimator import ClassifierMixin, PrivateEstimator
from tacit.train.sklearn.public_values import class_numbers, classes_of
from tacit.train.trainer import Trainer


@dataclass(kw_only=True, repr=False, eq=False)
class PrivateClassifier(ClassifierMixin, DPSGD, PrivateEstimator):  # type: ignore[misc]
    """Logistic regression or an MLP, trained with differential privacy and paid for in a ledger.

    classes        -- every label that could occur, declared: labels seen in the data would be a leak; or "public: source".
    hidden         -- widths of hidden layers; () is logistic regression.
    n, activation, clip_norm, batch_size, epochs, learning_rate, momentum, on_step -- as in DPSGD.
    ledger, budget, bounds, epsilon, delta, request_id, source -- as in every private estimator.

    After fit: classes_ (sorted), n_features_in_, network_ (a DenseNetwork to save), plan_, origins_ (on whose word the public
    values are), guarantee_ (None when the source is for tests).
    Every fit costs epsilon again; a request_id that was used before is refused. Source: Abadi et al. 2016, arXiv:1607.00133.
    """

    classes: Sequence[Any] | str | None = None

    def fit(self, X: ArrayLike, y: ArrayLike, **refused: Any) -> "PrivateClassifier":  # noqa: N803 (scikit-learn's name)
        """Reserve the plan, then train on X of shape (n, d) and labels y of shape (n,). Returns self.

        Raises SettingRefused or ConfigError, InputRefused (labels not declared, values that are not finite), BudgetExceeded.
        """
        rows, labels = self._rows(X, y, refused)
        classes, origin = classes_of(self.classes, labels)
        features, numbers = self._scaled_rows(rows), class_numbers(classes, labels)
        self.origins_["classes"] = origin
        network, plan = self._planned(
            epsilon=self.epsilon, delta=self.delta, n=self._units(self.n, rows), inputs=features.shape[1], outputs=len(classes)
        )
        source = self._drawn_from()
        names = [str(one) for one in classes.tolist()]
        assert self.ledger is not None
        fitted: DenseNetwork = Trainer(plan=plan, network=network, source=source).fit(
            features,
            numbers,
            names,
            ledger=self.ledger,
            budget=self.budget,
            request_id=request_named(self.request_id),
            purpose=self._purpose(),
            on_step=self.on_step,
        )
        self.classes_, self.network_, self.plan_ = classes, fitted, plan
        self.guarantee_ = plan.guarantee if source.private else None
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return class probabilities of shape (n, k), in the order of classes_, for X of shape (n, d)."""
        scaled = self._scaled_new(X)
        return self.network_.predict_proba(scaled)

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the likeliest class of each row, shape (n,)."""
        numbers = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[numbers])
