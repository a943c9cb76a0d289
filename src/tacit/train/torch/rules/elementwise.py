"""Biases and scales: sums, differences and products with a trainable tensor that is broadcast over the examples."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tacit.errors import UnsupportedModel
from tacit.train.torch.axes import Axis
from tacit.train.torch.routing import Routing
from tacit.train.torch.unrouted import unrouted


class TappedElementwise(torch.autograd.Function):
    """x + w, x - w, w - x or x * w, whose w receives no ordinary gradient. signs -- of x and of w; None for a product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, signs: tuple[int, int] | None, receive: Any) -> Tensor:
        ctx.signs, ctx.receive, ctx.shape = signs, receive, x.shape
        if signs is None:
            ctx.save_for_backward(x, weight)
            return x * weight
        return x * signs[0] + weight * signs[1] if signs[0] < 0 else (x + weight if signs[1] > 0 else x - weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        if ctx.signs is None:
            x, weight = ctx.saved_tensors
            ctx.receive(gradient * x)
            back = gradient * weight
        else:
            ctx.receive(gradient * ctx.signs[1] if ctx.signs[1] < 0 else gradient)
            back = gradient * ctx.signs[0] if ctx.signs[0] < 0 else gradient
        return (back.sum_to_size(ctx.shape) if ctx.needs_input_grad[0] else None), None, None, None


def plus(route: Routing, input: Any, other: Any, *, alpha: float = 1) -> Any:
    return _rule(route, "add", input, other, (1, 1)) if alpha == 1 else NotImplemented


def minus(route: Routing, input: Any, other: Any, *, alpha: float = 1) -> Any:
    swapped = route.name(input) is not None
    return _rule(route, "sub", input, other, (-1, 1) if swapped else (1, -1)) if alpha == 1 else NotImplemented


def times(route: Routing, input: Any, other: Any) -> Any:
    return _rule(route, "mul", input, other, None)


def _rule(route: Routing, operation: str, input: Any, other: Any, signs: tuple[int, int] | None) -> Any:
    if other is None:
        return input
    x, weight = (other, input) if route.name(input) is not None else (input, other)
    name = route.name(weight)
    if name is None:  # reached from another rule, with a bias that is not trained
        return x + weight
    if not isinstance(x, Tensor) or route.name(x) is not None:
        return NotImplemented
    key = (operation, name, x.ndim)
    if route.constant(key):
        return route.derive(getattr(torch, operation), (input, other), {})

    def plain(operand: Tensor) -> Tensor:
        result: Tensor = operand * weight if signs is None else operand * signs[0] + weight * signs[1]
        return result

    if route.trace is not None:
        return route.traced(key, (x,), plain)
    _, (x,) = route.at(key, (x,))
    axis = route.output(key)
    route.tape.use(name)
    tape = route.tape

    @unrouted
    def receive(gradient: Tensor) -> None:
        tape.stored(name, reduced(gradient, axis, tape.rows, weight.shape, name), "sum")

    return TappedElementwise.apply(x, weight, signs, receive)


def expand(route: Routing, input: Tensor, *sizes: Any) -> Any:
    """The rule of `token.expand(B, -1, -1)` for a trainable token: one copy for each example, along any one dimension."""
    return _copies(route, "expand", input, sizes, lambda w, s: w.expand(s))


def repeat(route: Routing, input: Tensor, *sizes: Any) -> Any:
    """The rule of `state.repeat(1, B, 1)` for a trainable state of shape (layers, 1, ...)."""
    return _copies(route, "repeat", input, sizes, lambda w, s: w.repeat(s))


def _copies(route: Routing, operation: str, weight: Tensor, sizes: tuple[Any, ...], run: Callable[..., Tensor]) -> Any:
    name = route.name(weight)
    sizes = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], list | tuple | torch.Size) else sizes
    whole = run(weight.detach(), sizes)
    key = (operation, name, whole.ndim)
    dim = _copied(route, key, weight, whole)
    if name is None or dim is None:
        return NotImplemented
    if route.trace is not None:
        return route.traced((*key, dim), (), lambda: run(weight, sizes).movedim(dim, 0), copies=True).movedim(0, dim)
    route.at((*key, dim), ())
    route.tape.use(name)
    tape = route.tape

    @unrouted
    def receive(gradient: Tensor) -> None:
        tape.stored(name, gradient.movedim(dim, 0).flatten(1), "sum")

    return _Copies.apply(weight, run, sizes, receive)


def _copied(route: Routing, key: tuple[Any, ...], weight: Tensor, whole: Tensor) -> int | None:
    """Return the dimension along which there is one copy for each example, or None; in a batch of one, what the trace saw."""
    before = (1,) * (whole.ndim - weight.ndim) + tuple(weight.shape)
    longer = [dim for dim in range(whole.ndim) if before[dim] != whole.shape[dim]]
    if longer or route.rows != 1:
        return longer[0] if len(longer) == 1 and before[longer[0]] == 1 and whole.shape[longer[0]] == route.rows else None
    return next((dim for dim in range(whole.ndim) if before[dim] == 1 and _known(route, (*key, dim))), None)


def _known(route: Routing, key: tuple[Any, ...]) -> bool:
    try:
        route.output(key)
    except KeyError:
        return False
    return True


class _Copies(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, run: Any, sizes: Any, receive: Any) -> Tensor:
        ctx.receive = receive
        return run(weight, sizes).clone()  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, ...]:
        ctx.receive(gradients[0])
        return None, None, None, None


def reduced(gradient: Tensor, axis: Axis, rows: int, shape: torch.Size, name: str) -> Tensor:
    """Return each example's gradient of a broadcast parameter, shape (B, k), from the gradient of the broadcast result.

    shape -- the parameter's. Raises UnsupportedModel when the parameter has an entry for each place in the batch.
    """
    missing = gradient.ndim - len(shape)
    if axis.dim >= missing and shape[axis.dim - missing] != 1:
        raise UnsupportedModel(
            f"parameter {name!r} has one value for each place in the batch, so examples would be treated by their order. Give it a "
            "size of 1 along the batch."
        )
    wide = gradient.double() if gradient.dtype == torch.float64 else gradient.float()
    first = axis.examples_first(wide, rows)  # (B, m, *others in their order)
    aligned = list(range(gradient.ndim))
    aligned.insert(0, aligned.pop(axis.dim))  # the original dimension of each after examples came first
    gone = [1] + [place + 1 for place, dim in enumerate(aligned) if place and (dim < missing or shape[dim - missing] == 1)]
    return (first.sum(dim=gone) if gone else first).reshape(rows, -1)
