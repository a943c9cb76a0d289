"""The grid: sums and noise as whole multiples of a power of two, so that no low bit says which input was used.

Noise in floating point has low bits that depend on what it is added to, and they can name the input with certainty
(Mironov 2012, doi:10.1145/2382196.2382264). Here a sum is rounded to multiples of g first, and the noise is a multiple of g.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, PrivacyError, ShapeError

CLIP_MARGIN = 2.0**-9
"""Share of the clip norm that clipping leaves free for float error and rounding; see tacit.noise.sensitivity."""

ROUNDING_SHARE = 2.0**-10
"""Share of the clip norm that rounding both neighbours' sums to the grid may take."""

_LARGEST_UNIT = 2.0**52  # sums and differences of two such integers are exact in float64
_PIECE = 1 << 15  # values worked on at a time: a quarter of a mebibyte
_SMALLEST_STEP, _LARGEST_STEP = 2.0**-900, 2.0**900  # units * step neither overflows nor underflows


def grid_step(clip_norm: float, dimension: int) -> float:
    """Return the grid's step g, a power of two: the largest with sqrt(dimension) * g <= 2^-10 * clip_norm, exactly.

    clip_norm -- C, in the unit of the sum; > 0; dimension -- d >= 1.
    Raises ConfigError when an argument is out of range.
    """
    clip = _checked_clip_norm(clip_norm)
    if isinstance(dimension, bool) or not isinstance(dimension, int | np.integer) or dimension < 1:
        raise ConfigError(f"dimension must be a whole number >= 1, got {dimension!r}. It is the length of the released vector.")
    return _step(clip, int(dimension))


@lru_cache(maxsize=64)
def _step(clip: Fraction, dimension: int) -> float:
    """Return grid_step, once for all pieces of all releases of a run."""
    room = clip * clip / (dimension << 20)  # g^2 must not exceed this
    exponent = math.frexp(float(clip))[1] - 9 - dimension.bit_length() // 2  # at or above the answer
    while Fraction(2) ** (2 * exponent) > room:
        exponent -= 1
    return math.ldexp(1.0, exponent)


def clip_target(clip_norm: float) -> float:
    """Return the L2 length that each unit's contribution is clipped to: the largest float <= clip_norm * (1 - 2^-9)."""
    exact = _checked_clip_norm(clip_norm) * (1 - Fraction(CLIP_MARGIN))
    target = float(exact)
    return target if Fraction(target) <= exact else math.nextafter(target, 0.0)


