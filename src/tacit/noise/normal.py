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

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from tacit.noise.keystream import BLOCK_BYTES, Keystream

LARGEST = math.sqrt(2 * 79 * math.log(2))
"""The largest |z| that can come out: u = 2^-79, 10.465 sigma."""

TAIL_MASS = 2.0**-78
"""Chance that a pair's radius falls into the innermost cell, u < 2^-78 (r > 10.40), where one value stands for all."""

_PAIR_BYTES = 18
_CHUNK_PAIRS = 1 << 14  # 288 KiB of keystream and 128 KiB of radii: stays in a second-level cache of 1 MiB
_CHUNK_BLOCKS = _CHUNK_PAIRS * _PAIR_BYTES // BLOCK_BYTES
_ALIGNMENT = 64  # a vector register; misaligned operands cost half the speed


def missing_mass(count: int) -> float:
    """Return how far, in total variation, the missing tail can move the law of `count` values from normal.

    A bound on the chance that any of the ceil(count / 2) pairs falls into the cell that one value stands for. A mechanism
    whose noise is `count` such values is (epsilon, delta + (1 + e^epsilon) * missing_mass(count))-DP. 2^40 values: 1.8e-12.
    """
    return -(-count // 2) * TAIL_MASS


def draw(stream: Keystream, out: NDArray[np.float64], *, spread: float = 1.0, rounded: bool = False, threads: int = 1) -> None:
    """Fill out, shape (count,), contiguous, with spread * N(0, 1); rounded to integers when asked.

    The chunks of a vector have fixed places in the stream, so any number of threads draws the same vector.
    """
    chunks = -(-len(out) // (2 * _CHUNK_PAIRS))
    workers = max(1, min(threads, chunks))
    cuts = [chunks * i // workers for i in range(workers + 1)]
    if workers == 1:
        _draw_chunks(stream, out, cuts[0], cuts[1], spread, rounded)
        return
    with ThreadPoolExecutor(workers) as pool:
        parts = [pool.submit(_draw_chunks, stream, out, a, b, spread, rounded) for a, b in itertools.pairwise(cuts)]
        for part in parts:
            part.result()


def _draw_chunks(stream: Keystream, out: NDArray[np.float64], first: int, last: int, spread: float, rounded: bool) -> None:
    """Fill the chunks first <= i < last of out."""
    reader = stream.at(first * _CHUNK_BLOCKS)
    out = out[first * 2 * _CHUNK_PAIRS : last * 2 * _CHUNK_PAIRS]
    most = min(_CHUNK_PAIRS, -(-len(out) // 2))
    scratch = _aligned(most * _PAIR_BYTES)
    radius = _aligned(most * 8).view(np.float64)
    try:
        for start in range(0, len(out), 2 * _CHUNK_PAIRS):
            piece = out[start : start + 2 * _CHUNK_PAIRS]
            pairs = -(-len(piece) // 2)
            words = scratch[: pairs * _PAIR_BYTES]
            reader.fill(words)
            values = transform(words, radius[:pairs], spread)
            if rounded:
                np.rint(values[: len(piece)], out=piece)
            else:
                np.copyto(piece, values[: len(piece)])  # one block copy: memory is not read before it is overwritten
    finally:
        scratch.fill(0)
        radius.fill(0)


def transform(words: NDArray[np.uint8], radius: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    """Turn keystream into normal values, in place; return a view of words as float64, shape (2 * pairs,).

    words  -- shape (18 * pairs,), 64-byte aligned: all A, then all B (8 bytes each, little-endian), then all F (2 bytes each).
    radius -- shape (pairs,): scratch.
    The first half of the result holds spread * r sin, the second spread * r cos.
    """
    pairs = len(radius)
    a = words[: 8 * pairs].view(np.int64)
    b = words[8 * pairs : 16 * pairs].view(np.int64)
    f = words[16 * pairs :].view(np.uint16)
    tangent, scale = a.view(np.float64), b.view(np.float64)  # later tenants of the same memory
    np.copyto(radius, a)
    np.bitwise_or(f, 1, out=f)
    np.copyto(tangent, f)
    np.multiply(tangent, 2.0**-16, out=tangent)
    np.add(radius, tangent, out=radius)
    np.multiply(radius, 2.0**-63, out=radius)  # +-u
    np.square(radius, out=radius)
    np.log(radius, out=radius)  # 2 ln u
    np.multiply(radius, -spread * spread, out=radius)
    np.sqrt(radius, out=radius)  # spread * r
    np.copyto(tangent, b)
    np.multiply(tangent, math.pi * 2.0**-64, out=tangent)  # angle / 2, from -pi/2 to pi/2
    np.tan(tangent, out=tangent)
    np.square(tangent, out=scale)
    np.add(scale, 1.0, out=scale)
    np.divide(radius, scale, out=scale)
    np.multiply(scale, 2.0, out=scale)  # 2r / (1 + t^2)
    np.multiply(scale, tangent, out=tangent)
    np.subtract(scale, radius, out=scale)
    return words[: 16 * pairs].view(np.float64)


def _aligned(size: int) -> NDArray[np.uint8]:
    """Return an array of bytes that starts on a register boundary."""
    raw = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size]
