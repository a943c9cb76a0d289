"""Logistic regression by output perturbation, with scikit-learn's manners."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.privacy.events import GaussianEvent
from tacit.train.linear.output_perturbation import LogisticObjective, class_probabilities
from tacit.train.releases import vector_block
from tacit.train.sklearn.estimator import ClassifierMixin, PrivateEstimator
from tacit.train.sklearn.public_values import class_numbers, classes_of


@dataclass(kw_only=True, repr=False, eq=False)
class PrivateLogisticRegression(ClassifierMixin, PrivateEstimator):  # type: ignore[misc]
    """Logistic regression by noise on the minimum: one release, no learning rate, epochs or clip norm to choose.

    classes        -- every label that could occur, declared, or "public: source".
    row_norm       -- rows of features, each scaled to [-1, 1] by the bounds, that are longer than this in L2 count for less; noise
                      grows with it. sqrt(d) by default, which no row exceeds.
    regularization -- of half the squared weights, intercept included; more of it needs less noise. By default a value that
                      balances both, computed from n, epsilon, row_norm and weight_norm alone.
    weight_norm    -- for that default: how large a logit the longest row is expected to have; > 0.
    n              -- declared public number of rows; len(X) by default, which zeroing a row does not change.
    ledger, budget, bounds, epsilon, delta, request_id, source -- as in every private estimator.

    After fit: classes_ (sorted), coef_, shape (outputs, d), and intercept_, shape (outputs,), for features scaled to [-1, 1];
    objective_, bounds_, origins_, guarantee_. Source: Chaudhuri et al. 2011, JMLR 12; proof in tacit.train.linear.output_perturbation.
    """

    classes: Sequence[Any] | str | None = None
    n: int | None = None
    row_norm: float | None = None
    regularization: float | None = None
    weight_norm: float = 10.0

    def fit(self, X: ArrayLike, y: ArrayLike, **refused: Any) -> "PrivateLogisticRegression":  # noqa: N803 (scikit-learn's name)
        """Pay, then find the minimum for X, shape (n, d), and labels y, shape (n,), and release it once. Returns self.

        Raises SettingRefused or ConfigError, InputRefused, BudgetExceeded, PrivacyError (no certified minimum).
        """
        rows, labels = self._rows(X, y, refused)
        classes, self.origins_["classes"] = classes_of(self.classes, labels)
        features, numbers = self._scaled_rows(rows), class_numbers(classes, labels)
        outputs = 1 if len(classes) == 2 else len(classes)
        block = vector_block(epsilon=self.epsilon, delta=self.delta, length=outputs * (features.shape[1] + 1))
        assert isinstance(block.event, GaussianEvent)
        objective = self._objective(features.shape[1], len(classes), self._units(self.n, rows), block.event.noise_multiplier)
        with self._releases(block) as releases:
            released = releases.release(objective.minimum(features, numbers), clip_norm=objective.clip_norm)
        weights = released.reshape(outputs, -1)
        self.classes_, self.objective_ = classes, objective
        self.coef_, self.intercept_ = weights[:, :-1], weights[:, -1]
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return logits for X of shape (m, d): shape (m,) of the second class when there are two, else (m, k)."""
        rows = self._scaled_new(X)
        logits = rows @ self.coef_.T + self.intercept_
        return np.asarray(logits[:, 0] if len(self.classes_) == 2 else logits)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return class probabilities of shape (m, k), in the order of classes_, for X of shape (m, d)."""
        logits = self.decision_function(X)
        return probabilities_of(logits[:, None] if logits.ndim == 1 else logits)

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the likeliest class of each row, shape (m,)."""
        numbers = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[numbers])

    def _objective(self, features: int, classes: int, n: int, noise_multiplier: float) -> LogisticObjective:
        row_norm = float(np.sqrt(features) if self.row_norm is None else self.row_norm)
        regularization = self.regularization
        if regularization is None:
            regularization = LogisticObjective.default_regularization(
                n=n, classes=classes, row_norm=row_norm, noise_multiplier=noise_multiplier, weight_norm=self.weight_norm
            )
        return LogisticObjective(features=features, classes=classes, n=n, row_norm=row_norm, regularization=regularization)


def probabilities_of(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (m, k) probabilities from (m, outputs) logits, one output standing for two classes."""
    probabilities = class_probabilities(logits)
    return np.hstack([1 - probabilities, probabilities]) if probabilities.shape[1] == 1 else probabilities
