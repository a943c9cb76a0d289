"""What a convolution is, and its input laid out so that the weight gradient of every example is one matrix product.

For one example and group the weight gradient is G X: G (p, T) the output's gradient, p output channels at T positions, and
X (T, d) the columns: for every position the d = d_in * k inputs that it saw. Copying with long contiguous runs is what makes
columns cheap: with channels last one kernel row of one position is a single run of k_last * d_in numbers; with positions last
one output row is a single run. The longer run wins. Where the output takes every row of the input, neighbouring rows of positions
see the same input rows: they are copied once and shared, one product for each kernel row.
"""

import math
from dataclasses import dataclass, replace

from torch import Tensor

from tacit.errors import ShapeError
from tacit.train.torch.scratch import Scratch

_LEAST_SHARED = 16
"""Columns of a product that is worth forming by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Convolution:
    """One convolution with its sizes, all but the batch; n-dimensional for n >= 1.

    kernel, stride, padding, dilation -- one whole number per axis; padding is with zeros, the same at both ends (pad x
                                         beforehand for any other mode); it may be longer than the output needs.
    groups                            -- divides both channel counts.
    channels_in, channels_out         -- d and p, all groups together; >= 1.
    size_in, size_out                 -- positions per axis of the input (without padding) and of the output.
    square                            -- how many inputs of the original one position holds per axis, where it was folded; see folding.
    Raises ShapeError when the output would look past the padded input.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    channels_in: int
    channels_out: int
    size_in: tuple[int, ...]
    size_out: tuple[int, ...]
    square: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        axes = (self.kernel, self.stride, self.padding, self.dilation, self.size_in, self.size_out)
        fits = len({len(axis) for axis in axes}) == 1 and all(
            seen <= whole for seen, whole in zip(self.span(), self.padded(), strict=True)
        )
        if not fits or self.channels_in % self.groups or self.channels_out % self.groups:
            raise ShapeError(
                f"no convolution has these sizes: {self}. Its weight gradient would be that of another operation. Take kernel, stride, "
                "padding, dilation and groups from the call itself, and for a transposed convolution exchange input and gradient."
            )

    @classmethod
    def of(
        cls,
        x: Tensor,
        g: Tensor,
        *,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> "Convolution":
        """Return the convolution that took x (B, d, *size_in) to an output whose gradient is g (B, p, *size_out).

        A transposed convolution's weight gradient is that of the convolution from its output to its input, so there
        x is the output's gradient, g the input, and the result has the transposed weight's own shape (d, p / groups, *kernel).
        """
        return cls(
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            channels_in=x.shape[1],
            channels_out=g.shape[1],
            size_in=tuple(x.shape[2:]),
            size_out=tuple(g.shape[2:]),
        )

    @property
    def positions(self) -> int:
        """T, output positions of one example."""
        return math.prod(self.size_out)

    @property
    def depth(self) -> int:
        """Inputs that one output of one group sees: d / groups * kernel."""
        return self.channels_in // self.groups * math.prod(self.kernel)

    @property
    def weights(self) -> int:
        """Numbers in one example's weight gradient."""
        return self.channels_out * self.depth

    @property
    def channels_last(self) -> bool:
        """Whether columns are laid out (*kernel, channel) rather than (channel, *kernel)."""
        if math.prod(self.kernel) == 1:
            return False
        own = self.channels_in // self.groups
        last = own * self.kernel[-1] if self.dilation[-1] == 1 else own
        return 2 * last >= (self.size_out[-1] if self.stride[-1] == 1 else 1)

    @property
    def shared(self) -> bool:
        """Whether each kernel row's part is a product by itself, of rows that it shares with the other kernel rows.

        Where that halves what is copied, the parts of the gradient included: in early layers, of many positions and few weights.
        """
        width = self.depth // self.kernel[0]
        fits = self.channels_last and self.stride[0] == 1 and self.kernel[0] > 1 and width >= _LEAST_SHARED
        return fits and 2 * self._copied_by_rows < self.groups * self.positions * self.depth

    @property
    def rows(self) -> "Convolution":
        """The convolution of one kernel row, at every place of the first axis."""
        return replace(self, kernel=(1, *self.kernel[1:]), size_out=(self.padded()[0], *self.size_out[1:]))

    @property
    def copied(self) -> int:
        """Numbers that forming one example's gradient copies: columns, or shared rows and the gradient's parts."""
        return self._copied_by_rows if self.shared else self.groups * self.positions * self.depth

    @property
    def _copied_by_rows(self) -> int:
        return self.groups * self.rows.positions * self.rows.depth + self.weights

    def padded(self) -> tuple[int, ...]:
        return tuple(size + 2 * pad for size, pad in zip(self.size_in, self.padding, strict=True))

    def span(self) -> tuple[int, ...]:
        """Padded input positions per axis that the output looks at."""
        axes = zip(self.size_out, self.stride, self.kernel, self.dilation, strict=True)
        return tuple((out - 1) * stride + (kernel - 1) * dilation + 1 for out, stride, kernel, dilation in axes)

    def as_weight(self, vectors: Tensor) -> Tensor:
        """Return stored vectors (..., weights) in the weight's shape (..., p, d / groups, *kernel); a copy where it was folded."""
        own, lead = self.channels_in // self.groups, vectors.shape[:-1]
        if not self.channels_last:
            weights = vectors.view(*lead, self.channels_out, own, *self.kernel)
        else:
            weights = vectors.view(*lead, self.channels_out, *self.kernel, own).movedim(-1, len(lead) + 1)
        return self._unfolded(weights) if self.square else weights

    def _unfolded(self, weights: Tensor) -> Tensor:
        """Return weights of the original's shape from those of squares, whose channels are (*square, channel)."""
        axes, at = len(self.kernel), weights.ndim - len(self.kernel) - 1
        own = weights.shape[at] // math.prod(self.square)
        apart: Tensor = weights.unflatten(at, (*self.square, own))
        pairs = [axis for i in range(axes) for axis in (at + axes + 1 + i, at + i)]
        together = apart.permute(*range(at), at + axes, *pairs)
        kernel = (steps * size for steps, size in zip(self.kernel, self.square, strict=True))
        return together.reshape(*weights.shape[:at], own, *kernel)

    def gradients(self, g: Tensor) -> Tensor:
        """Return the output's gradient as (rows * groups, p / groups, T); a copy only where g is not contiguous."""
        return g.reshape(g.shape[0] * self.groups, self.channels_out // self.groups, self.positions)


def columns(x: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    """Return X, shape (rows * groups, T, depth), in scratch, or a view of x where nothing needs copying; depth ordered as channels_last says."""
    if convolution.channels_last or (math.prod(convolution.kernel) == 1 and x.movedim(1, -1).is_contiguous()):
        padded = padded_channels_last(x, convolution, scratch)
        own = padded.shape[-1]
        held, tap, rows = padded.stride()[1:-1], padded.stride(-1), padded.shape[0]
        shape = (rows, *convolution.size_out, *convolution.kernel, own)
        strides = (padded.stride(0), *_scaled(held, convolution.stride), *_scaled(held, convolution.dilation), tap)
        seen = padded.as_strided(shape, strides)
        if not seen.is_contiguous():
            seen = scratch.take("columns", shape, x).copy_(seen)
        return seen.view(rows, convolution.positions, convolution.depth)
    padded = _padded_channels_first(x, convolution, scratch)
    rows, own = padded.shape[:2]
    held = padded.stride()[2:]
    shape = (rows, own, *convolution.kernel, *convolution.size_out)
    strides = (*padded.stride()[:2], *_scaled(held, convolution.dilation), *_scaled(held, convolution.stride))
    seen = padded.as_strided(shape, strides, padded.storage_offset())
    if not seen.is_contiguous():
        seen = scratch.take("columns", shape, x).copy_(seen)
    return seen.view(rows, convolution.depth, convolution.positions).transpose(1, 2)


def padded_channels_last(x: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    """Return x padded with zeros as (rows * groups, *padded size, d / groups), contiguous: in scratch, or x itself where it lies so."""
    rows, own = x.shape[0] * convolution.groups, convolution.channels_in // convolution.groups
    last = x.movedim(1, -1)
    if convolution.groups == 1 and not any(convolution.padding) and last.is_contiguous():
        return last
    padded = scratch.take("padded", (rows, *convolution.padded(), own), x)
    inside = _zero_borders(padded, convolution, first=1)
    inside.unflatten(0, (x.shape[0], convolution.groups)).copy_(x.unflatten(1, (convolution.groups, own)).movedim(2, -1))
    return padded


def _padded_channels_first(x: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    own = convolution.channels_in // convolution.groups
    grouped: Tensor = x.unflatten(1, (convolution.groups, own))
    if not any(convolution.padding):
        return grouped.flatten(0, 1)
    padded = scratch.take("padded", (x.shape[0] * convolution.groups, own, *convolution.padded()), x)
    inside = _zero_borders(padded, convolution, first=2)
    inside.unflatten(0, (x.shape[0], convolution.groups)).copy_(grouped)
    return padded


def _zero_borders(padded: Tensor, convolution: Convolution, first: int) -> Tensor:
    """Set the padding to zero and return the inside; the first spatial axis is `first`."""
    inside = padded
    for axis, (pad, size) in enumerate(zip(convolution.padding, convolution.size_in, strict=True), start=first):
        if pad:
            inside.narrow(axis, 0, pad).zero_()
            inside.narrow(axis, pad + size, pad).zero_()
            inside = inside.narrow(axis, pad, size)
    return inside


def _scaled(strides: tuple[int, ...], factors: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(stride * factor for stride, factor in zip(strides, factors, strict=True))


def per_example_bias(g: Tensor) -> Tensor:
    """Return every example's bias gradient, shape (B, p): the output's gradient g (B, p, *size_out) summed over positions."""
    return g.flatten(2).sum(dim=2)
