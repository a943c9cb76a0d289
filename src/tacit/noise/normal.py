"""Standard normal vectors from a keystream: Box-Muller in float64, on 144 random bits per pair of values.

A pair takes a signed 64-bit word A, a 64-bit word B and an odd 16-bit word F, whatever the outcome (no rejection, so the
time a vector takes says nothing about its values):

    u     = |A + F / 2^16| / 2^63           uniform on the odd multiples of 2^-79 in (0, 1): never 0, so never an infinity
    r     = sqrt(-2 ln u)                   radius, Rayleigh
    angle = 2 pi B / 2^64                   with t = tan(angle / 2):  sin = 2t / (1 + t^2),  cos = 2 / (1 + t^2) - 1

and is (r sin, r cos). Half-angle tangents cost one vectorized call where sine and cosine cost two slow ones, and lose
nothing: the map has no cancellation that matters relative to 1.

Accuracy. Rounding puts r^2 off by at most 2^-50 (1 + r^2) and the direction by at most 2^-49. Tails: u has 79 binary places,
so at 9 sigma the radius still has 778,000 values left beyond it, and P(|z| > 9) is right to 1e-6 of itself. What is missing
is the innermost cell, u < 2^-78, which one value stands for: see missing_mass.

Source: Box & Muller 1958, Ann. Math. Stat. 29, 610.
"""

import math
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.noise.arithmetic import Library, arithmetic, check_memory
from tacit.noise.keystream import Keystream

LARGEST = math.sqrt(2 * 79 * math.log(2))
"""The largest |z| that can come out: u = 2^-79, 10.465 sigma."""

TAIL_MASS = 2.0**-78
"""Chance that a pair's radius falls into the innermost cell, u < 2^-78 (r > 10.40), where one value stands for all."""

_PAIR_BYTES = 18
CHUNK_PAIRS = {"numpy": 1 << 14, "torch": 1 << 16}
"""Pairs drawn at a time: 288 KiB of keystream and 128 KiB of radii stay in a second-level cache of 1 MiB; the threads of torch
share four times as much."""

_ALIGNMENT = 64  # a vector register; misaligned operands cost half the speed


def missing_mass(count: int) -> float:
    """Return how far, in total variation, the missing tail can move the law of `count` values from normal.

    A bound on the chance that any of the ceil(count / 2) pairs falls into the cell that one value stands for. A mechanism
    whose noise is `count` such values is (epsilon, delta + (1 + e^epsilon) * missing_mass(count))-DP. 2^40 values: 1.8e-12.
    """
    return -(-count // 2) * TAIL_MASS


class Draws:
    """The normal values of one release, vector after vector; what they were made from is overwritten with zeros on leaving `with`.

    stream -- the release's keystream; erased on leaving.
    by     -- the library that does the arithmetic. Its chunks are of its own length, so that each makes values of its own of a stream.
    """

    def __init__(self, stream: Keystream, *, by: Library = "numpy") -> None:
        arithmetic(by)
        self._stream, self._by = stream, by
        self._words, self._radius = _aligned(0), _aligned(0).view(np.float64)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._words.fill(0)
        self._radius.fill(0)
        self._stream.erase()

    def normal(self, count: int, *, spread: float = 1.0, out: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return the next values of spread * N(0, 1), shape (count,), in out or in fresh memory. Raises as `Source.normal` does."""
        values, size = memory_for(count, spread, out), 2 * CHUNK_PAIRS[self._by]
        self._have(-(-min(size, count) // 2))
        for start in range(0, count, size):
            piece = values[start : start + size]
            pairs = -(-len(piece) // 2)
            words = self._words[: pairs * _PAIR_BYTES]
            self._stream.fill(words)
            transform(words, self._radius[:pairs], spread, piece, self._by)
        return values

    def _have(self, pairs: int) -> None:
        """Have memory for a chunk of that many pairs."""
        if len(self._radius) < pairs:
            self._words.fill(0)
            self._radius.fill(0)
            self._words, self._radius = _aligned(pairs * _PAIR_BYTES), _aligned(pairs * 8).view(np.float64)


def transform(
    words: NDArray[np.uint8], radius: NDArray[np.float64], spread: float, out: NDArray[np.float64], by: Library = "numpy"
) -> None:
    """Turn keystream into normal values.

    words  -- shape (18 * pairs,), 64-byte aligned: all A, then all B (8 bytes each, little-endian), then all F (2 bytes each); overwritten.
    radius -- shape (pairs,): scratch.
    out    -- shape (2 * pairs,) or one less, for spread * r sin of every pair, then spread * r cos of every pair, or of all but the last.
    """
    pairs, (library, shown) = len(radius), arithmetic(by)
    a, b, f = words[: 8 * pairs], words[8 * pairs : 16 * pairs], words[16 * pairs :].view(np.uint16)
    np.bitwise_or(f, 1, out=f)
    tangent, scale = shown(a.view(np.float64)), shown(b.view(np.float64))  # later tenants of the same memory
    radius = shown(radius)
    radius[:] = shown(a.view(np.int64))
    tangent[:] = shown(f)
    library.multiply(tangent, 2.0**-16, out=tangent)
    library.add(radius, tangent, out=radius)
    library.multiply(radius, 2.0**-63, out=radius)  # +-u
    library.square(radius, out=radius)
    library.log(radius, out=radius)  # 2 ln u
    library.multiply(radius, -(float(spread) ** 2), out=radius)
    library.sqrt(radius, out=radius)  # spread * r
    tangent[:] = shown(b.view(np.int64))
    library.multiply(tangent, math.pi * 2.0**-64, out=tangent)  # angle / 2, from -pi/2 to pi/2
    library.tan(tangent, out=tangent)
    library.square(tangent, out=scale)
    library.add(scale, 1.0, out=scale)
    library.divide(radius, scale, out=scale)
    library.multiply(scale, 2.0, out=scale)  # 2r / (1 + t^2)
    cosines = len(out) - pairs
    library.multiply(scale, tangent, out=shown(out[:pairs]))
    library.subtract(scale[:cosines], radius[:cosines], out=shown(out[pairs:]))


def _aligned(size: int) -> NDArray[np.uint8]:
    """Return an array of bytes that starts on a register boundary."""
    raw = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size]


def memory_for(count: int, spread: float, out: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return the array to fill: out when given, else fresh memory. Raises ConfigError when an argument does not fit."""
    check_count(count)
    if not 2.0**-40 <= spread <= 2.0**40:
        raise ConfigError(
            f"noise of spread {spread} is not possible: it must lie between 2^-40 and 2^40, beyond which float64 noise on a grid has no "
            "bits left. On a grid it is the scale divided by the step: take the step from grid_step(clip_norm, dimension)."
        )
    if out is None:
        return np.empty(count, dtype=np.float64)
    check_memory("out", out, count)
    return out


def check_count(count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0:
        raise ConfigError(f"count must be a whole number >= 0, got {count!r}. It is the number of values to draw.")
