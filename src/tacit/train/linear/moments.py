"""Linear regression from its moments: one Gaussian release of sum z z^T and sum z y, then algebra.

Source: Wang 2018, arXiv:1803.02596, Algorithm 2 (AdaSSP). Read differently in one place: its separate release of the least
eigenvalue is left out, since the eigenvalues of the released matrix say the same for nothing (post-processing).

Sensitivity. Row i has features x of length at most r, an intercept 1 and a target y in [-1, 1]; z = (x, 1), so
|z|^2 <= B^2 = r^2 + 1. It contributes v = (svec(z z^T), z y), where svec lists the upper triangle with off-diagonal entries
times sqrt 2, so that |svec(z z^T)| = |z|^2 and

    |v|^2 = |z|^4 + |z|^2 y^2 <= B^4 + B^2 = C0^2.

A row longer than r is not moved: its contribution is multiplied by min(1, C0 / |v|), a weight that depends on this row
alone and leaves a linear relation as it is. Zeroing a row takes its whole v away, the 1 of the intercept (the count)
included: neighbours' sums differ by at most C0, and the noise covers clip_norm with clip target C0.

Float error. z, y and the weight are stored float64 values; the matrix product sums blocks of 4,096 rows with one rounding
per product, blocks are added in float64: tacit.noise.sensitivity, norm_error covering the norm, the weight and sqrt 2.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.noise.grid import clip_norm_for
from tacit.noise.sensitivity import FLOAT64, sum_sensitivity

Floats = NDArray[np.float64]

BLOCK = 4096
"""Rows per block of a sum, so that float error stays far below what the clip target leaves free."""

RIDGE_CHANCE = 0.05
"""Chance that the noise moves an eigenvalue by more than the ridge assumes; a matter of accuracy, not of privacy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """The moments of rows with bounded length.

    features -- d >= 1, the intercept not counted. row_norm -- r, largest L2 length of a row's features; finite and > 0.
    """

    features: int
    row_norm: float

    def __post_init__(self) -> None:
        if not (self.row_norm > 0 and math.isfinite(self.row_norm)):
            raise ConfigError(
                f"row_norm must be finite and > 0, got {self.row_norm}. It is how long a row of scaled features may be before it "
                "counts for less; sqrt(number of features) covers every row."
            )

    @property
    def width(self) -> int:
        """Features and the intercept."""
        return self.features + 1

    @property
    def length(self) -> int:
        """Number of released values: the upper triangle of a (width, width) matrix, and (width,) products with the target."""
        return self.width * (self.width + 1) // 2 + self.width

    @property
    def largest(self) -> float:
        """C0, the length of the longest contribution."""
        square = self.row_norm**2 + 1
        return math.sqrt(square**2 + square)

    @property
    def clip_norm(self) -> float:
        return clip_norm_for(self.largest)

    def prove(self, rows: int) -> None:
        """Raise PrivacyError when float64 sums of so many rows could be off by more than the clip target leaves free."""
        sum_sensitivity(
            clip_norm=self.clip_norm,
            dimension=self.length,
            contributions=max(1, rows),
            block=BLOCK,
            norm_error=(self.width + 16) * FLOAT64,
        )

    def total(self, rows: Floats, targets: Floats) -> Floats:
        """Return the sum of all contributions, shape (length,).

        rows -- (n, d), each value in [-1, 1]; targets -- (n,), each in [-1, 1]. Raises PrivacyError as `prove` does.
        """
        self.prove(len(rows))
        gram, cross = np.zeros((self.width, self.width)), np.zeros(self.width)
        for start in range(0, len(rows), BLOCK):
            z, y = with_intercept(rows[start : start + BLOCK]), targets[start : start + BLOCK]
            square = np.square(z).sum(axis=1)
            weight = np.minimum(1.0, self.largest / np.sqrt(square * square + square * np.square(y)))
            z = z * np.sqrt(weight)[:, None]
            gram += z.T @ z
            cross += z.T @ (y * np.sqrt(weight))
        return np.concatenate([(gram * self._stretch())[self._upper()], cross])

    def coefficients(self, released: Floats, *, noise: float) -> Floats:
        """Return (d + 1,) coefficients, intercept last, from the released moments: post-processing.

        noise -- standard deviation of each released value. The ridge is the least that keeps every eigenvalue at or above what
        noise alone reaches: the released matrix is the true one plus E with |E| <= noise (sqrt(2 width) + sqrt(2 ln(1 / chance)))
        (Vershynin 2018, High-Dimensional Probability, section 7.3, for the Gaussian orthogonal ensemble).
        """
        triangle, cross = released[: -self.width], released[-self.width :]
        gram = np.zeros((self.width, self.width))
        gram[self._upper()] = triangle
        gram = (gram + gram.T) / 2 * np.sqrt(2) + np.diag(np.diag(gram)) * (1 - np.sqrt(2))
        values, vectors = np.linalg.eigh(gram)
        floor = noise * (math.sqrt(2 * self.width) + math.sqrt(2 * math.log(1 / RIDGE_CHANCE)))
        ridge = max(0.0, floor - float(values[0]))
        return np.asarray(vectors @ ((vectors.T @ cross) / (values + ridge)))

    def _upper(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.triu_indices(self.width)

    def _stretch(self) -> Floats:
        """sqrt 2 off the diagonal, 1 on it."""
        return np.full((self.width, self.width), math.sqrt(2)) - np.diag(np.full(self.width, math.sqrt(2) - 1))


def with_intercept(rows: Floats) -> Floats:
    """Return rows with a column of ones at the end: (n, d) becomes (n, d + 1)."""
    return np.hstack([rows, np.ones((len(rows), 1))])
