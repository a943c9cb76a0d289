"""Linear regression by noisy moments, with scikit-learn's manners."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.train.linear.moments import Moments
from tacit.train.releases import vector_block
from tacit.train.sklearn.estimator import PrivateEstimator, RegressorMixin
from tacit.train.sklearn.public_values import bounds_of, scaled


@dataclass(kw_only=True, repr=False, eq=False)
class PrivateLinearRegression(RegressorMixin, PrivateEstimator):  # type: ignore[misc]
    """Linear regression from noisy moments: one release, no iterations, nothing to tune.

    target_bounds -- (low, high) of the target, declared, or "public: source". Values outside are clipped.
    row_norm      -- rows of features, each scaled to [-1, 1] by the bounds, that are longer than this in L2 count for less; the noise
                     grows with its square. sqrt(d) by default, which no row exceeds. One-hot columns within bounds (-1, 1) are 0 or 1
                     as they are, so a table of m encoded columns needs sqrt(m) only.
    ledger, budget, bounds, epsilon, delta, request_id, source -- as in every private estimator.

    After fit: coef_, shape (d,), and intercept_, in the units of X and y (X clipped to the bounds); bounds_, origins_, guarantee_.
    Source: Wang 2018, arXiv:1803.02596, Algorithm 2 (AdaSSP); the sensitivity proof is in tacit.train.linear.moments.
    """

    target_bounds: tuple[float, float] | str | None = None
    row_norm: float | None = None

    def fit(self, X: ArrayLike, y: ArrayLike, **refused: Any) -> "PrivateLinearRegression":  # noqa: N803 (scikit-learn's name)
        """Pay, then release the moments of X, shape (n, d), and y, shape (n,), once. Returns self.

        Raises SettingRefused or ConfigError, InputRefused, BudgetExceeded.
        """
        rows, targets = self._rows(X, y, refused, y_numeric=True)
        features = self._scaled_rows(rows)
        low, high, self.origins_["target_bounds"] = bounds_of(self.target_bounds, targets, "target_bounds")
        d = features.shape[1]
        moments = Moments(features=d, row_norm=float(np.sqrt(d) if self.row_norm is None else self.row_norm))
        moments.prove(len(features))
        block = vector_block(epsilon=self.epsilon, delta=self.delta, length=moments.length)
        with self._releases(block) as releases:
            released = releases.release(moments.total(features, scaled(targets, low, high)), clip_norm=moments.clip_norm)
        weights = moments.coefficients(released, noise=releases.noise_multiplier * moments.clip_norm)
        self._in_units(weights, float(low), float(high))
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return the predicted targets, shape (m,), for X of shape (m, d), clipped to the bounds first."""
        scaled_rows = self._scaled_new(X)
        low, high = self.bounds_
        return np.asarray(((scaled_rows + 1) / 2 * (high - low) + low) @ self.coef_ + self.intercept_)

    def _in_units(self, weights: NDArray[np.float64], target_low: float, target_high: float) -> None:
        """Set coef_ and intercept_ from coefficients of scaled features for a scaled target."""
        low, high = self.bounds_
        half = (target_high - target_low) / 2
        self.coef_ = half * weights[:-1] * 2 / (high - low)
        middle = float(weights[:-1] @ ((high + low) / (high - low)))
        self.intercept_ = half * (float(weights[-1]) - middle + 1) + target_low
