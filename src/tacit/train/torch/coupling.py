"""A detector for losses that couple examples: what the trace cannot see, because the loss is computed outside the model."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tacit.errors import PrivacyError
from tacit.train.torch.outputs import Output
from tacit.train.torch.probe import digest, lengths
from tacit.train.torch.records import blocks

_COMPARED = 1 << 20
"""Values that are looked at together."""

_COUPLED = (
    "one example's loss depends on another example's output, so clipping one record does not bound its influence. Compute each loss from its "
    "own row alone; take batch-wide normalizers and in-batch negatives out of the loss, and hooks that mix rows off the model's output: "
    "`tacit design fix` will name the place once that command exists."
)


class _Seen(NamedTuple):
    """What is remembered of one output's gradient: for each row its bits and its length, shape (B,), and the rounding of its numbers."""

    bits: Tensor
    length: Tensor
    roundoff: float


def refuse_coupled(losses: Tensor, outputs: Sequence[Output], half: Tensor) -> None:
    """Raise PrivacyError when a loss depends on another example's output, or a backward pass outside the model mixes rows.

    half -- shape (B,), bool: by independent coins. All rows weigh 1; then one half weighs 2, then the other. Rows whose own weight is as it
    was must have the same gradient, bit for bit, whatever their loss and hooks make of their own numbers; no weight is zero, since rows
    that are multiplied (by the sum of all gradients, say) would not be seen where the others are gone. A row that looks at one other row
    escapes when their coins agree, so with probability 1/2 in one batch.
    One gradient is alive at a time, and a number for each row is kept of it: two would be the peak of a language model's step. Where the same pass
    twice gives other bits (sums without a fixed order on some devices), lengths are compared instead, to within 16 roundings
    of the gradient's numbers and at least 1e-4: 1e-4 for float32, 1/64 for float16, 1/8 for bfloat16.
    A detector, not a proof: what is detached from the graph, follows a gradient's sign alone, or is not a number, it cannot see.
    """
    carrying = [one for one in outputs if one.edge is not None]
    plain = _seen(losses, carrying, torch.ones_like(losses))
    exact = True
    for chosen in (half, ~half):
        found = _seen(losses, carrying, torch.where(chosen, 2.0, 1.0).to(losses.dtype))
        if exact and _moved(plain, found, ~chosen, exact=True):
            exact = not _moved(plain, _seen(losses, carrying, torch.ones_like(losses)), torch.ones_like(half), exact=True)
        if _moved(plain, found, ~chosen, exact=exact):
            raise PrivacyError(_COUPLED)


def _seen(losses: Tensor, carrying: Sequence[Output], weights: Tensor) -> list[_Seen]:
    """Take the gradients of the weighted losses at the outputs and return what is remembered of them, random numbers drawn alike."""
    edges = [one.edge for one in carrying if one.edge is not None]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found: tuple[Tensor | None, ...] = torch.autograd.grad(losses, edges, weights, retain_graph=True, allow_unused=True)
    seen = []
    for output, gradient in zip(carrying, found, strict=True):
        if gradient is None:
            continue
        if output.axis is None:
            raise PrivacyError(_COUPLED)
        rows = output.axis.examples_first(gradient, len(weights)).flatten(1)
        parts = [rows[place] for place in blocks(len(rows), max(1, _COMPARED // max(1, rows.shape[1])))]
        bits, length = (torch.cat([look(part) for part in parts]).to(losses.device) for look in (digest, lengths))
        seen.append(_Seen(bits, length, torch.finfo(gradient.dtype).eps))
    return seen


def _moved(plain: Sequence[_Seen], found: Sequence[_Seen], rows: Tensor, *, exact: bool) -> bool:
    """Whether a gradient at one of these rows is another; what is no number both times is left out, since it may be the row's own."""
    for before, after in zip(plain, found, strict=True):
        if exact:
            differs = before.bits != after.bits
        else:
            share = max(1e-4, 16 * before.roundoff)
            finite = before.length[before.length.isfinite()]
            slack = share * (before.length + (finite.median() if len(finite) else 0.0))
            differs = ~((after.length - before.length).abs() <= slack)
        if bool((differs & rows & (before.length.isfinite() | after.length.isfinite())).any()):
            return True
    return False
