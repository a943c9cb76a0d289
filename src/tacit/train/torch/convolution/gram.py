"""Squared norms of convolution weight gradients from Gram matrices: no gradient is formed.

|G X|_F^2 = sum over positions t, u of (X X^T)[t, u] (G^T G)[t, u] (Goodfellow 2015, arXiv:1510.01799, for one position; Li et
al. 2022, arXiv:2110.05679, section 4, for many). A convolution's X X^T needs no columns when the stride is one: with
P[r, s] the product, summed over channels, of the padded input at r and at s, (X X^T)[t, u] is the sum over kernel offsets o of
P[t + o, u + o], one axis after the other.
"""

import math

import torch
from torch import Tensor

from tacit.train.torch.convolution.geometry import Convolution, columns, padded_channels_last
from tacit.train.torch.convolution.vectors import stored_squared_norms
from tacit.train.torch.scratch import Scratch

CHUNK_BYTES = 4 * 2**20
"""One chunk's Gram matrices take at most these bytes, or one example's."""

CANCELLED = 16
"""How many times smaller than its diagonal terms a norm may be before rounding in the Gram matrices would show."""


def gram_squared_norms(x: Tensor, g: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    """Return every example's squared gradient norm, float64, shape (B,).

    Where the terms of different positions cancel, rounding in the products would be large beside what is left, and where
    a Gram matrix overflows the gradient need not: those examples are computed again from their stored gradients.
    """
    squared = torch.empty(x.shape[0], dtype=torch.float64, device=x.device)
    diagonal = torch.empty_like(squared)
    step = max(1, CHUNK_BYTES // (_row(convolution) * x.element_size()))
    for start in range(0, x.shape[0], step):
        rows = slice(start, start + step)
        one, other = _input_gram(x[rows], convolution, scratch), _gradient_gram(g[rows], convolution, scratch)
        products = one.mul_(other)
        shape = (-1, convolution.groups * convolution.positions)
        squared[rows] = products.sum(dim=2).view(shape).sum(dim=1, dtype=torch.float64)
        diagonal[rows] = products.diagonal(dim1=1, dim2=2).reshape(shape).sum(dim=1, dtype=torch.float64)
    again = (~(squared.isfinite() & (squared * CANCELLED >= diagonal))).nonzero()[:, 0]
    if len(again):
        squared[again] = stored_squared_norms(x[again], g[again], convolution, scratch)
    return squared


def by_positions(convolution: Convolution) -> bool:
    """Whether X X^T is summed from the Gram matrix of the padded input rather than from columns."""
    return set(convolution.stride) == {1} and math.prod(convolution.kernel) > 1


def _row(convolution: Convolution) -> int:
    """Numbers that one example takes in scratch."""
    gram = 2 * convolution.positions**2
    held = math.prod(convolution.padded()) ** 2 if by_positions(convolution) else convolution.positions * convolution.depth
    return convolution.groups * (gram + held)


def _input_gram(x: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    """Return X X^T, shape (rows * groups, T, T)."""
    positions = convolution.positions
    if not by_positions(convolution):
        seen = columns(x, convolution, scratch)
        gram = scratch.take("input gram", (seen.shape[0], positions, positions), x)
        return torch.bmm(seen, seen.transpose(1, 2), out=gram)
    padded = padded_channels_last(x, convolution, scratch).flatten(1, -2)
    rows, places = padded.shape[:2]
    held = torch.bmm(padded, padded.transpose(1, 2), out=scratch.take("places gram", (rows, places, places), x))
    held = held.view(rows, *convolution.padded(), *convolution.padded())
    axes = len(convolution.kernel)
    for axis, (out, kernel, dilation) in enumerate(
        zip(convolution.size_out, convolution.kernel, convolution.dilation, strict=True), start=1
    ):
        shifts = [held.narrow(axis, o * dilation, out).narrow(axis + axes, o * dilation, out) for o in range(kernel)]
        total = scratch.take(f"input gram {axis % 2}", tuple(shifts[0].shape), x)
        torch.add(shifts[0], shifts[1], out=total) if kernel > 1 else total.copy_(shifts[0])
        for shift in shifts[2:]:
            total.add_(shift)
        held = total
    return held.view(rows, positions, positions)


def _gradient_gram(g: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    """Return G^T G, shape (rows * groups, T, T)."""
    gradients = convolution.gradients(g)
    shape = (gradients.shape[0], convolution.positions, convolution.positions)
    return torch.bmm(gradients.transpose(1, 2), gradients, out=scratch.take("gradient gram", shape, g))
