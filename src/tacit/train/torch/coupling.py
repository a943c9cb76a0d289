"""A detector for losses that couple examples: what the trace cannot see, because the loss is computed outside the model."""

import torch
from torch import Tensor

from tacit.errors import PrivacyError
from tacit.train.torch.axes import Axis
from tacit.train.torch.records import blocks

_COMPARED = 1 << 20
"""Values that are compared together."""


def refuse_coupled(losses: Tensor, outputs: list[tuple[Tensor, Axis | None]], signs: Tensor) -> None:
    """Raise PrivacyError when a loss depends on another example's output.

    outputs -- the model's outputs that carry a gradient, and where the examples lie in each.
    signs   -- shape (B,): 1 or -1 by independent coins. With independent losses, flipping the sign of some flips the gradients
    of exactly those rows; two coupled rows escape when their coins agree, so with probability 1/2 in one batch.
    A detector, not a proof: what is detached from the graph it cannot see.
    """
    tensors = [one for one, _ in outputs]
    found: list[tuple[Tensor | None, ...]] = [
        torch.autograd.grad(losses, tensors, weights, retain_graph=True, allow_unused=True)
        for weights in (torch.ones_like(losses), signs)
    ]
    plain, flipped = found
    for (_, axis), one, other in zip(outputs, plain, flipped, strict=True):
        if one is None or other is None:
            continue
        if axis is None or not _flips(one, other, axis, signs):
            raise PrivacyError(
                "one example's loss depends on another example's output, so clipping one record does not bound its influence. "
                "Compute each loss from its own row alone; take batch-wide normalizers and in-batch negatives out of the loss."
            )


def _flips(plain: Tensor, flipped: Tensor, axis: Axis, signs: Tensor) -> bool:
    first, other = (axis.examples_first(one, len(signs)) for one in (plain, flipped))
    tolerance = 1e-4 if first.dtype in (torch.float32, torch.float64) else 5e-2
    signs = signs.to(first.dtype).view(-1, *[1] * (first.ndim - 1))
    rows = max(1, _COMPARED // max(1, first[:1].numel()))
    return all(
        torch.allclose(other[place], first[place] * signs[place], rtol=tolerance, atol=1e-30, equal_nan=True)
        for place in blocks(len(first), rows)
    )
