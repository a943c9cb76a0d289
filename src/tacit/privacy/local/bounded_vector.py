"""A vector of bounded length, told by PrivUnit2 one dimension up; the release, its guarantee, and where the proof is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.noise.source import Source
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.local.priv_unit import MOST_DIMENSIONS, PrivUnit2
from tacit.privacy.local.reports import Reports, local_guarantee

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundedVector:
    """Reports a vector no longer than a radius; unbiased, for means and gradients.

    epsilon   -- from 2^-10 to 40.
    dimension -- d, length of the vectors; from 1 to 2^16 - 1.
    radius    -- r, declared, same unit as the vectors; finite and > 0. A longer vector is shortened to it.

    x becomes the unit vector (x / r, sqrt(1 - |x|^2 / r^2)) of R^(d+1), which PrivUnit2 reports; the last coordinate of its
    unbiased estimate is dropped. One report, one epsilon, the length hidden with the direction.
    Proof: what is done before PrivUnit2 takes each person's value to another single value, and PrivUnit2's guarantee holds for
    all of them (replace-one). Unbiased since PrivUnit2 is, coordinate by coordinate.
    """

    epsilon: float
    dimension: int
    radius: float = 1.0

    def __post_init__(self) -> None:
        d = self.dimension
        if isinstance(d, bool) or not isinstance(d, int) or not 1 <= d < MOST_DIMENSIONS:
            raise ConfigError(
                f"dimension must be a whole number from 1 to {MOST_DIMENSIONS - 1}, got {d!r}: it is the length of each person's "
                "vector. Count the numbers that one person reports."
            )
        radius: Any = self.radius
        if isinstance(radius, bool) or not isinstance(radius, int | float) or not 2.0**-400 <= radius <= 2.0**400:
            raise ConfigError(
                f"radius must be finite and > 0, got {radius!r}: a vector without a bound cannot hide. "
                "Declare the longest vector a person may report, in the vectors' own unit."
            )
        object.__setattr__(self, "epsilon", self.unit.epsilon)

    @property
    def unit(self) -> PrivUnit2:
        """What reports the lifted vector."""
        return PrivUnit2(epsilon=self.epsilon, dimension=self.dimension + 1)

    @property
    def guarantee(self) -> Guarantee:
        """What one report costs its person: epsilon, delta 0, replace-one."""
        return local_guarantee(self.epsilon)

    def randomize(self, values: ArrayLike, source: Source) -> Reports:
        """Return one report per value, each a unit vector of shape (d + 1,). Runs on the device, for one value or many.

        values -- shape (n, d), n >= 1, finite; vectors longer than the radius are shortened to it; source -- as PrivUnit2.
        Raises ShapeError or DataError for another shape and for values that are not finite.
        """
        vectors = np.asarray(values, dtype=np.float64)
        if vectors.ndim != 2 or not len(vectors) or vectors.shape[1] != self.dimension:
            raise ShapeError(f"values must have shape (n, {self.dimension}) with n >= 1, got {vectors.shape}: a row per person.")
        if not np.isfinite(vectors).all():
            raise DataError(
                "a value is not a finite number, so nothing was reported. Fill missing ones by a declared rule first."
            )
        told = self.unit.randomize(_lifted(vectors / self.radius), source)
        return Reports(values=told.values, mechanism=self, private=source.private)

    def unbiased(self, reports: Reports) -> Floats:
        """Return shape (n, d): one vector per report whose mean over the mechanism's randomness is the person's, shortened."""
        return np.asarray(reports.values[:, :-1] * (self.radius / self.unit.norm))

    def checked_reports(self, values: NDArray[Any]) -> Floats:
        """Return reports as float64, shape (n, d + 1). Raises ShapeError or DataError for what no device sends."""
        return self.unit.checked_reports(values)


def _lifted(vectors: Floats) -> Floats:
    """Return (x, sqrt(1 - |x|^2)) of length 1 for each row x, shortened to length 1 where it is longer."""
    largest = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), 1.0)
    lengths = largest * np.linalg.norm(vectors / largest, axis=1, keepdims=True)  # huge values do not overflow
    inside = vectors / np.maximum(lengths, 1.0)
    rest = np.sqrt(np.maximum(0.0, 1 - np.einsum("nd,nd->n", inside, inside)))
    lifted = np.hstack([inside, rest[:, None]])
    return np.asarray(lifted / np.linalg.norm(lifted, axis=1, keepdims=True))
