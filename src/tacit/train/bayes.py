"""Naive Bayes from histograms: how often each class falls into each bin of each feature, in one Gaussian release.

Sensitivity. A row of class y with bins b_1 .. b_d adds 1 to the counts (y, j, b_j), one for each feature j: a vector of
length sqrt d exactly. Zeroing the row takes all of it away, so neighbours' counts differ by sqrt d in L2. How many rows a class
has is not released apart: it is the sum over a feature's bins. Counts are whole numbers, exact in float64.
Post-processing (Vaidya et al. 2013, doi:10.1109/WI-IAT.2013.80, adds Laplace noise to the same statistics).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.noise.grid import clip_norm_for

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Histograms:
    """Counts of k classes in equal bins of features in [-1, 1].

    classes -- k >= 2. bins -- number of bins of each feature, each >= 1.
    A column of codes 0 .. m - 1 within bounds (0, m - 1) has each code in a bin of its own with m bins.
    """

    classes: int
    bins: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.bins or any(isinstance(one, bool) or not isinstance(one, int) or one < 1 for one in self.bins):
            raise ConfigError(f"bins must be whole numbers >= 1, one for every feature, got {self.bins[:20]}.")

    @property
    def length(self) -> int:
        """Number of released values."""
        return self.classes * sum(self.bins)

    @property
    def clip_norm(self) -> float:
        return clip_norm_for(math.sqrt(len(self.bins)) * (1 + 2.0**-50))

    def total(self, rows: Floats, numbers: NDArray[np.int64]) -> Floats:
        """Return all counts, shape (length,), class after class, for rows (n, d) in [-1, 1] and class numbers (n,)."""
        width = sum(self.bins)
        places = self._places(rows) + numbers[:, None] * width
        return np.bincount(places.ravel(), minlength=self.length).astype(np.float64)

    def fitted(self, released: Floats, *, noise: float, smoothing: float) -> "NaiveBayes":
        """Return the model that released counts give: post-processing.

        noise -- standard deviation of each released count. smoothing -- added to each, after cutting it off at 0; > 0.
        """
        counts = np.maximum(released.reshape(self.classes, -1), 0.0)
        starts = self._starts()
        sizes = np.add.reduceat(released.reshape(self.classes, -1), starts, axis=1)  # (k, d): each feature's count of a class
        shares = 1 / np.asarray(self.bins, dtype=np.float64)  # each has variance bins * noise^2
        rows_of_class = np.maximum(sizes @ shares / shares.sum(), max(noise, 1.0))
        smooth = counts + smoothing
        log_shares = np.log(smooth) - np.repeat(np.log(np.add.reduceat(smooth, starts, axis=1)), self.bins, axis=1)
        return NaiveBayes(histograms=self, log_prior=np.log(rows_of_class / rows_of_class.sum()), log_shares=log_shares)

    def _places(self, rows: Floats) -> NDArray[np.int64]:
        """Return for every value its bin's place among one class's counts, shape (n, d)."""
        bins = np.asarray(self.bins, dtype=np.int64)
        inside = np.floor((rows + 1) / 2 * bins).astype(np.int64)
        return np.asarray(np.clip(inside, 0, bins - 1) + self._starts())

    def _starts(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.bins)[:-1]]).astype(np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class NaiveBayes:
    """A fitted model: log_prior, shape (k,), and log_shares, shape (k, all bins), each feature's shares adding up to 1."""

    histograms: Histograms
    log_prior: Floats
    log_shares: Floats

    def log_probabilities(self, rows: Floats) -> Floats:
        """Return log P(class | row), shape (n, k), for rows (n, d) in [-1, 1]."""
        places = self.histograms._places(rows)
        joint = self.log_prior + np.stack([shares[places].sum(axis=1) for shares in self.log_shares], axis=1)
        top = joint.max(axis=1, keepdims=True)
        return np.asarray(joint - top - np.log(np.exp(joint - top).sum(axis=1, keepdims=True)))
