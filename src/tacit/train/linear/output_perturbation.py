"""Logistic regression by output perturbation: the minimum of a strongly convex objective, plus normal noise.

    J(w) = (1 / n) sum_i c_i loss(w; z_i, y_i) + (regularization / 2) |w|^2,       z = (x, 1), c_i = min(1, B / |z_i|)

Sensitivity (Chaudhuri, Monteleoni & Sarwate 2011, JMLR 12, Lemma 7 and Corollary 8, here for zero-out neighbours, n public).
Each row's gradient has length at most L = B for two classes (one logit), sqrt 2 B for more (softmax), where B^2 = row_norm^2
+ 1 counts the intercept and c_i depends on this row alone. Let w* and v* be the minima with and without row i. J without the
row is regularization-strongly convex with gradient 0 at v*, and its gradient at w* is minus the row's share, so
regularization |w* - v*| <= L / n.

Approximate minima. No solver returns w*. What is noised is a point w with a certificate, |grad J(w)| <= gamma, and strong
convexity gives |w - w*| <= gamma / regularization. So two neighbours' points differ by at most

    (L / n + 2 gamma) / regularization,      gamma = 10^-3 L / n,

and the noise covers exactly that; the guarantee rests on the certificate, checked in float64 with an allowance for the
rounding of the gradient itself, and on no property of the solver. (Wu et al. 2017, arXiv:1606.04722, for why this matters.)

Objective perturbation adds less noise for its epsilon, but its (epsilon, delta) curve is not that of a Gaussian mechanism
(Redberg et al. 2023, arXiv:2401.00583), which is what a block is priced and composed as.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.grid import clip_norm_for
from tacit.noise.sensitivity import FLOAT64
from tacit.train.linear.moments import BLOCK, with_intercept

Floats = NDArray[np.float64]

TOLERANCE = 1e-3
"""gamma in units of L / n: the approximate minimum costs 0.2 % more noise than the exact one would."""

MOST_ITERATIONS = 200
MOST_DENSE = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class LogisticObjective:
    """A regularized logistic loss over n rows, and how far its approximate minimum can move.

    features -- d >= 1, the intercept not counted. classes -- k >= 2. n -- public number of rows; >= 1.
    row_norm -- rows of scaled features longer than this count for less; > 0. regularization -- finite and > 0.
    """

    features: int
    classes: int
    n: int
    row_norm: float
    regularization: float

    def __post_init__(self) -> None:
        for name in ("row_norm", "regularization"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ConfigError(
                    f"{name} must be finite and > 0, got {value}: without it one row could move the minimum without limit. "
                    "Leave it away for a default that depends on public values alone."
                )
        if not 2 * self._float_error() <= self._gamma:
            raise PrivacyError(
                f"with {self.n} rows and regularization {self.regularization:g}, float64 cannot certify a minimum to the length the noise "
                "is scaled for. Nothing was charged. Use more regularization, or PrivateClassifier."
            )

    @property
    def outputs(self) -> int:
        """Logits: one for two classes, else one for each."""
        return 1 if self.classes == 2 else self.classes

    @property
    def length(self) -> int:
        """Number of released values: a weight for every feature and the intercept, for every logit."""
        return self.outputs * (self.features + 1)

    @property
    def longest(self) -> float:
        """B, the largest length a row with its intercept counts with."""
        return math.sqrt(self.row_norm**2 + 1)

    @property
    def lipschitz(self) -> float:
        """L, the largest length of one row's gradient."""
        return self.longest * (1.0 if self.classes == 2 else math.sqrt(2))

    @property
    def sensitivity(self) -> float:
        """Largest distance between two neighbours' certified points."""
        return (self.lipschitz / self.n + 2 * self._gamma) / self.regularization

    @property
    def clip_norm(self) -> float:
        return clip_norm_for(self.sensitivity)

    @property
    def _gamma(self) -> float:
        return TOLERANCE * self.lipschitz / self.n

    @property
    def _reach(self) -> float:
        """How long the weights of a certified point may be."""
        return math.sqrt(4 * math.log(self.classes) / self.regularization)

    def _float_error(self) -> float:
        """Bound on the rounding error of a computed gradient, in L2.

        A row's residual is off by at most that of its logit, (d + 1) u B |w|, plus 16 u for exponentials and weights; sums in blocks
        add (4096 + n / 4096) u L. |w|^2 <= 2 ln(k) / regularization at any point no worse than 0; twice that is allowed.
        """
        logit = (self.features + 1) * self.longest * self._reach
        sums = BLOCK + self.n / BLOCK + 16
        return 4 * FLOAT64 * self.lipschitz * (sums + logit + 16) + 4 * FLOAT64 * self.regularization * self._reach

    def minimum(self, rows: Floats, numbers: NDArray[np.int64]) -> Floats:
        """Return a point, shape (length,), whose gradient is certified to be at most gamma long.

        rows -- (n, d), each value in [-1, 1]; numbers -- (n,), class numbers 0 .. k - 1.
        Newton's method on the gradient, each step shortened until the gradient shrinks; the Hessian is positive definite
        everywhere, so it converges from anywhere. Raises PrivacyError, releasing nothing, when it has not after 200 steps.
        """
        data = _Rows.of(self, rows, numbers)
        weights = np.zeros((self.outputs, self.features + 1))
        gradient, probabilities = data.gradient(weights)
        for _ in range(MOST_ITERATIONS):
            size = float(np.linalg.norm(gradient))
            if size <= self._gamma / 2 and float(np.linalg.norm(weights)) <= self._reach:
                return weights.ravel()
            step = data.newton(probabilities, gradient, min(0.1, math.sqrt(size)))
            share = 1.0
            while share > 1e-12:
                nearer, at = data.gradient(weights - share * step)
                if float(np.linalg.norm(nearer)) <= (1 - share / 4) * size:
                    break
                share /= 2
            weights, gradient, probabilities = weights - share * step, nearer, at
        raise PrivacyError(
            "no point with a gradient short enough to be certified was found, so nothing was released; what was paid stays paid. "
            "Use more regularization, or bounds that make the features' scales alike."
        )

    @classmethod
    def default_regularization(
        cls, *, n: int, classes: int, row_norm: float, noise_multiplier: float, weight_norm: float
    ) -> float:
        """Return the regularization that balances what it costs against what the noise costs, from public values alone.

        weight_norm -- R: how large a logit the longest row, of length B, is expected to have.
        Pulling weights of length R / B towards 0 costs (reg / 2) (R / B)^2 of loss; noise of s.d. s = noise_multiplier L / (n reg)
        costs about s^2 B^2 / 8, the Hessian's trace being at most B^2 / 4. The sum is least where the derivative is 0.
        """
        longest = math.sqrt(row_norm**2 + 1)
        lipschitz = longest * (1.0 if classes == 2 else math.sqrt(2))
        noise = noise_multiplier * lipschitz / n
        return math.cbrt(noise**2 * longest**4 / (2 * weight_norm**2))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rows:
    """Rows with their intercept and weight, ready for gradients."""

    objective: LogisticObjective
    z: Floats
    weight: Floats
    wanted: Floats

    @classmethod
    def of(cls, objective: LogisticObjective, rows: Floats, numbers: NDArray[np.int64]) -> "_Rows":
        z = with_intercept(rows)
        lengths = np.sqrt(np.square(z).sum(axis=1))
        weight = np.minimum(1.0, objective.longest / lengths) / objective.n
        wanted = numbers[:, None] == np.arange(objective.classes - objective.outputs, objective.classes)
        return cls(objective=objective, z=z, weight=weight, wanted=wanted.astype(np.float64))

    def gradient(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return (gradient of J, shape (outputs, d + 1); probabilities, shape (n, outputs))."""
        probabilities = class_probabilities(self.z @ weights.T)
        data = self._sum((probabilities - self.wanted) * self.weight[:, None])
        return data + self.objective.regularization * weights, probabilities

    def newton(self, probabilities: Floats, gradient: Floats, precision: float) -> Floats:
        """Return the Newton step, by conjugate gradients to a relative precision; it need not be exact.

        For one logit and few features the Hessian itself is cheaper than the products that conjugate gradients take.
        """
        if gradient.size <= MOST_DENSE and len(gradient) == 1:
            slopes = probabilities * (1 - probabilities) * self.weight[:, None]
            hessian = self._sum(slopes * self.z) + self.objective.regularization * np.eye(gradient.size)
            return np.asarray(np.linalg.solve(hessian, gradient[0])[None, :])
        from scipy.sparse.linalg import LinearOperator, cg

        def product(vector: Floats) -> Floats:
            direction = vector.reshape(gradient.shape)
            slopes = probabilities * (self.z @ direction.T)
            mean = slopes if len(direction) == 1 else slopes.sum(axis=1, keepdims=True)
            slopes = slopes - probabilities * mean
            return (self._sum(slopes * self.weight[:, None]) + self.objective.regularization * direction).ravel()

        operator = LinearOperator((gradient.size, gradient.size), matvec=product, dtype=np.float64)
        return np.asarray(cg(operator, gradient.ravel(), rtol=precision, maxiter=10 * gradient.size)[0]).reshape(gradient.shape)

    def _sum(self, shares: Floats) -> Floats:
        """Return shares^T z, shape (shares.shape[1], d + 1), summed in blocks of rows."""
        total = np.zeros((shares.shape[1], self.z.shape[1]))
        for start in range(0, len(self.z), BLOCK):
            total += shares[start : start + BLOCK].T @ self.z[start : start + BLOCK]
        return total


def class_probabilities(logits: Floats) -> Floats:
    """Return probabilities, shape (n, outputs): of the second class for one logit, else of each class."""
    if logits.shape[1] == 1:
        small = np.exp(-np.abs(logits))
        return np.asarray(np.where(logits >= 0, 1.0, small) / (1.0 + small))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
