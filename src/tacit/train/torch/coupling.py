"""A detector for losses that couple examples: what the trace cannot see, because the loss is computed outside the model."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tacit.errors import PrivacyError
from tacit.train.torch.outputs import Output
from tacit.train.torch.records import blocks

_COMPARED = 1 << 20
"""Values that are looked at together."""


def refuse_coupled(losses: Tensor, outputs: Sequence[Output], half: Tensor) -> None:
    """Raise PrivacyError when a loss depends on another example's output.

    half -- shape (B,), bool: by independent coins. With independent losses, those of one half give no gradient at the rows of the
    other; a row whose loss looks at one other row escapes when their coins agree, so with probability 1/2 in one batch.
    The halves come one after the other: both gradients at once would be the peak of a language model's step. A detector, not a proof:
    what is detached from the graph, or not a number, it cannot see.
    """
    carrying = [one for one in outputs if one.edge is not None]
    for chosen in (half, ~half):
        if _couples(losses, carrying, chosen):
            raise PrivacyError(
                "one example's loss depends on another example's output, so clipping one record does not bound its influence. "
                "Compute each loss from its own row alone; take batch-wide normalizers and in-batch negatives out of the loss."
            )


def _couples(losses: Tensor, carrying: Sequence[Output], chosen: Tensor) -> bool:
    """Whether the chosen rows' losses give a gradient at other rows, or at an output of the whole batch."""
    edges = [one.edge for one in carrying if one.edge is not None]
    found: tuple[Tensor | None, ...] = torch.autograd.grad(
        losses, edges, chosen.to(losses.dtype), retain_graph=True, allow_unused=True
    )
    for output, gradient in zip(carrying, found, strict=True):
        if gradient is None:
            continue
        if output.axis is None or _reached(output.axis.examples_first(gradient, len(chosen)), ~chosen):
            return True
    return False


def _reached(gradient: Tensor, others: Tensor) -> bool:
    """Whether a gradient is anything but zero at rows whose losses were not asked; what is no number may be the row's own: 0 * inf."""
    others = others.to(gradient.device)
    for place in blocks(len(gradient), max(1, _COMPARED // max(1, gradient[:1].numel()))):
        seen = gradient[place][others[place]]
        if bool(((seen != 0) & ~seen.isnan()).any()):
            return True
    return False
