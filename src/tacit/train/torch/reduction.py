"""Losses that a loop has already reduced over the physical batch, taken apart again by row: the update stays that of losses by row."""

from collections.abc import Collection, Sequence
from typing import Any, Literal, NoReturn, get_args

import torch
from torch import Tensor

from tacit.errors import ConfigError, PrivacyError, ShapeError
from tacit.train.torch.outputs import Output

Reduction = Literal["mean", "sum"]

_FIRST, _LATER = 8, 32
"""The first batches are all tried for coupling, each with other halves; later ones once in 32."""
_ACROSS = (
    "Index",
    "MaskedSelect",
    "Roll",
    "Flip",
    "Sort",
    "Topk",
    "Median",
    "Kthvalue",
    "Max",
    "Min",
    "Amax",
    "Amin",
    "Cdist",
    "Pdist",
)
"""Operations that choose, move or compare values by place: no second derivative shows who met whom in them."""
_ON_NUMBERS = ("Add", "Sub", "Mul", "Neg", "ToCopy", "Clone")
"""Operations that leave one number one number: what they are given was reduced before."""
_REMEDY = 'Call private.backward with losses of shape (B,), one per row: reduction="none", then each row\'s own sum or mean.'


def by_row(loss: Tensor, reduction: Reduction, outputs: Sequence[Output], rows: int, *, batch: int) -> Tensor:
    """Return losses of shape (B,) whose gradients with respect to the model's outputs are those of the rows' own parts of `loss`.

    loss    -- shape (), the sum or the mean over all B = `rows` rows of the physical batch, padding included.
    outputs -- the model's outputs on it.
    batch   -- number of the micro-batch: decides which rows are tried against one another.
    The losses' values mean nothing. A row's part is its output times the loss's gradient there, held fixed: exact when rows do not
    meet in the loss, which is tried by a second derivative. Raises ConfigError and ShapeError for a wrong declaration, PrivacyError
    when rows meet, or the loss depends on parameters other than through the model's outputs.
    """
    _check_declared(loss, reduction)
    carrying = [one for one in outputs if one.edge is not None and one.stand_in.ndim]
    ends = _ends(loss, carrying)
    _check_end(loss, reduction, ends)
    used = [carrying[place] for place in sorted(set(ends.values()))]
    _refuse_nested(used)
    scale = torch.full_like(loss, rows if reduction == "mean" else 1)
    tried = batch < _FIRST or batch % _LATER == 0
    gradients = torch.autograd.grad(loss, [one.edge for one in used if one.edge is not None], scale, create_graph=tried)
    parts = []
    for one, gradient in zip(used, gradients, strict=True):
        if one.axis is None:
            _refuse("depends on an output that is the same for all rows")
        fixed = one.axis.examples_first(gradient.detach(), rows).flatten(1)
        parts.append((one.axis.examples_first(one.stand_in, rows).flatten(1) * fixed).sum(dim=1).to(loss.dtype))
    if tried:
        _refuse_meeting(used, gradients, rows, bit=batch)
    return torch.stack(parts).sum(dim=0)


def refuse_untried(reduction: Reduction | None, tried: Collection[str]) -> None:
    """Raise PrivacyError for a declared reduction that `check` has not seen: a running batch does not show all ways in which rows meet."""
    if reduction in get_args(Reduction) and reduction not in tried:
        raise PrivacyError(
            f'the loss is declared reduced by "{reduction}" and was not tried on synthetic batches. Rows that meet through a detached divisor, '
            "or pairwise behind a hinge, leave no trace in the loss of a running batch. Before the loop, call once: private.check(lambda x, y: "
            f'loss_of(private.model(x), y), reduction="{reduction}"), with what your loop computes. It costs no privacy and reads no row. Or '
            "give losses of shape (B,), one per row."
        )


def _check_declared(loss: Tensor, reduction: str) -> None:
    if reduction not in get_args(Reduction):
        raise ConfigError(
            f'reduction must be "mean" or "sum", got {reduction!r}: it says how the loss was made of the rows\' losses. {_REMEDY}'
        )
    if loss.ndim:
        raise ShapeError(
            f'the loss was declared reduced by "{reduction}" and has shape {tuple(loss.shape)}; a reduced loss is one number. '
            "Leave reduction out for losses of shape (B,), one per row."
        )


