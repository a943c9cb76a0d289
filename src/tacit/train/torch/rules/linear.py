"""Linear maps: `F.linear`, `matmul` and `addmm` with a trainable matrix, over any number of positions."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tacit.train.torch.records import Outer, Stored
from tacit.train.torch.routing import Routing
from tacit.train.torch.rules.elementwise import plus
from tacit.train.torch.sums import squared_lengths
from tacit.train.torch.unrouted import unrouted


class TappedLinear(torch.autograd.Function):
    """x @ weight.T + bias, whose parameters receive no ordinary gradient. transposed -- weight has shape (d, p) instead."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool, receive: Any) -> Tensor:
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, weight = x.to(dtype), weight.to(dtype)
        ctx.save_for_backward(x, weight)
        ctx.transposed, ctx.receive = transposed, receive
        return functional.linear(x, weight.t() if transposed else weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        ctx.receive(x, gradient)
        if not ctx.needs_input_grad[0]:
            return None, None, None, None, None
        return gradient.to(weight.dtype) @ (weight.t() if ctx.transposed else weight), None, None, None, None


def called(route: Routing, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    """The rule of `torch.nn.functional.linear` where a model calls it: without examples, its result is derived from parameters."""
    name = route.name(weight)
    without = route.identity(input) or route.constant(("linear", name, input.ndim))  # DoRA reads weights off an identity
    if name is not None and without:
        return route.derive(functional.linear, (input, weight, bias), {})
    return linear(route, input, weight, bias)


def linear(route: Routing, input: Tensor, weight: Tensor, bias: Tensor | None = None, *, transposed: bool = False) -> Any:
    """The rule of `torch.nn.functional.linear`."""
    name, bias_name = route.name(weight), route.name(bias)
    if route.name(input) is not None:
        return NotImplemented
    if name is None:
        return plus(route, functional.linear(input, weight), bias)
    if bias is not None and bias_name is None and bias.requires_grad:
        return linear(route, input, weight, transposed=transposed) + bias  # a bias that is computed: it has its own graph
    key = ("linear", name, input.ndim)

    def plain(x: Tensor) -> Tensor:
        return functional.linear(x, weight.t() if transposed else weight, bias)

    if route.trace is not None:
        return route.traced(key, (input,), plain)
    (axis,), (input,) = route.at(key, (input,))
    tape = route.tape
    tape.use(name, bias_name)

    @unrouted
    def receive(x: Tensor, gradient: Tensor) -> None:
        right, left = axis.positions(x, tape.rows), axis.positions(gradient, tape.rows)
        if bias_name is not None and left.shape[1] == tape.copies == 1 and not transposed:  # weight and bias share a length
            squared = squared_lengths(left[:, 0])
            tape.receive(Stored(bias_name, left[:, 0], "sum", squared=squared))
            tape.receive(Outer(name, left, right, tape.scratch, left_squared=squared))
            return
        if bias_name is not None:
            tape.stored(bias_name, summed(left), "sum")
        tape.outer(name, *((right, left) if transposed else (left, right)))

    return TappedLinear.apply(input, weight, bias, transposed, receive)


def matmul(route: Routing, input: Tensor, other: Tensor) -> Any:
    """The rule of `x @ W` with a trainable matrix W of shape (d, p)."""
    if route.name(input) is not None or route.name(other) is None or other.ndim != 2 or input.ndim < 2:
        return NotImplemented
    if route.constant(("linear", route.name(other), input.ndim)):
        return route.derive(torch.matmul, (input, other), {})
    return linear(route, input, other, transposed=True)


def addmm(route: Routing, input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    """The rule of `torch.addmm(bias, x, W)`: a layer as GPT-2 writes it."""
    if beta != 1 or alpha != 1 or input.ndim != 1 or route.name(mat1) is not None or route.name(mat2) is None:
        return NotImplemented
    return linear(route, mat1, mat2, input, transposed=True)


def summed(rows: Tensor) -> Tensor:
    """Return the sum over positions of (B, T, d), in float32 or wider."""
    if rows.shape[1] == 1:
        return rows[:, 0]
    return rows.sum(dim=1, dtype=torch.float64 if rows.dtype == torch.float64 else torch.float32)
