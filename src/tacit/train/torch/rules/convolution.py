"""Convolutions and transposed convolutions in one, two and three dimensions."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tacit.train.torch.axes import Axis
from tacit.train.torch.convolution import (
    Convolution,
    Method,
    foldable,
    folded,
    gram_squared_norms,
    per_example_bias,
    per_example_gradients,
    stored_squared_norms,
    stored_vectors,
    weighted_blocks,
)
from tacit.train.torch.records import ALL, SLACK, Clip
from tacit.train.torch.routing import Routing
from tacit.train.torch.rules.elementwise import plus
from tacit.train.torch.scratch import Scratch
from tacit.train.torch.sums import RunningSum
from tacit.train.torch.unrouted import unrouted

Pair = tuple[int, ...]


class Convolved:
    """A convolution's weight: formed example by example and kept, or formed again for the sum. x, g as in tacit.train.torch.convolution."""

    def __init__(self, name: str, x: Tensor, g: Tensor, convolution: Convolution, scratch: Scratch, method: Method) -> None:
        self.name, self.method = name, method.value
        self._convolution, self._scratch = convolution, scratch
        self._norms: Tensor | None = None
        self._kept: Tensor | None = None
        self._x, self._g = x, g
        self._method = method

    def squared_norms(self) -> Tensor:
        if self._norms is None:
            if self._method is Method.KEEP:
                self._kept, self._norms = stored_vectors(self._x, self._g, self._convolution, self._scratch)
                self._x = self._g = self._kept  # what was formed replaces what it was formed from
            else:
                norms = gram_squared_norms if self._method is Method.GRAM else stored_squared_norms
                self._norms = norms(self._x, self._g, self._convolution, self._scratch)
        return self._norms

    def gradients(self, place: slice = ALL) -> Tensor:
        if self._kept is not None:
            return self._convolution.as_weight(self._kept[place]).flatten(1)
        return per_example_gradients(self._x[place], self._g[place], self._convolution, self._scratch).flatten(1)

    def add_to(self, total: RunningSum, clip: Clip) -> None:
        if self._kept is not None:
            total.add_many(clip.selected(self._kept, ALL), clip.weights, self._convolution.as_weight)
            return
        allowed = self.squared_norms().sqrt() * (1 + SLACK) + clip.allowed / clip.factors.double()  # before the factor
        for block in weighted_blocks(self._x, self._g, clip.factors, allowed, clip.kept, self._convolution, self._scratch):
            total.add_block(block)


class TappedConvolution(torch.autograd.Function):
    """torch.convolution whose parameters receive no ordinary gradient. sizes -- stride, padding, dilation, transposed, output padding, groups."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, sizes: tuple[Any, ...], receive: Any) -> Tensor:
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
        ctx.save_for_backward(x, weight)
        ctx.sizes, ctx.receive = sizes, receive
        return torch.convolution(x, weight, bias, *sizes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        back = None
        if ctx.needs_input_grad[0]:
            mask = [True, False, False]
            back = torch.ops.aten.convolution_backward(gradient, x, weight, None, *ctx.sizes, mask)[0]
        ctx.receive(x, gradient)
        return back, None, None, None, None


def convolution(dims: int) -> Callable[..., Any]:
    """Return the rule of `torch.nn.functional.conv{dims}d`."""

    def rule(
        route: Routing,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        if input.ndim != dims + 2:
            return NotImplemented
        dilation = _each(dilation, dims)
        if isinstance(padding, str):
            total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)] if padding == "same" else [0] * dims
            if any(one % 2 for one in total):
                input = functional.pad(input, [side for one in reversed(total) for side in (one // 2, one - one // 2)])
                total = [0] * dims
            padding = [one // 2 for one in total]
        sizes = (_each(stride, dims), _each(padding, dims), dilation, False, (0,) * dims, groups)
        return _tapped(route, f"conv{dims}d", input, weight, bias, sizes)

    return rule


def transposed(dims: int) -> Callable[..., Any]:
    """Return the rule of `torch.nn.functional.conv_transpose{dims}d`."""

    def rule(
        route: Routing,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        if input.ndim != dims + 2:
            return NotImplemented
        spread = (_each(one, dims) for one in (stride, padding, dilation))
        sizes = (*spread, True, _each(output_padding, dims), groups)
        return _tapped(route, f"conv_transpose{dims}d", input, weight, bias, sizes)

    return rule


def _tapped(route: Routing, operation: str, input: Tensor, weight: Tensor, bias: Tensor | None, sizes: tuple[Any, ...]) -> Any:
    name, bias_name = route.name(weight), route.name(bias)
    if route.name(input) is not None or (name is None and bias_name is not None):
        return NotImplemented
    if name is None:
        shaped = None if bias is None else bias.view(-1, *[1] * len(sizes[0]))
        return (
            torch.convolution(input, weight, None, *sizes)
            if shaped is None
            else plus(route, torch.convolution(input, weight, None, *sizes), shaped)
        )
    if bias is not None and bias_name is None and bias.requires_grad:
        return NotImplemented
    key = (operation, name, input.ndim)
    if route.trace is not None:
        return route.traced(key, (input,), lambda x: torch.convolution(x, weight, bias, *sizes))
    (axis,), (input,) = route.at(key, (input,))
    if axis.dim != 0:
        return NotImplemented
    tape = route.tape
    tape.use(name, bias_name)

    @unrouted
    def receive(x: Tensor, gradient: Tensor) -> None:
        if bias_name is not None:
            tape.stored(bias_name, axis.examples_first(per_example_bias(gradient), tape.rows).sum(dim=1), "sum")
        _received(route, axis, name, x.detach(), gradient, tuple(weight.shape[2:]), sizes)

    return TappedConvolution.apply(input, weight, bias, sizes, receive)


def _received(route: Routing, axis: Axis, name: str, x: Tensor, gradient: Tensor, kernel: Pair, sizes: tuple[Any, ...]) -> None:
    stride, padding, dilation, is_transposed, _, groups = sizes
    tape = route.tape
    x, g = (gradient, x) if is_transposed else (x, gradient)  # a transposed convolution's weight gradient swaps the two
    x, g = (one.to(torch.promote_types(one.dtype, torch.float32)) for one in (x, g))
    geometry = Convolution.of(x, g, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups)
    if foldable(geometry):
        x, geometry = folded(x, geometry)
    if axis.kind == "batch" and tape.copies == 1:
        method = tape.budget.method(name, geometry, len(x)) if tape.alone(name) else Method.DROP
        tape.receive(Convolved(name, x, g, geometry, tape.scratch, method))
        tape.hold(x, g)
        return
    vectors = per_example_gradients(x, g, geometry, tape.scratch).flatten(1)
    tape.stored(name, axis.examples_first(vectors, tape.rows).sum(dim=1), "formed")


def _each(value: Any, dims: int) -> Pair:
    if isinstance(value, int):
        return (value,) * dims
    found = tuple(value)
    return found * dims if len(found) == 1 else found
