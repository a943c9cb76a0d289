"""Taps: during the forward pass each operation on a trainable parameter goes through a Function of tacit's own.

Its backward returns the input's gradient, gives autograd this operation's share of every example's squared gradient norm
(as the "gradient" of a zero vector, so autograd itself adds the shares up), keeps (activation, output gradient) for the
weighted sum, and returns nothing for the parameters: no ordinary gradient is ever formed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tacit.errors import PrivacyError, ShapeError


@dataclass(slots=True, eq=False)
class Tap:
    """One call of one operation: what the clipped sum needs of it."""

    weight: str
    bias: str | None
    activation: Tensor  # (B, d)
    gradient: Tensor | None = None  # (B, p), set by backward


@dataclass(slots=True, eq=False)
class Tape:
    """The taps of one forward pass over one micro-batch, and the squared norms that autograd adds up."""

    squared_norms: Tensor  # (B,), float64, zeros; its .grad holds the squared norms after backward
    taps: list[Tap] = field(default_factory=list)

    @classmethod
    def of(cls, rows: int, device: torch.device) -> "Tape":
        return cls(squared_norms=torch.zeros(rows, dtype=torch.float64, device=device, requires_grad=True))


class _TappedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, squared_norms: Tensor, tap: Tap) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.tap = tap
        return torch.nn.functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        (weight,) = ctx.saved_tensors
        tap: Tap = ctx.tap
        if tap.gradient is not None:
            raise PrivacyError(
                f"backward ran twice through {tap.weight!r} on one batch. Each batch is one release: call private.backward(losses) once."
            )
        tap.gradient = gradient
        # |d loss / d weight|_F^2 = |x|^2 |g|^2 for an outer product; the bias adds |g|^2 (Goodfellow 2015, arXiv:1510.01799).
        share = squared_length(gradient)
        share = share * (squared_length(tap.activation) + (tap.bias is not None))
        return (gradient @ weight if ctx.needs_input_grad[0] else None), None, None, share, None


def squared_length(rows: Tensor) -> Tensor:
    """Return each row's squared L2 length, shape (B,), accumulated in float64."""
    length: Tensor = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    return length.square()


class TapMode(TorchFunctionMode):
    """Routes operations on the trainable parameters through taps; any other use of a parameter is left to the guard."""

    def __init__(self, names: Mapping[int, str], tape: Tape) -> None:
        super().__init__()
        self._names = names  # id of the parameter -> its name
        self._tape = tape

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.nn.functional.linear:
            return self._linear(*args, **kwargs)
        return func(*args, **kwargs)

    def _linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        name = self._names.get(id(weight))
        if name is None:
            return torch.nn.functional.linear(input, weight, bias)
        rows = self._tape.squared_norms.shape[0]
        if input.ndim != 2 or input.shape[0] != rows:
            raise ShapeError(
                f"the layer of {name!r} received an input of shape {tuple(input.shape)}; this batch has {rows} examples and the engine "
                f"takes (batch, features). Which axis is the example is never guessed: give the model two-dimensional input."
            )
        if torch.is_autocast_enabled(input.device.type):
            raise PrivacyError(
                "the model runs under autocast; norms and noise need the parameters' own precision. Leave autocast out."
            )
        tap = Tap(weight=name, bias=None if bias is None else self._names.get(id(bias)), activation=input.detach())
        self._tape.taps.append(tap)
        return _TappedLinear.apply(input, weight, bias, self._tape.squared_norms, tap)  # type: ignore[no-any-return]


def clipped_sum(tape: Tape, keep: Tensor, clip_norm: float, into: Mapping[str, Tensor]) -> None:
    """Add every kept example's gradient, scaled to L2 length <= clip_norm, to the float64 tensors in `into`.

    keep -- shape (B,), bool: real examples. One with a non-finite gradient contributes exactly zero, by selection:
    a zero weight would not do, since 0 * inf is not a number.
    """
    squared = tape.squared_norms.grad
    if squared is None:  # no tap received a gradient: every example's gradient is zero
        return
    keep = keep & torch.isfinite(squared)
    length = torch.where(keep, squared, 1.0).sqrt()
    factor = torch.where(length > clip_norm, clip_norm / length, 1.0)
    for tap in tape.taps:
        if tap.gradient is None:
            continue
        weighted = torch.where(keep[:, None], tap.gradient, 0.0).double() * factor[:, None]
        # formed apart and then added: the float error proof counts one addition to the running sum per micro-batch
        into[tap.weight].add_(weighted.T @ torch.where(keep[:, None], tap.activation, 0.0).double())
        if tap.bias is not None:
            into[tap.bias].add_(weighted.sum(dim=0))
