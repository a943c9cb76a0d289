"""Operations without a rule of their own: run again with one copy of the parameter per example, under `torch.func.vmap`."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from tacit.errors import UnsupportedModel
from tacit.train.torch.axes import Axis
from tacit.train.torch.forming import Formed, Forming
from tacit.train.torch.records import chunk_of
from tacit.train.torch.repeating import Repeated
from tacit.train.torch.routing import Routing, refuse_in_place


class _Tapped(torch.autograd.Function):
    """A result as it is; what it was computed from is handed on with its gradient, and no ordinary gradient reaches a parameter."""

    @staticmethod
    def forward(ctx: Any, result: Tensor, receive: Any, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        ctx.receive = receive
        return result.clone()  # a view would refuse in-place operations behind it

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # asked for once: checkpointing computes them again
        ctx.receive(gradients[0], saved)
        return gradients[0], None, *[None] * len(saved)


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
    rows = route.tape.rows
    given, names = [flat[place] for place in weights], [str(route.name(flat[place])) for place in weights]
    first = [one if axis is None else axis.examples_first(one, rows) for one, axis in zip(values, axes, strict=True)]
    call = list(flat)
    for place in (*operands, *weights):  # what holds the call must not hold the batch
        call[place] = None

    def one_example(*parts: Tensor) -> Tensor:
        filled = list(call)
        for place, part, axis in zip(operands, parts, axes, strict=False):
            filled[place] = part if axis is None else part.movedim(0, axis.dim)
        for place, part in zip(weights, parts[len(operands) :], strict=True):
            filled[place] = part
        inner_args, inner_kwargs = tree_unflatten(filled, shape)
        result: Tensor = func(*inner_args, **inner_kwargs)
        return result.movedim(output.dim, 0)

    repeated = Repeated(one_example, tuple(axis is not None for axis in axes), getattr(func, "__name__", str(func)), names)
    result = repeated.run(first, [one.detach() for one in given], chunk_of(sum(one.numel() for one in given)))
    if result.is_floating_point() and torch.is_grad_enabled():

        def receive(gradient: Tensor, saved: tuple[Tensor, ...]) -> None:
            _received(route, repeated, names, gradient, saved)

        result = _Tapped.apply(result, receive, *given, *(one.detach() for one in first))
    joined = result.transpose(0, 1).flatten(0, 1) if output.kind == "minor" else result.flatten(0, 1)
    return joined.movedim(0, output.dim)


def _received(route: Routing, repeated: Repeated, names: list[str], gradient: Tensor, saved: tuple[Tensor, ...]) -> None:
    """Leave a record for each parameter of one call."""
    tape, copies = route.tape, route.tape.copies
    weights, first = [one.detach() for one in saved[: len(names)]], saved[len(names) :]

    def form(place: slice, wanted: Sequence[int]) -> list[Tensor]:
        found = repeated.gradients(slice(place.start * copies, place.stop * copies), wanted, first, weights, gradient)
        return found if copies == 1 else [one.unflatten(0, (-1, copies)).sum(dim=1) for one in found]

    forming = Forming(form, weights, tape.units, tape.budget, beside=gradient.numel() // max(1, tape.rows))
    for number, name in enumerate(names):
        record = Formed(name, "vmap", forming, number, (gradient, *saved))
        if not tape.alone(name):
            record.leave()
        tape.receive(record)
