"""Batched audit twins: many linear models trained at once by the plan that is being audited."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tacit.errors import ConfigError, ShapeError
from tacit.noise.grid import GridVector, clip_target
from tacit.noise.source import Source
from tacit.train.plan import Plan
from tacit.train.torch.threads import threads_for

_LEARNING_RATE = 0.5  # of the twins' ordinary coordinates, which no score reads


@dataclass(frozen=True, kw_only=True, slots=True)
class CanaryTwins:
    """Trains logistic-regression twins side by side, with the plan's own sampler, clipping, mechanism and source.

    plan     -- whose claim is audited.
    features -- shape (n, d): the twins' ordinary rows; labels -- shape (n,), 0 or 1.
    source   -- the source whose noise is audited.
    on_step  -- called with (step, steps).

    A canary is one more record whose gradient has full clip norm in a coordinate of its own, which no other record uses. An
    observer of every noisy sum sees in that coordinate: (times drawn) * clip_norm + noise. Twins share the draws of the
    ordinary rows, which never touch a canary's coordinate; each twin's canaries are drawn, and its noise is added, by itself.
    """

    plan: Plan
    features: NDArray[np.float64]
    labels: NDArray[np.int64]
    source: Source
    on_step: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        if self.plan.sampling != "poisson" or self.plan.mechanism_name != "dp-sgd":
            raise ConfigError(
                f"the plan draws by {self.plan.sampling} sampling with {self.plan.mechanism_name} noise, and twins train independent steps of "
                "Poisson samples alone: they would audit another mechanism. Audit a plan of that kind."
            )
        if self.features.ndim != 2 or self.labels.shape != self.features.shape[:1] or not np.isin(self.labels, (0, 1)).all():
            raise ShapeError(
                f"the twins' features must have shape (n, d) and their labels (n,), each 0 or 1; got {self.features.shape} and "
                f"{self.labels.shape}. A twin is a logistic regression of two classes: give synthetic rows of that form."
            )

    @property
    def steps(self) -> int:
        return self.plan.steps

    @property
    def probability(self) -> float:
        return self.plan.probability

    def __call__(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Train one twin per row of `present`; see tacit.models.predictor.CanaryTrainFn."""
        if present.ndim != 2:
            raise ShapeError(f"present must have shape (twins, canaries), got {present.shape}.")
        twins, canaries = present.shape
        rows = np.hstack([self.features, np.ones((len(self.features), 1))])
        weights = np.zeros((twins, rows.shape[1]))
        seen = np.zeros((twins, canaries))
        with threads_for(round(len(rows) * self.probability), weights.size):
            for step in range(self.steps):
                noisy = self._release(np.hstack([self._gradients(rows, weights), self._canaries(present)]))
                weights -= _LEARNING_RATE * noisy[:, :-canaries] / self.plan.batch_size
                seen += noisy[:, -canaries:]
                if self.on_step is not None:
                    self.on_step(step + 1, self.steps)
        return seen / self.plan.clip_norm

    def _gradients(self, rows: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each twin's sum of clipped logistic-loss gradients over one draw of the ordinary rows, shape (twins, d)."""
        drawn = self.plan.sampler(self.source, size=len(rows)).draw()
        x, labels = torch.from_numpy(rows[drawn]), torch.from_numpy(self.labels[drawn].astype(np.float64))
        residual = torch.sigmoid(x @ torch.from_numpy(weights).T) - labels[:, None]  # (B, twins)
        length = residual.abs() * torch.linalg.vector_norm(x, dim=1)[:, None]
        factor = (clip_target(self.plan.clip_norm) / length.clamp(min=1e-300)).clamp(max=1.0)
        return np.asarray((residual * factor).T @ x)

    def _canaries(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return each twin's canary coordinates before noise: full clip norm where the canary is present and drawn."""
        drawn = np.zeros(present.size)
        drawn[self.plan.sampler(self.source, size=present.size).draw()] = clip_target(self.plan.clip_norm)
        return np.where(present, drawn.reshape(present.shape), 0.0)

    def _release(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        """Release every twin's sum through the plan's mechanism: one vector, on the finer grid of its whole length."""
        noisy = self.plan.mechanism.release(GridVector.from_sum(total.ravel(), self.plan.clip_norm), self.source)
        return np.asarray(noisy.values).reshape(total.shape)
