"""Sums of clipped gradients in float32, added so that the float error of the whole is proved (tacit.noise.sensitivity).

A contribution is one example's part: either a product of two stored vectors (an outer product, never formed by itself) or a
stored float32 vector. At most BLOCK of them are added by one product or in one chain; at most GROUP blocks in float32;
groups in float64. Which example goes into which block depends on its position alone, so zeroing one example changes one
block and no other bit.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tacit.noise.sensitivity import BLOCK, GROUP

LONGEST = 1024
"""Most squares that are added in float32: their sum is off by less than 2^-13, the length by 2^-14 of itself, in any order."""

TILE = 256
"""Rows of a sum, for each thread of a processor, that all blocks of a group are added to before the next rows' turn: of 1,024 columns
they take a mebibyte."""

Product = tuple[Tensor, Tensor]
"""One block of outer products: left (b, p) and right (b, d)."""

_UNDERFLOW = 2.0**-126
"""Most that the square of a float32 value can lose by underflow, flushed to zero or not."""


def squared_lengths(rows: Tensor) -> Tensor:
    """Return the squared L2 length of each row, float64, shape (n,): float32 over at most LONGEST values, then float64.

    rows -- shape (n, k).
    """
    if rows.dtype == torch.float64 or rows.shape[1] <= LONGEST:
        lengths: Tensor = torch.linalg.vector_norm(rows, dim=1, dtype=torch.promote_types(rows.dtype, torch.float32))
        squared = lengths.double().square()
        return squared if rows.dtype == torch.float64 else squared + rows.shape[1] * _UNDERFLOW
    whole = rows.shape[1] // LONGEST * LONGEST
    pieces: Tensor = torch.linalg.vector_norm(rows[:, :whole].unflatten(1, (-1, LONGEST)), dim=2, dtype=torch.float32)
    squared = pieces.double().square().sum(dim=1) + whole * _UNDERFLOW
    return squared + squared_lengths(rows[:, whole:]) if whole < rows.shape[1] else squared


class _Part:
    """A float32 (float64 for a float64 parameter) partial sum whose memory is kept from batch to batch; the first term is written."""

    def __init__(self, like: Tensor) -> None:
        self._like, self.terms = like, 0
        self._dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
        self._memory: Tensor | None = None

    @property
    def values(self) -> Tensor:
        if self._memory is None:
            self._memory = torch.empty(self._like.shape, dtype=self._dtype, device=self._like.device)
        return self._memory

    def let_go(self, values: Tensor) -> None:
        """Form the next sum in other memory, when this is its own."""
        if self._memory is values:
            self._memory = None

    def add(self, term: Tensor, *, terms: int = 1) -> None:
        flat = self.values.view(-1)
        if self.terms:
            flat.add_(term.reshape(-1))
        else:
            flat.copy_(term.reshape(-1))
        self.terms += terms

    def add_products(self, blocks: Sequence[Product]) -> None:
        """Add left.T @ right for each block, formed by itself: few rows of the sum at a time, so that they stay in cache for all blocks."""
        sides = [(left.to(self._dtype).t(), right.to(self._dtype)) for left, right in blocks]
        matrix = self.values.view(sides[0][0].shape[0], sides[0][1].shape[1])
        lengths = {len(right) for _, right in sides}
        height = TILE * torch.get_num_threads() if matrix.device.type == "cpu" else max(1, len(matrix))
        for start in range(0, len(matrix), height):
            rows = slice(start, start + height)
            tile = matrix[rows]
            apart = all(adds_apart(tile, length) for length in lengths)
            for number, (left, right) in enumerate(sides, self.terms):
                if not number:
                    torch.mm(left[rows], right, out=tile)
                elif apart:
                    tile.addmm_(left[rows], right)
                else:
                    tile.add_(left[rows] @ right)
        self.terms += len(blocks)

    def add_rows(self, index: Tensor, rows: Tensor) -> None:
        if not self.terms:
            self.values.zero_()
        self.values.index_add_(0, index, rows.to(self._dtype))
        self.terms += 1


class RunningSum:
    """The sum of one parameter's clipped gradients over a logical batch, shape of the parameter."""

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._chain, self._group = _Part(like), _Part(like)  # at most BLOCK stored vectors; at most GROUP blocks
        self._total: Tensor | None = None  # float64: all groups before

    def add_products(self, blocks: Sequence[Product]) -> None:
        """Add left.T @ right for each block of outer products: left (b, p), right (b, d) with b <= BLOCK, p * d the parameter's size."""
        while blocks:
            group = self._block()
            room = GROUP - group.terms
            group.add_products(blocks[:room])
            blocks = blocks[room:]

    def add_vectors(self, vectors: Tensor, scales: Tensor) -> None:
        """Add scales @ vectors, one block of stored vectors: vectors (b, k), scales (b,), b <= BLOCK."""
        self._block().add(scales.to(vectors.dtype) @ vectors)

    def add_many(self, vectors: Tensor, scales: Tensor, shaped: Callable[[Tensor], Tensor] = torch.Tensor.flatten) -> None:
        """Add scales @ vectors in blocks by position, all formed by one call: vectors (n, k), scales (n,).

        shaped -- how a vector's numbers lie in the parameter.
        """
        whole = len(vectors) // BLOCK * BLOCK
        scales = scales.to(vectors.dtype)
        if whole:
            formed = torch.bmm(scales[:whole].view(-1, 1, BLOCK), vectors[:whole].view(-1, BLOCK, vectors.shape[1]))[:, 0]
            while len(formed):
                group = self._block()
                taken, formed = formed[: GROUP - group.terms], formed[GROUP - group.terms :]
                group.add(
                    shaped(taken.sum(dim=0)), terms=len(taken)
                )  # in whichever order: none rounds more than one after another
        if whole < len(vectors):
            self.add_block(shaped(scales[whole:] @ vectors[whole:]))

    def add_block(self, block: Tensor) -> None:
        """Add one block, formed by itself from at most BLOCK stored vectors, of the parameter's shape."""
        self._block().add(block)

    def add_rows(self, index: Tensor, rows: Tensor) -> None:
        """Add a block that is zero but in the rows at `index`, each named once: index (r,), rows (r, d) of a parameter (V, d)."""
        self._block().add_rows(index, rows)

    def add_one(self, vector: Tensor) -> None:
        """Add one stored vector of the parameter's size to a chain of at most BLOCK."""
        if self._chain.terms == BLOCK:
            self._end_chain()
        self._chain.add(vector)

    def take(self) -> Tensor:
        """Return the sum, in float32 when it never left it, and start again at zero. Valid until the next addition."""
        if self._group.terms and self._chain.terms:
            self._end_chain()
        last = self._chain if self._chain.terms else self._group
        terms, last.terms = last.terms, 0
        total, self._total = self._total, None
        if total is None:
            return last.values if terms else last.values.zero_()
        return total.add_(last.values) if terms else total

    def forget(self) -> None:
        """Start again at zero; what was added is lost."""
        self._chain.terms = self._group.terms = 0
        self._total = None

    def give(self) -> Tensor:
        """Take the sum together with its memory: whoever holds what is made of it must never see the next, raw sum in it."""
        total = self.take()
        for part in (self._chain, self._group):
            part.let_go(total)
        return total

    def _block(self) -> _Part:
        """Return the partial sum that the next block is added to."""
        if self._group.terms == GROUP:
            if self._total is None:
                self._total = self._group.values.to(torch.float64, copy=True)
            else:
                self._total.add_(self._group.values)
            self._group.terms = 0
        return self._group

    def _end_chain(self) -> None:
        self._block().add(self._chain.values)
        self._chain.terms = 0


