"""A classifier with scikit-learn's manners: `fit`, `predict`, `predict_proba`, `score`, `get_params`."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.models.dense import DenseNetwork
from tacit.noise.source import Source
from tacit.privacy.ledger import Ledger
from tacit.train.plan import Plan
from tacit.train.trainer import Network, Trainer


@dataclass(kw_only=True, repr=False, eq=False)
class PrivateClassifier:
    """Logistic regression or an MLP, trained with differential privacy and paid for in a ledger.

    ledger         -- an open Ledger; the plan is reserved there before the first batch is drawn.
    budget         -- the budget in that ledger to spend from.
    bounds         -- declared (low, high) of the features: two numbers, or two arrays of shape (d,). Values outside are clipped.
    classes        -- every label that could occur, declared: labels seen in the data would be a leak.
    epsilon, delta -- what one fit costs, for one row, zero-out neighbours.
    hidden         -- widths of hidden layers; () is logistic regression.
    batch_size     -- expected rows in a batch; an eighth of the rows by default.
    n              -- declared public number of rows; len(X) by default.
    request_id     -- unique name of a fit in the ledger; drawn at random by default.
    source         -- randomness; the operating system's by default.
    on_step        -- called with (step, steps).

    After fit: classes_, n_features_in_, network_ (a DenseNetwork to save), plan_, guarantee_ (None when the source is for tests).
    Every fit costs epsilon again; a request_id that was used before is refused. Source: Abadi et al. 2016, arXiv:1607.00133.
    """

    ledger: Ledger | None = None
    budget: str = ""
    bounds: tuple[ArrayLike, ArrayLike] = (-1.0, 1.0)
    classes: Sequence[Any] = ()
    epsilon: float = 1.0
    delta: float = 1e-5
    hidden: tuple[int, ...] = ()
    activation: str = "tanh"
    clip_norm: float = 1.0
    batch_size: int | None = None
    epochs: float = 20
    learning_rate: float = 0.5
    momentum: float = 0.9
    n: int | None = None
    request_id: str | None = None
    source: Source | None = None
    on_step: Callable[[int, int], None] | None = None

    @classmethod
    def _names(cls) -> list[str]:
        return [one.name for one in fields(cls)]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._names()}

    def __sklearn_clone__(self) -> "PrivateClassifier":
        """A clone spends from the same ledger, which cannot be copied."""
        return type(self)(**self.get_params())

    def set_params(self, **params: Any) -> "PrivateClassifier":
        for name, value in params.items():
            if name not in self._names():
                raise ConfigError(f"PrivateClassifier has no parameter {name!r}. It has: {', '.join(self._names())}.")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.base import BaseEstimator
        from sklearn.utils import ClassifierTags, InputTags

        tags = BaseEstimator().__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        tags.target_tags.required, tags.input_tags = True, InputTags(allow_nan=False)
        return tags

    def __repr__(self) -> str:
        return f"PrivateClassifier(epsilon={self.epsilon}, delta={self.delta}, budget={self.budget!r})"

    def fit(self, X: ArrayLike, y: ArrayLike) -> "PrivateClassifier":  # noqa: N803 (scikit-learn's name)
        """Reserve the plan, then train on X of shape (n, d) and labels y of shape (n,). Returns self.

        Raises ConfigError, DataError (labels not declared, values that are not finite), BudgetExceeded.
        """
        if self.ledger is None or not self.budget:
            raise ConfigError(
                "PrivateClassifier needs a ledger and a budget, so that what it spends is remembered: "
                'Ledger.open("ledger.sqlite"), then PrivateClassifier(ledger=ledger, budget="name of the data").'
            )
        features, labels = self._scaled(X), self._numbers(y)
        network = Network(
            hidden=tuple(self.hidden), activation=self.activation, learning_rate=self.learning_rate, momentum=self.momentum
        )
        n = len(features) if self.n is None else self.n
        plan = Plan.solve(
            epsilon=self.epsilon,
            delta=self.delta,
            n=n,
            batch_size=max(1, n // 8) if self.batch_size is None else self.batch_size,
            epochs=self.epochs,
            clip_norm=self.clip_norm,
            parameters=network.parameters(features.shape[1], len(self.classes)),
        )
        trainer = Trainer(plan=plan, network=network, source=self.source)
        names = [str(one) for one in self.classes]
        request = f"fit-{uuid.uuid4()}" if self.request_id is None else self.request_id
        fitted: DenseNetwork = trainer.fit(
            features, labels, names, ledger=self.ledger, budget=self.budget, request_id=request, on_step=self.on_step
        )
        private = self.source is None or self.source.private
        self.network_, self.plan_, self.guarantee_ = fitted, plan, plan.guarantee if private else None
        self.classes_, self.n_features_in_ = np.asarray(self.classes), features.shape[1]
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return class probabilities of shape (n, k) for X of shape (n, d)."""
        if not hasattr(self, "network_"):
            raise ConfigError("this PrivateClassifier is not fitted yet. Call fit(X, y) first.")
        return self.network_.predict_proba(self._scaled(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the likeliest class of each row, shape (n,)."""
        numbers = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[numbers])

    def score(self, X: ArrayLike, y: ArrayLike) -> float:  # noqa: N803
        """Return the share of rows predicted right. On private rows this is an exact, uncharged statistic: keep it inside."""
        return float(np.mean(self.predict(X) == np.asarray(y)))

    def _scaled(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Clip to the declared bounds and scale to [-1, 1]: a map of one row at a time, fixed beforehand."""
        values = np.asarray(X, dtype=np.float64)
        if values.ndim != 2:
            raise ShapeError(f"X must have shape (n, d), got {values.shape}.")
        if not np.isfinite(values).all():
            raise DataError("X holds values that are not finite numbers. Fill or drop missing values by a rule fixed beforehand.")
        low, high = (np.broadcast_to(np.asarray(bound, dtype=np.float64), values.shape[1:]) for bound in self.bounds)
        if not (low < high).all():
            raise ConfigError(f"bounds must have low < high for every feature, got {self.bounds}.")
        scaled: NDArray[np.float64] = 2 * (np.clip(values, low, high) - low) / (high - low) - 1
        return scaled

    def _numbers(self, y: ArrayLike) -> NDArray[np.int64]:
        """Return class numbers for labels, refusing labels that were not declared."""
        if len(set(self.classes)) < 2:
            raise ConfigError(
                f"classes must name at least two labels, got {list(self.classes)}. Declare every label that could occur."
            )
        numbers = {label: number for number, label in enumerate(self.classes)}
        try:
            return np.array([numbers[label] for label in np.asarray(y).tolist()], dtype=np.int64)
        except KeyError:
            raise DataError(
                f"y holds a label (or a missing value) that is not among the declared classes {list(self.classes)}."
            ) from None