def _ends(loss: Tensor, outputs: Sequence[Output]) -> dict[tuple[Any, int], int]:
    """Return where the loss's graph meets the model's outputs: (node, number) and which output. Refuses any other way in."""
    known = {one.end: place for place, one in enumerate(outputs)}
    found: dict[tuple[Any, int], int] = {}
    waiting, seen = [(loss.grad_fn, loss.output_nr)], set()
    while waiting:
        end = waiting.pop()
        node = end[0]
        if node is None or end in seen:
            continue
        seen.add(end)
        if end in known:
            found[end] = known[end]
            continue
        if hasattr(node, "variable"):
            _refuse(f"depends on a tensor of shape {tuple(node.variable.shape)} in another way than through the model's outputs")
        if node.name().startswith(_ACROSS) and not node.name().startswith(("Maximum", "Minimum")):
            _refuse(f"mixes rows or chooses some of them ({node.name()})")
        _refuse_counted(node)
        waiting.extend(node.next_functions)
    return found


def _refuse_counted(node: Any) -> None:
    """Refuse a mean of cross-entropies that is divided by something else than how many there are."""
    if getattr(node, "_saved_total_weight", None) is None or node._saved_reduction != 1:
        return
    if node._saved_weight is not None:
        _refuse("is divided by the sum of its rows' class weights")
    ignored = (node._saved_ignore_index + 2**63) % 2**64 - 2**63  # torch shows it without its sign
    if bool((node._saved_target == ignored).any()):
        _refuse("is averaged over the words (or rows) that ignore_index leaves, and how many these are depends on all rows")


def _check_end(loss: Tensor, reduction: Reduction, ends: dict[tuple[Any, int], int]) -> None:
    """Refuse a loss whose last steps show that it is not reduced as declared: another reduction, or a division after it."""
    waiting, seen = [(loss.grad_fn, loss.output_nr)], set()
    while waiting:
        end = waiting.pop()
        node = end[0]
        if node is None or end in seen or end in ends:
            continue
        seen.add(end)
        kind = {1: "mean", 2: "sum"}.get(getattr(node, "_saved_reduction", 0))
        name = node.name()
        kind = "mean" if name.startswith("Mean") else "sum" if name.startswith("Sum") else kind
        if kind is not None and kind != reduction:
            raise ConfigError(
                f'the loss was declared reduced by "{reduction}" and ends in a {kind}, so the update would be scaled by the size of the '
                f'physical batch. Declare reduction="{kind}", if nothing else divides it. {_REMEDY}'
            )
        if name.startswith("Div"):
            _refuse("is divided after it was reduced, by a number that may depend on all rows")
        if name.startswith(_ON_NUMBERS):
            waiting.extend(node.next_functions)


def _refuse_nested(outputs: Sequence[Output]) -> None:
    """Refuse outputs of which one was computed from another: a row's gradient would count twice."""
    known = {one.end for one in outputs}
    waiting: list[Any] = [end for node, _ in known if node is not None for end in node.next_functions] if len(known) > 1 else []
    seen = set()
    while waiting:
        end = waiting.pop()
        if end[0] is None or end in seen:
            continue
        if end in known:
            _refuse("uses two outputs of the model of which one is computed from the other")
        seen.add(end)
        waiting.extend(end[0].next_functions)


def _refuse_meeting(used: Sequence[Output], gradients: Sequence[Tensor], rows: int, *, bit: int) -> None:
    """Refuse a loss whose gradient at some rows changes with the outputs of others.

    The rows fall into two halves by coins. The gradient of the first half's gradients, weighted, is zero at the
    second where rows do not meet; rows whose gradients are not finite are left out.
    """
    half = torch.rand(rows, generator=torch.Generator().manual_seed(bit)) < 0.5  # two rows escape one batch with probability 1/2
    total = None
    for output, gradient in zip(used, gradients, strict=True):
        assert output.axis is not None
        first = output.axis.examples_first(gradient, rows).flatten(1)
        if first.requires_grad:
            weights = torch.cos(torch.arange(first.shape[1], dtype=first.dtype, device=first.device))
            part = (first[half.to(first.device)] * weights).sum()
            total = part if total is None else total + part
    if total is None:  # linear in the outputs: rows cannot meet
        return
    try:
        found: tuple[Tensor | None, ...] = torch.autograd.grad(
            total, [one.edge for one in used if one.edge is not None], allow_unused=True
        )
    except RuntimeError as error:
        raise PrivacyError(
            f"whether rows meet in the reduced loss cannot be tried: it has no second derivative ({str(error).splitlines()[0]}). {_REMEDY}"
        ) from None
    for output, gradient, change in zip(used, gradients, found, strict=True):
        axis = output.axis
        assert axis is not None
        if change is None:
            continue
        finite = axis.examples_first(gradient.detach(), rows).flatten(1).isfinite().all(dim=1)
        moved = (axis.examples_first(change, rows).flatten(1) != 0).any(dim=1)
        if bool((moved & finite & ~half.to(moved.device)).any()):
            _refuse("mixes rows: one row's gradient depends on another's output")


def _refuse(what: str) -> NoReturn:
    raise PrivacyError(f"the reduced loss {what}, so clipping one record does not bound its influence. {_REMEDY}")
