"""Guards: what must not change, or arrive, while an engine trains a model."""

import traceback
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tacit.errors import PrivacyError
from tacit.train.torch.attach import state_of


def held_by(optimizer: torch.optim.Optimizer) -> frozenset[int]:
    """Return the ids of the parameters that an optimizer moves."""
    return frozenset(id(parameter) for group in optimizer.param_groups for parameter in group["params"])


def refuse_foreign(losses: Tensor, known: Collection[int]) -> None:
    """Raise when the losses depend on a trainable parameter that the model does not hold: its gradient would not be clipped.

    known -- ids of the model's own.
    """
    seen: set[Any] = set()
    waiting = [losses.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, nn.Parameter) and id(leaf) not in known:
            raise PrivacyError(
                f"the loss depends on a trainable parameter of shape {tuple(leaf.shape)} that the model does not hold, so its gradient "
                "would not be clipped. Make it a parameter of the model, used inside its forward, or freeze it."
            )
        waiting.extend(one for one, _ in node.next_functions)


def refuse_moved(model: nn.Module, before: Mapping[str, tuple[int, int]]) -> None:
    """Raise when a tensor that the model holds besides its parameters changed while it ran on this batch; before -- state_of it."""
    now = state_of(model)
    for name in sorted(now.keys() | before.keys()):
        if now.get(name) != before.get(name):
            raise PrivacyError(
                f"tensor {name!r} of the model changed while it ran, which would carry records from one batch to the next outside the "
                "guarantee. Return what is computed instead of keeping it; put layers with running statistics in eval mode."
            )


def guard(name: str, expected: Callable[[], bool]) -> Callable[[Tensor | None], None]:
    """Return a hook for a parameter that turns any ordinary gradient into an error.

    expected -- whether gradients at parameters are being taken on purpose, per example.
    """

    def refuse(gradient: Tensor | None) -> None:
        if gradient is None or expected():  # a tap's answer: nothing arrives
            return
        raise PrivacyError(
            f"an ordinary gradient, not clipped per example, arrived at parameter {name!r} ({_call_site()}). It would carry records "
            "into the model outside the guarantee. Call the model itself, keep parameters out of the loss, and use weight_decay "
            "of the optimizer instead of a penalty."
        )

    return refuse


def _call_site() -> str:
    here = str(Path(__file__).parents[2])
    outside = [f for f in traceback.extract_stack() if not f.filename.startswith(here) and "torch" not in Path(f.filename).parts]
    return f"at {outside[-1].filename}:{outside[-1].lineno}" if outside else "call site unknown"
