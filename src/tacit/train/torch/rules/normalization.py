"""Layer, group, instance and RMS norm: they look at one example alone, and their scale and shift are small enough to keep."""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tacit.errors import UnsupportedModel
from tacit.train.torch.axes import Axis
from tacit.train.torch.routing import Routing
from tacit.train.torch.rules.elementwise import times
from tacit.train.torch.unrouted import unrouted

Receive = Callable[[Tensor, Tensor, Tensor, Tensor], None]


class TappedLayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, shape: list[int], eps: float, receive: Receive
    ) -> Tensor:
        ctx.shape, ctx.receive = shape, receive
        out, mean, rstd = torch.ops.aten.native_layer_norm(x, shape, weight, bias, eps)
        ctx.save_for_backward(x, mean, rstd, weight, bias)
        return out  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, rstd, weight, bias = ctx.saved_tensors
        ctx.receive(gradients[0], x, mean, rstd)
        back = None
        if ctx.needs_input_grad[0]:
            mask = [True, False, False]
            back = torch.ops.aten.native_layer_norm_backward(
                gradients[0].contiguous(), x, ctx.shape, mean, rstd, weight, bias, mask
            )[0]
        return back, None, None, None, None, None


class TappedGroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, groups: int, eps: float, receive: Receive
    ) -> Tensor:
        ctx.sizes = (x.shape[0], x.shape[1], prod(x.shape[2:]), groups)
        ctx.receive, ctx.layout = receive, torch.contiguous_format
        if x.ndim == 4 and x.device.type == "cpu" and x.is_contiguous(memory_format=torch.channels_last):
            ctx.layout = torch.channels_last
        x = x.contiguous(memory_format=ctx.layout)  # the kernels read memory in this order, forward and backward
        out, mean, rstd = torch.ops.aten.native_group_norm(x, weight, bias, *ctx.sizes, eps)
        ctx.save_for_backward(x, mean, rstd, weight)
        return out  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, rstd, weight = ctx.saved_tensors
        ctx.receive(gradients[0], x, mean, rstd)
        back = None
        if ctx.needs_input_grad[0]:
            mask = [True, False, False]
            gradient = gradients[0].contiguous(memory_format=ctx.layout)
            back = torch.ops.aten.native_group_norm_backward(gradient, x, mean, rstd, weight, *ctx.sizes, mask)[0]
        return back, None, None, None, None, None


def layer_norm(
    route: Routing,
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """The rule of `torch.nn.functional.layer_norm`."""
    shape = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)

    def received(axis: Axis, gradient: Tensor, x: Tensor, mean: Tensor, rstd: Tensor) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(gradient.dtype, torch.float32)
        normalized = (x.to(wide) - mean).mul_(rstd)
        flat = (gradient.to(wide).flatten(-len(shape)), normalized.flatten(-len(shape)))
        left, right = (axis.positions(one, route.rows) for one in flat)
        return (left * right).sum(dim=1), left.sum(dim=1)

    def plain(x: Tensor) -> Tensor:
        return functional.layer_norm(x, shape, weight, bias, eps)

    def tapped(x: Tensor, receive: Receive) -> Tensor:
        return TappedLayerNorm.apply(x, weight, bias, shape, eps, receive)  # type: ignore[no-any-return]

    return _rule(route, "layer_norm", input, weight, bias, plain, tapped, received)


def group_norm(
    route: Routing, input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Any:
    """The rule of `torch.nn.functional.group_norm`."""

    def received(axis: Axis, gradient: Tensor, x: Tensor, mean: Tensor, rstd: Tensor) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(gradient.dtype, torch.float32)
        gradient, x = gradient.to(wide), x.to(wide)
        places = list(range(2, x.ndim))
        share = x.shape[1] // num_groups
        centre, scale = (one.repeat_interleave(share, dim=1).to(wide) for one in (mean, rstd))
        shift = gradient.sum(dim=places) if places else gradient
        products = (gradient * x).sum(dim=places) if places else gradient * x
        scaled = (products - centre * shift) * scale  # sum of g (x - mean) rstd
        return axis.examples_first(scaled, route.rows).sum(dim=1), axis.examples_first(shift, route.rows).sum(dim=1)

    def plain(x: Tensor) -> Tensor:
        return functional.group_norm(x, num_groups, weight, bias, eps)

    def tapped(x: Tensor, receive: Receive) -> Tensor:
        return TappedGroupNorm.apply(x, weight, bias, num_groups, eps, receive)  # type: ignore[no-any-return]

    return _rule(route, "group_norm", input, weight, bias, plain, tapped, received)


def instance_norm(
    route: Routing,
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """The rule of `torch.nn.functional.instance_norm`: a group norm with one channel a group."""
    if running_mean is not None or not use_input_stats:
        raise UnsupportedModel(
            f"the instance norm of {route.name(weight)!r} keeps running statistics, which carry records into the model outside the "
            "guarantee. Set track_running_stats=False."
        )
    return group_norm(route, input, input.shape[1], weight, bias, eps)


def rms_norm(route: Routing, input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Any:
    """The rule of `torch.nn.functional.rms_norm`: the norm without a scale, then the scale."""
    shape = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
    if route.name(input) is not None:
        return NotImplemented
    return times(route, functional.rms_norm(input, shape, None, eps), weight)


def _rule(
    route: Routing,
    operation: str,
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    plain: Callable[[Tensor], Tensor],
    tapped: Callable[[Tensor, Receive], Tensor],
    received: Callable[[Axis, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]],
) -> Any:
    names = (route.name(weight), route.name(bias))
    if route.name(input) is not None:
        return NotImplemented
    if any(one is not None and one.requires_grad and name is None for one, name in zip((weight, bias), names, strict=True)):
        return NotImplemented
    key = (operation, names[0] or names[1], input.ndim)
    if route.trace is not None:
        return route.traced(key, (input,), plain)
    (axis,), (input,) = route.at(key, (input,))
    tape = route.tape
    tape.use(*names)

    @unrouted
    def receive(gradient: Tensor, x: Tensor, mean: Tensor, rstd: Tensor) -> None:
        for name, one in zip(names, received(axis, gradient, x, mean, rstd), strict=True):
            if name is not None:
                tape.stored(name, one, "sum")

    return tapped(input, receive)
