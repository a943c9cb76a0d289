"""Records: what one operation's backward pass leaves about one parameter, and how its per-example gradients are measured and added.

A record never holds a gradient that mixes examples. Its squared norms decide the clip factors; `add_to` then adds every
example's clipped gradient to a running sum, measuring stored vectors on the very bits that are added.
"""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from tacit.noise.sensitivity import BLOCK
from tacit.train.torch.scratch import Scratch
from tacit.train.torch.sums import RunningSum, squared_lengths

NORM_ERROR = 3 * 2.0**-14
"""How much longer than the clip target a contribution may be, relatively: lengths measured in float32 are off by at most 2^-14 (LONGEST),
a stored gradient may exceed what its norm said by 2^-14, and all of them together by 2^-14 of the target (Clip.allowed)."""

SLACK = 2.0**-14

ALL = slice(None)
"""Every example of a micro-batch."""

_SMALL = 1 << 16
"""Values up to which all blocks of stored vectors are formed by one call."""

CHUNK_BYTES = 4 << 20
"""Bytes of per-example gradients formed at a time for a norm or a sum: what stays in cache."""


class Clip:
    """How far each example's gradient is scaled in one micro-batch.

    factors -- shape (B,), float32: at most 1 for a real example of any length.
    kept    -- shape (B,), bool: real examples with finite gradients; all others contribute zero by selection.
    allowed -- largest L2 length of one record's contribution beyond what its own norm says, in gradient units; >= 0.
    """

    def __init__(self, factors: Tensor, kept: Tensor, allowed: float) -> None:
        self.factors, self.kept, self.allowed = factors, kept, allowed
        self.all_kept = bool(kept.all())
        self.weights = torch.where(kept, factors, 0.0)

    def scaled(self, rows: Tensor, place: slice) -> Tensor:
        """Return the examples at `place` of a (B, ...) tensor times their factors, float32, zero where not kept."""
        shape = (-1, *[1] * (rows.ndim - 1))
        return self.selected(rows, place) * self.factors[place].view(shape).to(wide(rows))

    def selected(self, rows: Tensor, place: slice) -> Tensor:
        """Return the examples at `place`, float32, zero where not kept: by selection, since 0 * inf is not a number."""
        part = rows[place].to(wide(rows))
        if self.all_kept or (
            part.device.type == "cpu" and bool(self.kept[place].all())
        ):  # elsewhere asking costs more than selecting
            return part
        return torch.where(self.kept[place].view(-1, *[1] * (rows.ndim - 1)), part, 0.0)


class Record(Protocol):
    """One parameter's part in one micro-batch."""

    name: str
    method: str

    def squared_norms(self) -> Tensor:
        """Return each example's squared gradient norm, shape (B,), float64."""
        ...

    def gradients(self, place: slice = ALL) -> Tensor:
        """Return the gradients of the examples at `place`, shape (b, k)."""
        ...

    def add_to(self, total: RunningSum, clip: Clip) -> None:
        """Add the clipped gradients to the running sum."""
        ...


class Stored:
    """Gradients that are small enough to keep: one vector per example. vectors -- shape (B, k); squared -- their squared lengths, if known."""

    method = "stored"

    def __init__(self, name: str, vectors: Tensor, method: str = "stored", *, squared: Tensor | None = None) -> None:
        self.name, self.vectors, self.method = name, vectors.to(wide(vectors)), method
        self._norms = squared

    def squared_norms(self) -> Tensor:
        if self._norms is None:
            self._norms = squared_lengths(self.vectors)
        return self._norms

    def gradients(self, place: slice = ALL) -> Tensor:
        return self.vectors[place]

    def add_to(self, total: RunningSum, clip: Clip) -> None:
        if self.vectors.shape[1] <= _SMALL:  # by size alone: which rows are kept must not change the order of additions
            total.add_many(clip.selected(self.vectors, ALL), clip.weights)
            return
        for place in blocks(len(self.vectors), BLOCK):
            total.add_vectors(clip.selected(self.vectors, place), clip.weights[place])


