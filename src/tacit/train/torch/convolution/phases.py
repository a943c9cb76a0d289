"""Columns in long runs, for convolutions of few channels: an image cut into phases, where every kernel weight sees one run of numbers.

With stride s an output looks at inputs s apart. Put the input's positions 0, s, 2s, ... first, then 1, s + 1, ... (its phases, on every
axis), and what weight k = n s + t sees at all output positions is phase t moved by n: one contiguous run, if the output's gradient is
given zeros where a run goes on from the end of one line to the start of the next. For one example the weight gradient is X G: X
(depth, L) the runs, of L numbers each, and G (L, p) the gradient with those zeros.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tacit.train.torch.convolution.geometry import Convolution, steps
from tacit.train.torch.scratch import Scratch


class Runs:
    """The runs of a batch, laid out for few examples at a time in memory that the next ones take.

    x -- (B, channels, *size_in), the input of every example; rows -- most examples at a time.
    """

    def __init__(self, x: Tensor, convolution: Convolution, scratch: Scratch, rows: int) -> None:
        self._convolution, self._scratch = convolution, scratch
        self._phases = _phases(x, convolution, scratch)
        sizes, stride = convolution.lines(), convolution.stride
        area, length = math.prod(sizes), convolution.run_length()
        counts = [kernel // one for kernel, one in zip(convolution.kernel, stride, strict=True)]
        between = [area * one for one in steps(stride)]  # from a phase to the next, per axis
        self._shape = (convolution.channels_in, *_alternating(counts, stride), length)
        self._strides = (area * math.prod(stride), *_alternating(steps(sizes), between), 1)
        self._lines = scratch.take("spaced", (rows, convolution.size_out[0], *sizes[1:], convolution.channels_out), x)
        self._lines.zero_()

    def gradients(self, rows: slice, g: Tensor, out: Tensor) -> None:
        """Write the weight gradients of the examples at `rows` into out, shape (rows, depth, p); g -- (rows, p, *size_out)."""
        torch.bmm(self._runs(rows), self._spaced(g), out=out)

    def _runs(self, rows: slice) -> Tensor:
        """Return X, shape (rows, depth, L); depth ordered (channel, *kernel)."""
        images = self._phases[rows]
        seen = images.as_strided((len(images), *self._shape), (images.stride(0), *self._strides), images.storage_offset())
        copy = self._scratch.take("columns", tuple(seen.shape), images)
        return copy.copy_(seen).view(len(images), self._convolution.depth, -1)

    def _spaced(self, g: Tensor) -> Tensor:
        """Return G, shape (rows, L, p): the output's gradient with zeros between its lines."""
        lines = self._lines[: len(g)]
        lines[(slice(None), slice(None), *(slice(out) for out in self._convolution.size_out[1:]))] = g.movedim(1, -1)
        return lines.flatten(1, -2)[:, : self._shape[-1]]


def _phases(x: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    """Return as much of x as the output looks at, padded with zeros and cut into phases: (rows, channels, *stride, *lines)."""
    padded = _padded(x, convolution, scratch)
    sizes, stride, axes = convolution.lines(), convolution.stride, range(len(convolution.stride))
    if set(stride) == {1}:
        return padded
    cut = padded.view(*x.shape[:2], *_alternating(sizes, stride))
    phases = scratch.take("phases", (*x.shape[:2], *stride, *sizes), x)
    return phases.copy_(cut.permute(0, 1, *(3 + 2 * axis for axis in axes), *(2 + 2 * axis for axis in axes)))


def _padded(x: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    """Return as much of x, padded with zeros, as the output looks at: (rows, channels, *span), contiguous."""
    span = convolution.span()
    padded = scratch.take("padded", (*x.shape[:2], *span), x)
    inside = padded
    for axis, (pad, size, seen) in enumerate(zip(convolution.padding, convolution.size_in, span, strict=True), start=2):
        kept = min(size, seen - pad)
        inside.narrow(axis, 0, pad).zero_()
        inside.narrow(axis, pad + kept, seen - pad - kept).zero_()
        inside, x = inside.narrow(axis, pad, kept), x.narrow(axis, 0, kept)
    inside.copy_(x)
    return padded


def _alternating(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    return tuple(number for pair in zip(first, second, strict=True) for number in pair)
