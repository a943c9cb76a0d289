"""Bilinear maps: linear in the products of the two inputs' features."""

from typing import Any

from torch import Tensor
from torch.nn import functional

from tacit.train.torch.routing import Routing
from tacit.train.torch.rules.elementwise import plus
from tacit.train.torch.rules.linear import TappedLinear, summed
from tacit.train.torch.unrouted import unrouted


def bilinear(route: Routing, input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    """The rule of `torch.nn.functional.bilinear`: input1 (..., d), input2 (..., e), weight (p, d, e)."""
    name, bias_name = route.name(weight), route.name(bias)
    if route.name(input1) is not None or route.name(input2) is not None:
        return NotImplemented
    if name is None:
        return plus(route, functional.bilinear(input1, input2, weight), bias)
    if bias is not None and bias_name is None and bias.requires_grad:
        return bilinear(route, input1, input2, weight) + bias  # a bias that is computed: it has its own graph
    products = (input1.unsqueeze(-1) * input2.unsqueeze(-2)).flatten(-2)
    key = ("bilinear", name, products.ndim)
    if route.trace is not None:
        return route.traced(key, (products,), lambda x: functional.linear(x, weight.flatten(1), bias))
    (axis,), (products,) = route.at(key, (products,))
    tape = route.tape
    tape.use(name, bias_name)

    @unrouted
    def receive(x: Tensor, gradient: Tensor) -> None:
        left = axis.positions(gradient, tape.rows)
        if bias_name is not None:
            tape.stored(bias_name, summed(left), "sum")
        tape.outer(name, left, axis.positions(x, tape.rows))

    return TappedLinear.apply(products, weight.flatten(1), bias, False, receive)