class Outer:
    """The weight of a linear map: every example's gradient is a sum over positions of left x right.

    left -- shape (B, T, p), right -- shape (B, T, d), for a parameter of shape (p, d).
    With one position it is an outer product, whose length is the product of two lengths. With more, its squared length is the sum over
    pairs of positions of (left . left')(right . right') ("gram"), or the gradients are formed and measured ("formed").
    left_squared -- squared lengths of left with its one position, shape (B,), float64, if known.
    """

    def __init__(self, name: str, left: Tensor, right: Tensor, scratch: Scratch, *, left_squared: Tensor | None = None) -> None:
        self.name, self.left, self.right, self.scratch = name, left, right, scratch
        self._left_squared = left_squared
        self._norms: Tensor | None = None
        positions, p, d = left.shape[1], left.shape[2], right.shape[2]
        if positions == 1:
            self.method = "outer"
        else:  # operations per example: T^2 (p + d), or T p d and a pass over p d values
            self.method = "gram" if positions * (p + d) < p * d * (1 + 24 / positions) else "formed"

    def squared_norms(self) -> Tensor:
        if self._norms is None:
            if self.method == "outer":
                left = squared_lengths(self.left.flatten(1)) if self._left_squared is None else self._left_squared
                self._norms = left * squared_lengths(self.right.flatten(1))
            else:
                one = self._gram if self.method == "gram" else self._formed_lengths
                values = 2 * self.left.shape[1] ** 2 if self.method == "gram" else self.left.shape[2] * self.right.shape[2]
                places = blocks(len(self.left), chunk_of(values))
                empty = [torch.zeros(0, dtype=torch.float64, device=self.left.device)]
                self._norms = torch.cat([one(place) for place in places] or empty)
        return self._norms

    def _gram(self, place: slice) -> Tensor:
        left, right = self.left[place].to(wide(self.left)), self.right[place].to(wide(self.right))
        shape = (len(left), left.shape[1], left.shape[1])
        first, second = (self.scratch.take(f"gram {side}", shape, left) for side in ("left", "right"))
        torch.bmm(left, left.transpose(1, 2), out=first)
        torch.bmm(right, right.transpose(1, 2), out=second)
        return first.mul_(second).sum(dim=2).double().sum(dim=1).clamp_(min=0)

    def _formed_lengths(self, place: slice) -> Tensor:
        return lengths_of(self._formed(self.left[place].to(wide(self.left)), self.right[place].to(wide(self.right))))

    def _formed(self, left: Tensor, right: Tensor) -> Tensor:
        """Form the gradients of a chunk in memory that the next chunk uses again."""
        formed = self.scratch.take("formed", (len(left), left.shape[2], right.shape[2]), left)
        if len(left) == 1:
            torch.mm(left[0].t(), right[0], out=formed[0])
        else:
            torch.bmm(left.transpose(1, 2), right, out=formed)
        return formed

    def gradients(self, place: slice = ALL) -> Tensor:
        left, right = self.left[place].to(wide(self.left)), self.right[place].to(wide(self.right))
        return torch.bmm(left.transpose(1, 2), right).flatten(1)

    def add_to(self, total: RunningSum, clip: Clip) -> None:
        if self.method == "outer":
            left, right = (side.flatten(1) for side in self._scaled(clip, ALL))
            total.add_products([(left[place], right[place]) for place in blocks(len(left), BLOCK)])
            return
        bound = clip.factors.double() * self.squared_norms().sqrt() * (1 + SLACK) + clip.allowed
        for place in blocks(len(self.left), min(BLOCK, chunk_of(self.left.shape[2] * self.right.shape[2]))):
            add_measured(total, self._formed(*self._scaled(clip, place)), bound[place])

    def _scaled(self, clip: Clip, place: slice) -> tuple[Tensor, Tensor]:
        """Return both sides of the examples at `place`, zero where not kept, the smaller one times their factors."""
        if self.left.shape[2] <= self.right.shape[2]:
            return clip.scaled(self.left, place), clip.selected(self.right, place)
        return clip.selected(self.left, place), clip.scaled(self.right, place)


def add_measured(total: RunningSum, formed: Tensor, bound: Tensor) -> None:
    """Add stored gradients, each measured on its own bits and shortened when it is longer than its bound.

    formed -- shape (c, *parameter's shape), c <= BLOCK; bound -- shape (c,), float64, in gradient units.
    """
    length = lengths_of(formed).sqrt()
    scales = torch.where(length > bound, bound / length, 1.0).to(formed.dtype)
    scales = torch.where(bound.isfinite(), scales, 0.0)
    if len(formed) > 1:
        total.add_vectors(formed.flatten(1), scales)
    elif len(formed):
        total.add_one(formed[0] if float(scales[0]) == 1.0 else formed[0] * scales[0])


def lengths_of(formed: Tensor) -> Tensor:
    """Return the squared length of each gradient of shape (c, *shape), float64."""
    rows = formed.flatten(1) if formed.ndim < 3 else formed.flatten(2)
    if rows.ndim == 2:
        return squared_lengths(rows)
    return squared_lengths(rows.flatten(0, 1)).view(len(formed), -1).sum(dim=1)


def chunk_of(values: int) -> int:
    """Return how many examples of that many float32 values are formed at a time."""
    return max(1, CHUNK_BYTES // (4 * max(1, values)))


def blocks(rows: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` rows: by position alone, so that one example never moves another to a different block."""
    for start in range(0, rows, size):
        yield slice(start, min(rows, start + size))


def wide(tensor: Tensor) -> torch.dtype:
    """Return the dtype of norms and sums of such a tensor's gradients."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32
