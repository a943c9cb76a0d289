"""Gradient-boosted trees of random shape, with scikit-learn's manners."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.train.releases import vector_block
from tacit.train.sklearn.estimator import ClassifierMixin, PrivateEstimator
from tacit.train.sklearn.logistic_regression import probabilities_of
from tacit.train.sklearn.public_values import class_numbers, classes_of
from tacit.train.trees.boosting import Boosting


@dataclass(kw_only=True, repr=False, eq=False)
class PrivateBoostedTrees(ClassifierMixin, PrivateEstimator):  # type: ignore[misc]
    """Boosted trees drawn without the data, whose leaves are paid for: for tables where nothing is linear.

    classes       -- every label that could occur, declared, or "public: source".
    rounds        -- trees, each one release; more trees, more noise in each.
    depth         -- splits from root to leaf. learning_rate -- share of each leaf's step that is taken; 0 < rate <= 1.
    on_step       -- called with (round, rounds).
    ledger, budget, bounds, epsilon, delta, request_id, source -- as in every private estimator. Thresholds are drawn evenly
                     between the bounds, so transform heavy tails (log1p) by a rule fixed beforehand.

    After fit: classes_ (sorted), forest_, bounds_, origins_, guarantee_. The sensitivity proof is in tacit.train.trees.boosting.
    """

    classes: Sequence[Any] | str | None = None
    rounds: int = 100
    depth: int = 6
    learning_rate: float = 0.3
    on_step: Callable[[int, int], None] | None = None

    def fit(self, X: ArrayLike, y: ArrayLike, **refused: Any) -> "PrivateBoostedTrees":  # noqa: N803 (scikit-learn's name)
        """Pay for all rounds, then release the leaves of X, shape (n, d), and labels y, shape (n,), round by round. Returns self.

        Raises SettingRefused or ConfigError, InputRefused, BudgetExceeded.
        """
        rows, labels = self._rows(X, y, refused)
        classes, self.origins_["classes"] = classes_of(self.classes, labels)
        features, numbers = self._scaled_rows(rows), class_numbers(classes, labels)
        boosting = Boosting(classes=len(classes), rounds=self.rounds, depth=self.depth, learning_rate=self.learning_rate)
        boosting.prove(len(features))
        block = vector_block(epsilon=self.epsilon, delta=self.delta, length=boosting.length, steps=self.rounds)

        def on_round(number: int) -> None:
            if self.on_step is not None:
                self.on_step(number, self.rounds)

        with self._releases(block) as releases:
            self.forest_ = boosting.grow(features, numbers, releases, on_round)
        self.classes_ = classes
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return logits for X of shape (m, d): shape (m,) of the second class when there are two, else (m, k)."""
        rows = self._scaled_new(X)
        scores = self.forest_.scores(rows)
        return np.asarray(scores[:, 0] if len(self.classes_) == 2 else scores)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return class probabilities of shape (m, k), in the order of classes_, for X of shape (m, d)."""
        logits = self.decision_function(X)
        return probabilities_of(logits[:, None] if logits.ndim == 1 else logits)

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the likeliest class of each row, shape (m,)."""
        numbers = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[numbers])
