"""Which axis of a tensor is the example: found by changing one example at a time, never guessed.

The model is run on a few synthetic examples; then again with each of them in turn replaced (numbers by NaN, which spreads
to all that is computed from them; whole numbers and truth values by others). What changes in the input of an operation
belongs to the replaced example. An operation whose input follows no example axis mixes examples, or could be read in two
ways: both are refused.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tacit.errors import ShapeError, UnsupportedModel

TRACED = 7
"""Synthetic examples in a trace: a size that few models have for anything else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """Where the examples of a batch of B lie in a tensor.

    dim  -- the dimension that holds them.
    kind -- "batch": its size is B; "major": its size is B * m, example by example (a flattened (B, m)); "minor": its size is
            m * B, the examples innermost (a flattened (m, B)).
    """

    dim: int
    kind: Literal["batch", "major", "minor"] = "batch"

    def examples_first(self, tensor: Tensor, rows: int) -> Tensor:
        """Return the tensor as (rows, m, *others), the example axis first and what was flattened with it second (m = 1 for "batch")."""
        tensor = tensor.movedim(self.dim, 0) if self.dim else tensor
        size = len(tensor)
        if size % rows or (self.kind == "batch" and size != rows):
            raise ShapeError(
                f"an operation received {size} rows along dimension {self.dim} for a batch of {rows} examples, which is not what the "
                "trace found. Give every batch the same layout."
            )
        if self.kind == "minor":
            return tensor.reshape(size // rows if rows else 0, rows, *tensor.shape[1:]).transpose(0, 1)
        return tensor.reshape(rows, size // rows if rows else 1, *tensor.shape[1:])

    def positions(self, tensor: Tensor, rows: int) -> Tensor:
        """Return the tensor as (rows, T, d): its last dimension d, every other but the examples' counted as positions."""
        return self.examples_first(tensor, rows).flatten(1, -2)


def examples_for(batch: list[Tensor]) -> int:
    """Return how many synthetic examples a trace takes: a number that is no other size of the batch's tensors, where there is one."""
    sizes = {size for tensor in batch for size in tensor.shape[1:]}
    return next((count for count in (TRACED, 11, 13, 17) if count not in sizes), TRACED)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Where a tensor changed when one example was replaced.

    anywhere -- whether at all; places -- for each dimension, shape (its size,), bool: whether anything changed there.
    """

    anywhere: bool
    places: tuple[Tensor, ...]

    def __or__(self, other: "Change") -> "Change":
        pairs = zip(self.places, other.places, strict=True)
        return Change(self.anywhere or other.anywhere, tuple(one | another for one, another in pairs))


def axis_of(changed: list[Change], what: str) -> Axis | None:
    """Return the example axis of a tensor from what changed in it, or None when nothing did.

    changed -- for each example, what changed when that example was replaced.
    Raises UnsupportedModel when no axis, or more than one, explains the changes.
    """
    seen = [one.anywhere for one in changed]
    if not any(seen):
        return None
    found = [axis for dim in range(len(changed[0].places)) for axis in _candidates(changed, dim)]
    if len(found) == 1 and all(seen):
        return found[0]
    if found:
        raise UnsupportedModel(
            f"{what} has more than one axis that could be the example ({', '.join(f'{a.kind} at {a.dim}' for a in found)}), and which "
            "gradient belongs to whom is never guessed. Keep the batch as the first dimension."
        )
    raise UnsupportedModel(
        f"{what} mixes examples: replacing one example changed the part of others, so clipping one record would not bound its "
        "influence. Take batch statistics, batch-wide attention and in-batch comparisons out (GroupNorm in place of BatchNorm; "
        "`tacit design fix` will do it, once that command exists)."
    )


def _candidates(changed: list[Change], dim: int) -> list[Axis]:
    size = len(changed[0].places[dim])
    if size == 0 or size % len(changed):
        return []
    places = [one.places[dim].nonzero().flatten() for one in changed]
    share = size // len(changed)
    if share == 1:
        return [Axis(dim=dim)] if all(bool((place == j).all()) for j, place in enumerate(places)) else []
    found = []
    if all(bool((place // share == j).all()) for j, place in enumerate(places)):
        found.append(Axis(dim=dim, kind="major"))
    if all(bool((place % len(changed) == j).all()) for j, place in enumerate(places)):
        found.append(Axis(dim=dim, kind="minor"))
    return found


def synthetic(tensor: Tensor, rows: int) -> Tensor:
    """Return `rows` synthetic examples of a batch tensor's kind: normal numbers, ones, True."""
    shape = (rows, *tensor.shape[1:])
    if tensor.is_floating_point():
        values = torch.linspace(-1.7, 1.9, max(1, math.prod(shape)), dtype=torch.float64)[: math.prod(shape)]
        return torch.sin(values * 37.0).reshape(shape).to(tensor.dtype).to(tensor.device)
    return torch.ones(shape, dtype=tensor.dtype, device=tensor.device)


def replaced(tensor: Tensor, example: int, *, finite: bool = False) -> Tensor:
    """Return the synthetic tensor with one example replaced: by NaN, 0 or False.

    finite -- by large numbers of the other sign instead of NaN, which comparisons swallow.
    """
    other = tensor.clone()
    if tensor.is_floating_point():
        other[example] = -100.0 * (tensor[example] + tensor[example].sign()) if finite else math.nan
    else:
        other[example] = 0
    return other


def differs(tensor: Tensor, base: Tensor, what: str) -> Change:
    """Return where a tensor differs from what it was, NaN included."""
    if tensor.shape != base.shape:
        raise UnsupportedModel(
            f"{what} has shape {tuple(base.shape)} or {tuple(tensor.shape)}, depending on the values of one example: shapes would tell "
            "about records, and the example axis cannot be found. Pad to fixed shapes."
        )
    mask = (tensor != base) | (tensor != tensor)
    others = [[d for d in range(mask.ndim) if d != dim] for dim in range(mask.ndim)]
    return Change(bool(mask.any()), tuple(mask.any(dim=one) if one else mask for one in others))
