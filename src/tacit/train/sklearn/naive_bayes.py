"""Naive Bayes from noisy histograms, with scikit-learn's manners."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.train.bayes import Histograms
from tacit.train.releases import vector_block
from tacit.train.sklearn.estimator import ClassifierMixin, PrivateEstimator
from tacit.train.sklearn.public_values import class_numbers, classes_of
from tacit.train.sklearn.refusals import SettingRefused


@dataclass(kw_only=True, repr=False, eq=False)
class PrivateNaiveBayes(ClassifierMixin, PrivateEstimator):  # type: ignore[misc]
    """Naive Bayes from noisy histograms: one release of counts, for numbers and codes alike.

    classes   -- every label that could occur, declared, or "public: source".
    bins      -- equal bins between each feature's bounds: one number, or one for each feature. A column of codes 0 .. m - 1 within
                 bounds (0, m - 1) takes m. Codes are better than one-hot columns here: the noise grows with sqrt(number of columns).
    smoothing -- added to every count after the noise, in standard deviations of the noise; at least one row's worth is added.
    ledger, budget, bounds, epsilon, delta, request_id, source -- as in every private estimator.

    After fit: classes_ (sorted), model_, bounds_, origins_, guarantee_. The sensitivity proof is in tacit.train.bayes.
    """

    classes: Sequence[Any] | str | None = None
    bins: int | Sequence[int] = 10
    smoothing: float = 0.5

    def fit(self, X: ArrayLike, y: ArrayLike, **refused: Any) -> "PrivateNaiveBayes":  # noqa: N803 (scikit-learn's name)
        """Pay, then release the histograms of X, shape (n, d), per label of y, shape (n,), once. Returns self.

        Raises SettingRefused or ConfigError, InputRefused, BudgetExceeded.
        """
        rows, labels = self._rows(X, y, refused)
        classes, self.origins_["classes"] = classes_of(self.classes, labels)
        features, numbers = self._scaled_rows(rows), class_numbers(classes, labels)
        if not 0 <= self.smoothing < np.inf:
            raise SettingRefused(f"smoothing must be finite and >= 0, got {self.smoothing}. Try 0.5.")
        histograms = Histograms(classes=len(classes), bins=self._bins(features.shape[1]))
        block = vector_block(epsilon=self.epsilon, delta=self.delta, length=histograms.length)
        with self._releases(block) as releases:
            released = releases.release(histograms.total(features, numbers), clip_norm=histograms.clip_norm)
        noise = releases.noise_multiplier * histograms.clip_norm
        self.classes_ = classes
        self.model_ = histograms.fitted(released, noise=noise, smoothing=max(1.0, self.smoothing * noise))
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return class probabilities of shape (m, k), in the order of classes_, for X of shape (m, d)."""
        rows = self._scaled_new(X)
        return np.exp(self.model_.log_probabilities(rows))

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the likeliest class of each row, shape (m,)."""
        numbers = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[numbers])

    def _bins(self, features: int) -> tuple[int, ...]:
        """Return the number of bins of each feature."""
        given: Any = self.bins
        bins = (given,) * features if isinstance(given, int) else tuple(int(one) for one in given)
        if len(bins) != features:
            raise SettingRefused(f"bins must be one number, or one for each of {features} features, got {len(bins)} numbers.")
        return bins
