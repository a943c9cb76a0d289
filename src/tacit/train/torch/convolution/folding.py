"""Kernels of whole strides: the same convolution on squares of the input, whose columns are copied in fewer and longer runs.

A kernel of few channels reads short rows of its input. Where it takes whole strides, every stride x stride square of the padded
input can be one position with so many more channels; the kernel then has that many fewer rows, that much longer, and stride 1.
"""

import math
from dataclasses import replace
from itertools import product

from torch import Tensor

from tacit.train.torch.convolution.geometry import Convolution

_LONG = 32
"""Numbers of a run that longer ones would hardly make cheaper to copy."""


def foldable(convolution: Convolution) -> bool:
    """Whether the kernel takes whole strides and folding makes its short runs longer."""
    whole = not any(size % step for size, step in zip(convolution.kernel, convolution.stride, strict=True))
    run = convolution.channels_in // convolution.groups * convolution.kernel[-1]
    return whole and max(convolution.dilation) == 1 and math.prod(convolution.stride[:-1]) > 1 and run < _LONG


def folded(x: Tensor, convolution: Convolution) -> tuple[Tensor, Convolution]:
    """Return the input in squares, (B, groups * squares' size * d / groups, *squares per axis), and the convolution that takes them.

    x -- (B, d, *size_in). Its gradients are those of the original: only the order of the numbers in a stored vector differs.
    """
    stride, groups = convolution.stride, convolution.groups
    own = convolution.channels_in // groups
    sizes, kernel = (
        tuple(size // step for size, step in zip(axes, stride, strict=True)) for axes in (convolution.span(), convolution.kernel)
    )
    squares = x.new_zeros(x.shape[0], *sizes, groups, *stride, own)
    given = x.unflatten(1, (groups, own)).movedim((1, 2), (-2, -1))
    for phase in product(*map(range, stride)):
        there, here = zip(*map(_met, phase, sizes, convolution.padding, stride, convolution.size_in), strict=True)
        squares[(slice(None), *there, slice(None), *phase)].copy_(given[(slice(None), *here)])
    taken = replace(
        convolution,
        kernel=kernel,
        stride=(1,) * len(stride),
        padding=(0,) * len(stride),
        channels_in=convolution.channels_in * math.prod(stride),
        size_in=sizes,
        square=stride,
    )
    return squares.flatten(-len(stride) - 2).movedim(-1, 1), taken


def _met(phase: int, squares: int, padding: int, stride: int, size: int) -> tuple[slice, slice]:
    """Return which squares hold an input at this place of theirs, and which inputs these are: input i lies at padding + i."""
    first = max(0, -((phase - padding) // stride))
    start = first * stride + phase - padding
    count = max(0, min(squares - first, -((start - size) // stride)))
    return slice(first, first + count), slice(start, start + count * stride, stride)
