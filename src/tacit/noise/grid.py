"""The grid: sums and noise as whole multiples of a power of two, so that no low bit says which input was used.

Noise in floating point has low bits that depend on what it is added to, and they can name the input with certainty
(Mironov 2012, doi:10.1145/2382196.2382264). Here a sum is rounded to multiples of g first, and the noise is a multiple of g.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, PrivacyError, ShapeError
from tacit.noise.arithmetic import PIECE, Library, arithmetic, check_memory

CLIP_MARGIN = 2.0**-9
"""Share of the clip norm that clipping leaves free for float error and rounding; see tacit.noise.sensitivity."""

ROUNDING_SHARE = 2.0**-10
"""Share of the clip norm that rounding both neighbours' sums to the grid may take."""

_LARGEST_UNIT = 2.0**52  # sums and differences of two such integers are exact in float64
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
        for piece in _pieces(len(units), "numpy"):
            _check_size(units[piece], np)
            _check_whole(units[piece])
        object.__setattr__(self, "units", _read_only(units))

    @classmethod
    def from_sum(
        cls,
        total: NDArray[np.float64],
        clip_norm: float,
        *,
        dimension: int | None = None,
        by: Library = "numpy",
        out: NDArray[np.float64] | None = None,
    ) -> "GridVector":
        """Round a sum to the grid of its clip norm and dimension: units = round(total / g).

        total     -- shape (d,), float64, d >= 1: a sum whose contributions were clipped to clip_target(clip_norm) and added as
                     tacit.noise.sensitivity proves. Never changed, unless it is out.
        clip_norm -- C, same unit.
        dimension -- of the whole vector, when total is a piece of it: the grid is the whole vector's. len(total) by default.
        by        -- the library that does the arithmetic; the units are the same.
        out       -- memory for the units, shape (d,), contiguous, which may be total's own; fresh memory by default.
        Raises PrivacyError when a value is not finite or has 2^52 steps or more, ConfigError for memory that does not fit.
        """
        _check_vector(total)
        if dimension is not None and dimension < len(total):
            raise ShapeError(
                f"a piece of {len(total)} values cannot belong to a vector of {dimension}. Give the whole vector's length."
            )
        step = grid_step(clip_norm, len(total) if dimension is None else dimension)
        units, (library, shown) = np.empty(len(total)) if out is None else out, arithmetic(by)
        check_memory("out", units, len(total))
        given, made = shown(total), shown(units)
        with np.errstate(over="ignore"):  # an overflow becomes an infinity, which is refused
            for piece in _pieces(len(total), by):
                part = made[piece]
                library.multiply(given[piece], 1.0 / step, out=part)
                library.round(part, out=part)
                part += 0.0
                _check_size(part, library)
        return cls._of_integers(units, step, clip_norm)

    @classmethod
    def _of_integers(cls, units: NDArray[np.float64], step: float, clip_norm: float) -> "GridVector":
        """Return the vector of what is known to be integers below 2^52, none -0.0, in memory of their own: nothing is checked."""
        made = object.__new__(cls)
        for name, value in (("units", _read_only(units)), ("step", step), ("clip_norm", clip_norm)):
            object.__setattr__(made, name, value)
        return made

    @property
    def values(self) -> NDArray[np.float64]:
        """The vector in the sum's own unit, shape (d,): units * step, exactly."""
        return self.units * self.step

    def write_values(self, out: NDArray[np.float64], *, divisor: float, by: Library = "numpy") -> None:
        """Write units * (step / divisor) into out, shape (d,): the vector as a mean over that many, in the sum's own unit."""
        library, shown = arithmetic(by)
        check_memory("out", out, len(self.units))
        library.multiply(shown(self.units), self.step / divisor, out=shown(out))

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
        _check_size(units, np)
        return GridVector._of_integers(units, self.step, self.clip_norm)

    def plus_noise(self, noise: NDArray[np.float64], *, by: Library = "numpy") -> "GridVector":
        """Return this vector plus noise rounded to the grid, shape (d,); the noise's memory becomes the result's.

        noise -- in steps of the grid; shape (d,). It is rounded here, whoever drew it: nothing off the grid is ever added.
        by    -- the library that does the arithmetic; the result is the same.
        Raises PrivacyError where noise or result is not finite or has 2^52 steps or more, ShapeError for another length.
        """
        _check_vector(noise)
        if noise.shape != self.units.shape:
            raise ShapeError(f"noise has shape {noise.shape}, and the vector {self.units.shape}. Draw one value for each.")
        check_memory("noise", noise, len(noise))
        library, shown = arithmetic(by)
        units, noisy = shown(self.units), shown(noise)
        for piece in _pieces(len(noise), by):
            part = noisy[piece]
            library.round(part, out=part)
            part += units[piece]  # exact where the result is below 2^52, which is checked; -0.0 + 0.0 is 0.0
            _check_size(part, library)
        return GridVector._of_integers(noise, self.step, self.clip_norm)


def _checked_clip_norm(clip_norm: float) -> Fraction:
    if not 2.0**-400 <= clip_norm <= 2.0**400:
        raise ConfigError(f"clip_norm must be finite and > 0, got {clip_norm}. Start at 1.0 with inputs scaled to about 1.")
    return Fraction(clip_norm)


def _pieces(length: int, by: Library) -> Iterator[slice]:
    """Yield slices that are worked on at a time, so that intermediate arrays stay in the cache."""
    return (slice(start, start + PIECE[by]) for start in range(0, length, PIECE[by]))


def _read_only(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same memory, which its owner alone can change."""
    shown = units.view()
    shown.flags.writeable = False
    return shown


def _check_whole(units: NDArray[np.float64]) -> None:
    if (np.rint(units) != units).any():
        raise PrivacyError(
            "a vector has values off its grid. Their low bits could name the input, so nothing was released. "
            "Build it with GridVector.from_sum(total, clip_norm)."
        )


def _check_size(units: Any, library: Any) -> None:
    """Raise unless every value is finite and below 2^52 in size.

    To torch a sum of squares below 2^103 says so, in a third of the time. numpy's has threads of its own, which go on spinning
    afterwards and take the processor from everyone else.
    """
    if not len(units) or (library is not np and float(library.dot(units, units)) < _LARGEST_UNIT**2 / 2):
        return
    least, most = float(library.amin(units)), float(library.amax(units))
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
