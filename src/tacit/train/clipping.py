"""How one unit's gradient is made short enough: values and the arithmetic they mean, for any engine to apply."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.noise.grid import GridVector, clip_target
from tacit.noise.source import Source
from tacit.privacy.mechanisms.gaussian import Gaussian

__all__ = ["AdaptiveClipping", "AutomaticClipping", "Clipping", "FlatClipping", "PerLayerClipping", "QuantileTracker"]

Lengths = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class FlatClipping:
    """Scales a gradient down to clip_norm where it is longer (Abadi et al. 2016, arXiv:1607.00133).

    clip_norm -- largest L2 length of one unit's gradient, in gradient units; > 0 and finite.
    """

    clip_norm: float

    def __post_init__(self) -> None:
        check_clip_norm(self.clip_norm)

    def factors(self, lengths: Lengths) -> Lengths:
        """Return what each gradient is multiplied by, same shape as its lengths; 0 where a length is not finite."""
        return _factors(lengths, clip_target(self.clip_norm))


@dataclass(frozen=True, kw_only=True, slots=True)
class PerLayerClipping:
    """Clips every layer by itself, so that the whole is never longer than clip_norm (McMahan et al. 2018, arXiv:1710.06963).

    clip_norm -- root of the sum of the layers' squared clip norms; > 0 and finite.
    """

    clip_norm: float

    def __post_init__(self) -> None:
        check_clip_norm(self.clip_norm)

    def split(self, layers: Sequence[str]) -> dict[str, float]:
        """Return each layer's clip norm, all equal; the sum of their squares is exactly at most clip_norm^2."""
        if not layers or len(set(layers)) != len(layers):
            raise ConfigError(f"per-layer clipping needs layers with names of their own, got {list(layers)[:20]}.")
        share = self.clip_norm / math.sqrt(len(layers))
        while len(layers) * Fraction(share) ** 2 > Fraction(self.clip_norm) ** 2:
            share = math.nextafter(share, 0.0)
        return dict.fromkeys(layers, share)

    def factors(self, lengths: Lengths, *, layers: int) -> Lengths:
        """Return what each layer's gradients are multiplied by; lengths are those of one layer of `layers`."""
        return _factors(lengths, clip_target(self.split([str(one) for one in range(layers)])["0"]))


