"""One bit about a bounded number: the release, its guarantee, and where the proof is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.noise.source import Source
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.local.reports import Reports, local_guarantee
from tacit.privacy.local.words import ALL_WORDS, checked_epsilon, exp_below, lie_words


@dataclass(frozen=True, kw_only=True, slots=True)
class OneBit:
    """Reports one bit whose mean is linear in a person's number; unbiased, for means.

    epsilon   -- from 2^-10 to 40.
    low, high -- declared bounds of the number, its own unit, finite, low < high. A number outside counts as the nearer bound.

    The number is rounded to a bound at random, up with probability (x - low) / (high - low), and that bit is told by binary
    randomized response: the bit's lie has probability 1 / (e^eps + 1), rounded up to a 64-bit word, so the ratio is at most
    e^epsilon exactly, whatever the first rounding does. Above epsilon 1.2 BoundedVector(dimension=1) has smaller errors.
    Proof: Duchi, Jordan & Wainwright 2018, JASA, arXiv:1604.02390, in one dimension; written as in Wang et
    al. 2019, arXiv:1907.00782, Algorithm 1.
    """

    epsilon: float
    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", checked_epsilon(self.epsilon))
        try:
            low, high = float(self.low), float(self.high)
            if not (low < high and np.isfinite(high - low)):
                raise ValueError
        except (TypeError, ValueError):
            raise ConfigError(
                f"bounds must be finite with low < high, got {self.low!r} and {self.high!r}: a number without bounds cannot hide. "
                "Declare them without looking at the data."
            ) from None
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def lie_words(self) -> int:
        """Words in 2^64 that turn the bit round."""
        return lie_words(exp_below(self.epsilon))

    @property
    def guarantee(self) -> Guarantee:
        """What one report costs its person: epsilon, delta 0, replace-one."""
        return local_guarantee(self.epsilon)

    def randomize(self, values: ArrayLike, source: Source) -> Reports:
        """Return one report per value, each shape () of bool. Runs on the device, for one value or many.

        values -- shape (n,), n >= 1, finite; source -- two words per value, whatever the value.
        Raises ShapeError or DataError for another shape and for values that are not finite.
        """
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.ndim != 1:
            raise ShapeError(f"values must have shape (n,), got {numbers.shape}: one number per person. Flatten them first.")
        if not np.isfinite(numbers).all():
            raise DataError(
                "a value is not a finite number, so nothing was reported. Fill missing ones by a declared rule first."
            )
        share = (np.clip(numbers, self.low, self.high) - self.low) / (self.high - self.low)
        words = source.uniform_words(2 * len(numbers)).reshape(len(numbers), 2)
        up = (words[:, 0] >> np.uint64(11)) * 2.0**-53 < share
        return Reports(values=up ^ (words[:, 1] < np.uint64(self.lie_words)), mechanism=self, private=source.private)

    def unbiased(self, reports: Reports) -> NDArray[np.float64]:
        """Return shape (n,): one number per report whose mean over the mechanism's randomness is the person's, clipped."""
        lie = self.lie_words / ALL_WORDS
        return np.asarray(self.low + (self.high - self.low) * (reports.values - lie) / (1 - 2 * lie))

    def checked_reports(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return reports as bool, shape (n,). Raises ShapeError or DataError for what no device sends."""
        reports = np.asarray(values)
        if reports.ndim != 1 or not len(reports):
            raise ShapeError(f"reports must have shape (n,) with n >= 1, got {reports.shape}: one bit per person.")
        if reports.dtype.kind not in "biu" or not np.isin(reports, (0, 1)).all():
            raise DataError("reports must be bits: no device sends anything else. Check that they were made by this mechanism.")
        return reports.astype(np.bool_)