_APART: dict[tuple[object, ...], bool] = {}


def adds_apart(out: Tensor, block: int) -> bool:
    """Whether `out.addmm_` forms a product of `block` rows by itself and then adds it to out, as the proof needs.

    Tried once per shape, dtype, device and number of threads, at 2^30 (2^59 in float64), where neighbouring numbers are 128 apart: a
    product of 128 is added exactly, and its half, added by itself, is lost. So rows that weigh 128 together show any split into halves
    or smaller parts, and two rows that weigh 64, the first and the last, show any split of consecutive rows.
    """
    key = (out.shape, block, out.dtype, out.device, torch.get_num_threads())
    if key not in _APART:
        edge = torch.full_like(out, 2.0**59 if out.dtype == torch.float64 else 2.0**30)
        ones = torch.ones(block, out.shape[1], dtype=out.dtype, device=out.device)
        trials = (weights.to(out)[:, None].repeat(1, out.shape[0]) for weights in trial_weights(block))
        _APART[key] = all(torch.equal(edge.clone().addmm_(rows.t(), ones), edge + 128) for rows in trials)
    return _APART[key]


def trial_weights(block: int) -> tuple[Tensor, Tensor]:
    """Return weights of `block` rows, each tensor of sum 128 and exact in any order: of the most rows that weigh alike, and of two ends."""
    alike = 1 << (block.bit_length() - 1)
    spread, ends = torch.zeros(block), torch.zeros(block)
    spread[:alike] = 128 / alike
    ends[0] += 64
    ends[-1] += 64
    return spread, ends