@dataclass(frozen=True, kw_only=True, slots=True)
class AutomaticClipping:
    """Normalizes every gradient: g / (|g| + gamma) * clip_norm, at most clip_norm long (Bu et al. 2022, arXiv:2206.07136).

    gamma -- keeps short gradients short; in gradient units; > 0. 0.01 in the paper.
    """

    clip_norm: float
    gamma: float = 0.01

    def __post_init__(self) -> None:
        check_clip_norm(self.clip_norm)
        _check_positive("gamma", self.gamma)

    def factors(self, lengths: Lengths) -> Lengths:
        """Return what each gradient is multiplied by, same shape as its lengths; 0 where a length is not finite."""
        finite = np.isfinite(lengths)
        return np.where(finite, clip_target(self.clip_norm) / (np.where(finite, lengths, 0.0) + self.gamma), 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptiveClipping:
    """Lets the clip norm follow a quantile of the gradients' lengths, itself released with noise (Andrew et al. 2021, arXiv:1905.03871).

    clip_norm     -- before the first step; > 0 and finite.
    quantile      -- share of drawn units whose gradients should stay whole; 0 < quantile < 1.
    learning_rate -- how fast log(clip norm) moves; > 0.
    bit_noise     -- s.d. of the noise on the number of units that stay whole; None takes a twentieth of the batch.
    least, most   -- declared bounds that the clip norm never leaves; 0 < least <= clip_norm <= most.
    """

    clip_norm: float
    quantile: float = 0.5
    learning_rate: float = 0.2
    bit_noise: float | None = None
    least: float = 1e-6
    most: float = 1e6

    def __post_init__(self) -> None:
        check_clip_norm(self.clip_norm)
        _check_positive("learning_rate", self.learning_rate)
        if self.bit_noise is not None:
            _check_positive("bit_noise", self.bit_noise)
        if not 0 < self.quantile < 1:
            raise ConfigError(
                f"quantile must be > 0 and < 1, got {self.quantile}: it is the share of gradients left whole. Try 0.5."
            )
        if not 0 < self.least <= self.clip_norm <= self.most < math.inf:
            raise ConfigError(f"least <= clip_norm <= most must hold, got {self.least}, {self.clip_norm}, {self.most}.")

    def noise_of_bits(self, batch_size: int) -> float:
        """Return the deviation of the noise on the count of bits."""
        return batch_size / 20 if self.bit_noise is None else self.bit_noise

    def sum_noise(self, combined: float, batch_size: int) -> float:
        """Return the noise multiplier of the sum when sum and bits together cost what one release with `combined` does.

        Bits are centred, b - 1/2, so one unit moves their sum by 1/2: z = (z_sum^-2 + (2 s)^-2)^-1/2 (Theorem 1 there). Raises ConfigError when
        the bits alone cost more.
        """
        bits = 2 * self.noise_of_bits(batch_size)
        left = combined**-2 - bits**-2
        if not left > 0:
            raise ConfigError(
                f"the clip norm's bits, with noise {bits / 2:g}, alone cost more than noise multiplier {combined:g} pays for. "
                "Choose a larger batch or bit_noise."
            )
        return math.nextafter(left**-0.5, math.inf)

    def factors(self, lengths: Lengths, *, clip_norm: float) -> Lengths:
        """Return what each gradient is multiplied by at the present clip norm; 0 where a length is not finite."""
        return _factors(lengths, clip_target(clip_norm))


Clipping = FlatClipping | PerLayerClipping | AutomaticClipping | AdaptiveClipping


class QuantileTracker:
    """The clip norm of a run with adaptive clipping, step by step.

    clip_norm -- the present one, public: made of noisy bits alone.
    Use in every step: read clip_norm, clip and release the sum with it, then `update` once, an empty draw included.
    """

    def __init__(self, clipping: AdaptiveClipping, *, batch_size: int, source: Source) -> None:
        self.clip_norm = clipping.clip_norm
        self._clipping, self._batch_size, self._source = clipping, batch_size, source
        self._mechanism = Gaussian(noise_multiplier=2 * clipping.noise_of_bits(batch_size))

    def update(self, lengths: Lengths) -> float:
        """Release the share of gradients that were left whole, and move the clip norm towards the quantile. Returns the new one.

        lengths -- shape (drawn,): of the drawn units' gradients before clipping; a length that is not finite counts as clipped.
        The share is (sum of (b - 1/2) + noise) / expected batch + 1/2, whatever was drawn; the sum is a multiple of 1/2, hence exact on
        the grid of its sensitivity 1/2.
        """
        whole = int(np.count_nonzero(lengths <= self.clip_norm))
        centred = GridVector.from_sum(np.array([whole - len(lengths) / 2]), 0.5)
        share = float(self._mechanism.release(centred, self._source).values[0]) / self._batch_size + 0.5
        step = -self._clipping.learning_rate * (share - self._clipping.quantile)
        moved = self.clip_norm * math.exp(min(max(step, -50.0), 50.0))
        self.clip_norm = min(max(moved, self._clipping.least), self._clipping.most)
        return self.clip_norm

    def state(self) -> dict[str, NDArray[np.float64]]:
        return {"clip_norm": np.array([self.clip_norm])}

    def restore(self, state: dict[str, NDArray[np.float64]]) -> None:
        """Go on after a checkpoint. Raises ConfigError when it holds no clip norm within the bounds."""
        value = state.get("clip_norm", np.zeros(0))
        if set(state) != {"clip_norm"} or value.shape != (1,) or not self._clipping.least <= value[0] <= self._clipping.most:
            raise ConfigError("this is not the state of a clip norm within its bounds. Restore the checkpoint of this very run.")
        self.clip_norm = float(value[0])


def check_clip_norm(clip_norm: float) -> None:
    """Raise ConfigError unless clip_norm is a finite number > 0."""
    if not _is_positive(clip_norm):
        raise ConfigError(f"clip_norm must be finite and > 0, got {clip_norm!r}. Start at 1.0 with inputs scaled to [-1, 1].")


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _check_positive(name: str, value: float) -> None:
    if not _is_positive(value):
        raise ConfigError(f"{name} must be finite and > 0, got {value!r}.")


def _factors(lengths: Lengths, target: float) -> Lengths:
    """Return min(1, target / length), by selection 0 where a length is not finite."""
    finite = np.isfinite(lengths)
    return np.where(finite, np.minimum(1.0, target / np.maximum(np.where(finite, lengths, 1.0), 1e-300)), 0.0)