def clip_norm_for(length: float) -> float:
    """Return the least clip norm C, a float, whose clip target C (1 - 2^-9) is at least `length`; length > 0.

    For sums whose contributions are bounded by what they are (counts, bounded products) instead of being clipped.
    """
    norm = length / (1 - CLIP_MARGIN)
    while clip_target(norm) < length:
        norm = math.nextafter(norm, math.inf)
    return norm


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GridVector:
    """A vector of whole multiples of one step. It cannot be changed, and plain arrays cannot be added to it.

    units     -- shape (d,), float64: integers, |unit| < 2^52; kept as a read-only copy, with -0.0 made 0.0 (the sign of a
                 rounded-off sum would otherwise shine through wherever the noise rounds to -0.0).
    step      -- the grid's step g, a power of two, in the unit of the sum.
    clip_norm -- C: two neighbouring sums that this was built from differ by at most C in L2, rounding included.
    Raises ShapeError, ConfigError or PrivacyError when this does not hold.
    """

    units: NDArray[np.float64]
    step: float
    clip_norm: float
    __array_ufunc__: ClassVar[None] = None  # array + GridVector is a TypeError, not an array of objects

    def __post_init__(self) -> None:
        _checked_clip_norm(self.clip_norm)
        if not (_SMALLEST_STEP <= self.step <= _LARGEST_STEP and math.frexp(self.step)[0] == 0.5):
            raise ConfigError(f"a grid's step is a power of two, got {self.step}. Take it from grid_step(clip_norm, dimension).")
        _check_vector(self.units)
        units = self.units + 0.0
        for piece in _pieces(len(units)):
            _check_size(units[piece])
            _check_whole(units[piece])
        units.flags.writeable = False
        object.__setattr__(self, "units", units)

    @classmethod
    def from_sum(cls, total: NDArray[np.float64], clip_norm: float, *, dimension: int | None = None) -> "GridVector":
        """Round a sum to the grid of its clip norm and dimension: units = round(total / g).

        total     -- shape (d,), float64, d >= 1: a sum whose contributions were clipped to clip_target(clip_norm) and added as
                     tacit.noise.sensitivity proves. Never changed.
        clip_norm -- C, same unit.
        dimension -- of the whole vector, when total is a piece of it: the grid is the whole vector's. len(total) by default.
        Raises PrivacyError when a value is not finite or has 2^52 steps or more.
        """
        _check_vector(total)
        if dimension is not None and dimension < len(total):
            raise ShapeError(
                f"a piece of {len(total)} values cannot belong to a vector of {dimension}. Give the whole vector's length."
            )
        step = grid_step(clip_norm, len(total) if dimension is None else dimension)
        units = np.empty(len(total))
        with np.errstate(over="ignore"):  # an overflow becomes an infinity, which is refused
            for piece in _pieces(len(total)):
                part = units[piece]
                np.multiply(total[piece], 1.0 / step, out=part)
                np.rint(part, out=part)
                part += 0.0
                _check_size(part)
        return cls._of_integers(units, step, clip_norm)

    @classmethod
    def _of_integers(cls, units: NDArray[np.float64], step: float, clip_norm: float) -> "GridVector":
        """Return the vector of what is known to be integers below 2^52, none -0.0, in memory of their own: nothing is checked."""
        units.flags.writeable = False
        made = object.__new__(cls)
        for name, value in (("units", units), ("step", step), ("clip_norm", clip_norm)):
            object.__setattr__(made, name, value)
        return made

    @property
    def values(self) -> NDArray[np.float64]:
        """The vector in the sum's own unit, shape (d,): units * step, exactly."""
        return self.units * self.step

    def __add__(self, other: object) -> "GridVector":
        if not isinstance(other, GridVector):
            return NotImplemented
        mine, theirs = (self.step, self.clip_norm, self.units.shape), (other.step, other.clip_norm, other.units.shape)
        if mine != theirs:
            raise ConfigError(
                f"grid vectors are added on one grid only: (step, clip norm, shape) are {mine} and {theirs}. "
                "Round both sums with the same clip norm and dimension."
            )
        units = self.units + other.units
        _check_size(units)
        return GridVector._of_integers(units, self.step, self.clip_norm)

    def plus_noise(self, noise: NDArray[np.float64]) -> "GridVector":
        """Return this vector plus noise that a source rounded to integers, shape (d,); the noise's memory becomes the result's.

        Raises PrivacyError for noise off the grid, ShapeError for another length.
        """
        _check_vector(noise)
        if noise.shape != self.units.shape:
            raise ShapeError(f"noise has shape {noise.shape}, and the vector {self.units.shape}. Draw one value for each.")
        for piece in _pieces(len(noise)):
            part = noise[piece]
            _check_whole(part)
            part += self.units[piece]  # exact where the result is below 2^52, which is checked; -0.0 + 0.0 is 0.0
            _check_size(part)
        return GridVector._of_integers(noise, self.step, self.clip_norm)


def _checked_clip_norm(clip_norm: float) -> Fraction:
    if not 2.0**-400 <= clip_norm <= 2.0**400:
        raise ConfigError(f"clip_norm must be finite and > 0, got {clip_norm}. Start at 1.0 with inputs scaled to about 1.")
    return Fraction(clip_norm)


def _pieces(length: int) -> Iterator[slice]:
    """Yield slices that are worked on at a time, so that intermediate arrays stay in the cache."""
    return (slice(start, start + _PIECE) for start in range(0, length, _PIECE))


def _check_whole(units: NDArray[np.float64]) -> None:
    if (np.rint(units) != units).any():
        raise PrivacyError(
            "a vector has values off its grid. Their low bits could name the input, so nothing was released. "
            "Build it with GridVector.from_sum(total, clip_norm)."
        )


def _check_size(units: NDArray[np.float64]) -> None:
    least, most = (float(units.min()), float(units.max())) if len(units) else (0.0, 0.0)
    if not (least > -_LARGEST_UNIT and most < _LARGEST_UNIT):  # also refuses NaN, which either of the two then is
        raise PrivacyError(
            "a vector has values that are not finite or too large for its grid (2^52 steps or more). Rounding would not be "
            "exact, so nothing was released. Check that every contribution is clipped and non-finite ones count as zero."
        )


def _check_vector(values: NDArray[np.float64]) -> None:
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        given = getattr(values, "shape", type(values))
        raise ShapeError(f"a grid vector has shape (d,), got {given}. Flatten the parameters first.")
    if values.dtype != np.float64:
        raise ConfigError(
            f"a grid vector is built from float64, got {values.dtype}. Sums in lower precision lose more than the proof of its "
            "sensitivity allows: add the contributions up in float64."
        )
