"""How long the pieces of a convolution's per-example gradients take, by measurement; only proportions matter."""

import math
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tacit.train.torch.convolution.geometry import Convolution

PRODUCT, NUMBER, RUN, TRANSPOSED = 7e-12, 0.2e-9, 9e-9, 1.4e-9
MEASURED, COMBINED, ADDED, FRESH = 0.17e-9, 0.25e-9, 0.5e-9, 1.3e-9
"""Seconds on one core, by measurement on the layers of WRN-16-4 and of a small CNN: per operation of a matrix product, per
number copied, per contiguous run copied, per number moved to channels-last or back, per number measured, combined, added to a Gram
matrix, and kept in memory taken anew."""


def columns_seconds(convolution: "Convolution", *, moved: bool = True) -> float:
    """Seconds to lay out one example's columns. moved -- whether the input lies otherwise in memory than they need it."""
    read = convolution.channels_in * math.prod(convolution.size_in)
    copied = convolution.groups * convolution.positions * convolution.depth
    own = convolution.channels_in // convolution.groups
    if convolution.channels_last:
        run = own * (convolution.kernel[-1] if convolution.dilation[-1] == 1 else 1)
        return (TRANSPOSED if moved else 0.0) * read + NUMBER * copied + RUN * copied / run
    run = convolution.size_out[-1] if convolution.stride[-1] == 1 else 1
    return NUMBER * (read + copied) + RUN * copied / run


def runs_seconds(convolution: "Convolution") -> float:
    """Seconds to lay out one example's runs and its gradient between them, and to multiply what they are longer than columns."""
    image = convolution.channels_in * math.prod(convolution.span())
    spaced = convolution.size_out[0] * math.prod(convolution.lines()[1:]) * convolution.channels_out
    length = convolution.run_length()
    copied = TRANSPOSED * image + NUMBER * (image + spaced + convolution.depth * length) + RUN * convolution.depth
    return copied + PRODUCT * 2 * convolution.weights * (length - convolution.positions)


@lru_cache(maxsize=1024)
def runs_are_faster(convolution: "Convolution") -> bool:
    """Whether every kernel weight sees one run (one group, no dilation, kernels a multiple of the stride), and that is faster.

    The worst is assumed of runs, and the best of columns: which layout the input has is not known here.
    """
    whole = all(kernel % stride == 0 for kernel, stride in zip(convolution.kernel, convolution.stride, strict=True))
    inside = all(pad < seen for pad, seen in zip(convolution.padding, convolution.span(), strict=True))
    if convolution.groups != 1 or set(convolution.dilation) != {1} or not (whole and inside):
        return False
    return runs_seconds(convolution) < columns_seconds(convolution, moved=False)
