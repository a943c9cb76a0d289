"""Operations without a rule of their own: one copy of the parameter per example, under `torch.func.vmap`."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from tacit.errors import UnsupportedModel
from tacit.train.torch.axes import Axis
from tacit.train.torch.routing import Routing, refuse_in_place


class _Copied(torch.autograd.Function):
    """A parameter of shape (*shape) as one copy per example, (B, *shape); the gradient of each copy is that example's."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, rows: int, receive: Any) -> Tensor:
        ctx.receive = receive
        return weight.unsqueeze(0).expand(rows, *weight.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, ...]:
        ctx.receive(gradients[0])
        return None, None, None


def fallback(route: Routing, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run any function of parameters and examples so that each example's gradient is kept.

    Without an operand besides parameters, the result is derived from them. Raises UnsupportedModel when the operation cannot be
    taken apart by example.
    """
    flat, shape = tree_flatten((args, kwargs))
    operands = [place for place, one in enumerate(flat) if isinstance(one, Tensor) and route.name(one) is None and one.ndim]
    weights = [place for place, one in enumerate(flat) if route.name(one) is not None]
    if not operands:
        return route.derive(func, args, kwargs)
    operation = getattr(func, "__name__", str(func))
    names = [str(route.name(flat[place])) for place in weights]
    key = (operation, "+".join(names), *(flat[place].ndim for place in operands))

    def run(*values: Tensor) -> Any:
        filled = list(flat)
        for place, value in zip(operands, values, strict=True):
            filled[place] = value
        inner_args, inner_kwargs = tree_unflatten(filled, shape)
        result = func(*inner_args, **inner_kwargs)
        if not isinstance(result, Tensor):
            raise UnsupportedModel(
                f"{operation!r} on parameter {', '.join(map(repr, names))} returns several tensors, which only a rule of its own can take "
                "apart by example. Give it inputs of the examples and parameters of the layer alone, or write it with other operations."
            )
        return result

    refuse_in_place(operation, names)
    if route.constant(key):
        return route.derive(func, args, kwargs)
    if route.trace is not None:
        return route.traced(key, tuple(flat[place] for place in operands), run)
    axes, values = route.at(key, tuple(flat[place] for place in operands))
    output = route.output(key)
    route.tape.use(*names)
    return _per_example(route, func, flat, shape, operands, weights, axes, values, output)


def _per_example(
    route: Routing,
    func: Callable[..., Any],
    flat: list[Any],
    shape: Any,
    operands: list[int],
    weights: list[int],
    axes: tuple[Axis | None, ...],
    values: tuple[Tensor, ...],
    output: Axis,
) -> Tensor:
    tape, rows = route.tape, route.tape.rows

    def receiver(name: str) -> Callable[[Tensor], None]:
        return lambda gradient: tape.stored(name, gradient.reshape(rows, -1), "vmap")

    copies = [_Copied.apply(flat[place], rows, receiver(str(route.name(flat[place])))) for place in weights]
    first = [one if axis is None else axis.examples_first(one, rows) for one, axis in zip(values, axes, strict=True)]

    def one_example(*parts: Tensor) -> Tensor:
        filled = list(flat)
        for place, part, axis in zip(operands, parts, axes, strict=False):
            filled[place] = part if axis is None else part.movedim(0, axis.dim)
        for place, part in zip(weights, parts[len(operands) :], strict=True):
            filled[place] = part
        inner_args, inner_kwargs = tree_unflatten(filled, shape)
        result: Tensor = func(*inner_args, **inner_kwargs)
        return result.movedim(output.dim, 0)

    in_dims = tuple(None if axis is None else 0 for axis in axes) + (0,) * len(copies)
    try:
        result = torch.func.vmap(one_example, in_dims=in_dims, randomness="different")(*first, *copies)
    except (RuntimeError, ValueError, IndexError) as error:
        names = ", ".join(repr(route.name(flat[place])) for place in weights)
        raise UnsupportedModel(
            f"{getattr(func, '__name__', func)!r} on parameter {names} has no rule and cannot be run one example at a time "
            f"({str(error).splitlines()[0]}). Write it with linear, conv, matmul or elementwise operations."
        ) from None
    joined = result.transpose(0, 1).flatten(0, 1) if output.kind == "minor" else result.flatten(0, 1)
    return joined.movedim(0, output.dim)
