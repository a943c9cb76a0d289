"""What the per-example gradients of one convolution cost by each method, and which method each convolution of a model takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tacit.train.torch.convolution.geometry import Convolution
from tacit.train.torch.convolution.gram import by_positions

PRODUCT, NUMBER, RUN, TRANSPOSED = 7e-12, 0.2e-9, 9e-9, 1.4e-9
MEASURED, COMBINED, ADDED, FRESH = 0.17e-9, 0.25e-9, 0.5e-9, 1.3e-9
"""Seconds on one core, by measurement on the layers of WRN-16-4 and of a small CNN: per operation of a matrix product, per
number copied, per contiguous run copied, per number moved to channels-last, per number measured, combined, added to a Gram
matrix, and kept in memory taken anew. Only their proportions matter."""

RETURNED = 32 * 2**20
"""Blocks of more bytes than this are taken from the system anew each step, page by page (glibc's largest mmap threshold)."""


class Method(StrEnum):
    """How a convolution's per-example norms and clipped sum are computed."""

    KEEP = "materialize-and-keep"
    DROP = "materialize-and-drop"
    GRAM = "gram"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """seconds -- norms and clipped sum together, in the unit of this file; kept_bytes -- gradients held until the sum."""

    seconds: float
    kept_bytes: int


def costs(convolution: Convolution, rows: int, element_size: int = 4) -> dict[Method, Cost]:
    """Return what each method costs for a batch of `rows` examples."""
    numbers = rows * convolution.weights
    kept_bytes = numbers * element_size
    once, last = _vectors(convolution, rows) + MEASURED * numbers, COMBINED * numbers
    fresh = FRESH * numbers if kept_bytes > RETURNED else 0.0
    return {
        Method.KEEP: Cost(seconds=once + fresh + last, kept_bytes=kept_bytes),
        Method.DROP: Cost(seconds=2 * once + last, kept_bytes=0),
        Method.GRAM: Cost(seconds=_gram(convolution, rows) + once + last, kept_bytes=0),
    }


def choose(convolution: Convolution, rows: int, budget: int, element_size: int = 4) -> Method:
    """Return the fastest method whose kept gradients fit in `budget` bytes; see `plan` for several convolutions."""
    (method,) = plan([convolution], rows, budget, element_size)
    return method


def plan(convolutions: Sequence[Convolution], rows: int, budget: int, element_size: int = 4) -> list[Method]:
    """Return a method for each convolution; the kept gradients of all together take at most `budget` bytes.

    Kept first where a byte saves most time: late layers with many weights and few positions yield to early ones.
    """
    priced = [costs(convolution, rows, element_size) for convolution in convolutions]
    methods = [Method.GRAM if price[Method.GRAM].seconds < price[Method.DROP].seconds else Method.DROP for price in priced]

    def worth(i: int) -> float:
        saved = priced[i][methods[i]].seconds - priced[i][Method.KEEP].seconds
        return saved / max(1, priced[i][Method.KEEP].kept_bytes)

    for i in sorted(range(len(priced)), key=worth, reverse=True):
        needed = priced[i][Method.KEEP].kept_bytes
        if worth(i) > 0 and needed <= budget:
            methods[i], budget = Method.KEEP, budget - needed
    return methods


def _vectors(convolution: Convolution, rows: int) -> float:
    """Seconds to form every example's vector."""
    copied = rows * convolution.copied
    return _columns(convolution, rows, copied) + PRODUCT * 2 * rows * convolution.positions * convolution.weights


def _columns(convolution: Convolution, rows: int, copied: int) -> float:
    read = rows * convolution.channels_in * math.prod(convolution.size_in)
    own = convolution.channels_in // convolution.groups
    if convolution.channels_last:
        run = own * (convolution.kernel[-1] if convolution.dilation[-1] == 1 else 1)
        return TRANSPOSED * read + NUMBER * copied + RUN * copied / run
    run = convolution.size_out[-1] if convolution.stride[-1] == 1 else 1
    return NUMBER * (read + copied) + RUN * copied / run


def _gram(convolution: Convolution, rows: int) -> float:
    """Seconds to form the squared norms from Gram matrices."""
    positions, groups = convolution.positions, rows * convolution.groups
    pairs = groups * positions**2
    seconds = PRODUCT * 2 * pairs * convolution.channels_out / convolution.groups + 2 * ADDED * pairs
    if not by_positions(convolution):
        copied = groups * positions * convolution.depth
        return seconds + _columns(convolution, rows, copied) + PRODUCT * 2 * pairs * convolution.depth
    sizes = list(convolution.padded())
    seconds += PRODUCT * 2 * groups * math.prod(sizes) ** 2 * convolution.channels_in / convolution.groups
    seconds += TRANSPOSED * rows * convolution.channels_in * math.prod(sizes)
    for axis, kernel in enumerate(convolution.kernel):
        sizes[axis] = convolution.size_out[axis]
        seconds += ADDED * groups * math.prod(sizes) ** 2 * kernel
    return seconds
