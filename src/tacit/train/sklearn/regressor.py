"""Linear regression or an MLP by DP-SGD, with scikit-learn's manners."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.privacy.ledger import Reservation
from tacit.train.plan import Plan
from tacit.train.releases import request_named
from tacit.train.sklearn.dp_sgd import DPSGD
from tacit.train.sklearn.estimator import PrivateEstimator, RegressorMixin
from tacit.train.sklearn.public_values import bounds_of, scaled
from tacit.train.trainer import Network, purpose_of


@dataclass(kw_only=True, repr=False, eq=False)
class PrivateRegressor(RegressorMixin, DPSGD, PrivateEstimator):  # type: ignore[misc]
    """Linear regression or an MLP for squared error, trained with differential privacy and paid for in a ledger.

    target_bounds -- (low, high) of the target, declared, or "public: source". Values outside are clipped, predictions too.
    hidden        -- widths of hidden layers; () is linear regression (for which PrivateLinearRegression needs no tuning).
    n, activation, clip_norm, batch_size, epochs, learning_rate, momentum, on_step -- as in DPSGD; the loss is half the squared error of
                     the target scaled to [-1, 1].
    ledger, budget, bounds, epsilon, delta, request_id, source -- as in every private estimator.

    After fit: n_features_in_, module_ (a torch module for scaled features), plan_, bounds_, target_bounds_, origins_, guarantee_.
    Source: Abadi et al. 2016, arXiv:1607.00133, Algorithm 1.
    """

    target_bounds: tuple[float, float] | str | None = None
    learning_rate: float = 0.2

    def fit(self, X: ArrayLike, y: ArrayLike, **refused: Any) -> "PrivateRegressor":  # noqa: N803 (scikit-learn's name)
        """Reserve the plan, then train on X of shape (n, d) and targets y of shape (n,). Returns self.

        Raises SettingRefused or ConfigError, InputRefused, BudgetExceeded.
        """
        rows, targets = self._rows(X, y, refused, y_numeric=True)
        features = self._scaled_rows(rows)
        low, high, self.origins_["target_bounds"] = bounds_of(self.target_bounds, targets, "target_bounds")
        network, plan = self._planned(
            epsilon=self.epsilon, delta=self.delta, n=self._units(self.n, rows), inputs=features.shape[1], outputs=1
        )
        self.module_ = self._trained(network, plan, features, scaled(targets, low, high))
        self.plan_, self.target_bounds_ = plan, (float(low), float(high))
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return the predicted targets, shape (m,), within the target's bounds, for X of shape (m, d)."""
        import torch

        rows = self._scaled_new(X)
        low, high = self.target_bounds_
        with torch.no_grad():
            outputs = self.module_(torch.from_numpy(rows).float())[:, 0].double().numpy()
        return np.asarray((np.clip(outputs, -1, 1) + 1) / 2 * (high - low) + low)

    def _trained(self, network: Network, plan: Plan, features: NDArray[np.float64], targets: NDArray[np.float64]) -> Any:
        """Return the trained torch module; the plan is reserved before the first batch is drawn."""
        import torch

        from tacit.train.torch import network as shapes
        from tacit.train.torch.private import PrivateTraining

        source = self._drawn_from()
        self.guarantee_ = plan.guarantee if source.private else None
        request = request_named(self.request_id)
        ledger, purpose = self.ledger, purpose_of(source, self._purpose())
        assert ledger is not None

        def pay() -> Reservation:
            return ledger.reserve(plan.block, dataset=self.budget, request_id=request, purpose=purpose)

        module = shapes.build(features.shape[1], network.hidden, 1, network.activation)
        optimizer = torch.optim.SGD(module.parameters(), lr=network.learning_rate, momentum=network.momentum)
        tensors = (torch.from_numpy(features).float(), torch.from_numpy(targets).float())
        private = PrivateTraining(module, optimizer, tensors, plan, pay=pay, source=source)
        for rows, wanted in private.batches():
            before = private.step
            private.backward((module(rows)[:, 0] - wanted).square() / 2)
            optimizer.step()
            if private.step > before and self.on_step is not None:
                self.on_step(private.step, plan.steps)
        return private.finish()
