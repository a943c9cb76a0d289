"""Recurrent layers and cells: the gates' gradients at every time step are the gradients of one linear map over all of them.

A gate adds W x(t) and U h(t-1), so what arrives at W x(t) is what U's outer products with h(t-1) need as well. One Function per
layer and direction takes both; time runs in ordinary operations between.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tacit.errors import UnsupportedModel
from tacit.train.torch.routing import Routing
from tacit.train.torch.rules.linear import linear, summed
from tacit.train.torch.unrouted import unrouted

State = tuple[Tensor, ...]
"""h, or h and c, each of shape (B, H)."""


@dataclass(slots=True, eq=False)
class Notes:
    """What the steps of one layer and direction leave for backward, in the order of time: h(t-1), and a GRU's reset gates."""

    before: list[Tensor] = field(default_factory=list)
    reset: list[Tensor] = field(default_factory=list)


Step = Callable[[Tensor, State, Any, Tensor | None, Notes], State]


class TappedGates(torch.autograd.Function):
    """x @ weight.T + bias, where everything that the recurrence uses receives its gradient through `receive`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, receive: Any, weight: Tensor, bias: Tensor | None, *_others: Tensor | None) -> Tensor:
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, weight = x.to(dtype), weight.to(dtype)
        ctx.save_for_backward(x, weight)
        ctx.receive, ctx.others = receive, len(_others)
        return functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        ctx.receive(x, gradient)
        back = gradient.to(weight.dtype) @ weight if ctx.needs_input_grad[0] else None
        return back, *[None] * (3 + ctx.others)


def lstm(route: Routing, input: Tensor, hx: Any, params: Any, *settings: Any) -> Any:
    """The rule of `torch.lstm`."""
    if isinstance(hx, Tensor):
        raise _packed_sequence(route, hx, params, *settings)
    output, finals = _layers(route, "lstm", _lstm_step, input, tuple(hx), params, *settings)
    return output, *finals


def gru(route: Routing, input: Tensor, hx: Any, params: Any, *settings: Any) -> Any:
    """The rule of `torch.gru`."""
    return _single(route, "gru", _gru_step, input, hx, params, *settings)


def rnn_tanh(route: Routing, input: Tensor, hx: Any, params: Any, *settings: Any) -> Any:
    """The rule of `torch.rnn_tanh`."""
    return _single(route, "rnn_tanh", _rnn_step(torch.tanh), input, hx, params, *settings)


def rnn_relu(route: Routing, input: Tensor, hx: Any, params: Any, *settings: Any) -> Any:
    """The rule of `torch.rnn_relu`."""
    return _single(route, "rnn_relu", _rnn_step(torch.relu), input, hx, params, *settings)


def lstm_cell(route: Routing, input: Tensor, hx: Any, *weights: Tensor | None) -> Any:
    """The rule of `torch.lstm_cell`."""
    return _cell(route, "lstm_cell", _lstm_step, input, tuple(hx), weights)


def gru_cell(route: Routing, input: Tensor, hx: Tensor, *weights: Tensor | None) -> Any:
    """The rule of `torch.gru_cell`."""
    return _cell(route, "gru_cell", _gru_step, input, (hx,), weights)[0]


def rnn_tanh_cell(route: Routing, input: Tensor, hx: Tensor, *weights: Tensor | None) -> Any:
    """The rule of `torch.rnn_tanh_cell`."""
    return _cell(route, "rnn_tanh_cell", _rnn_step(torch.tanh), input, (hx,), weights)[0]


def rnn_relu_cell(route: Routing, input: Tensor, hx: Tensor, *weights: Tensor | None) -> Any:
    """The rule of `torch.rnn_relu_cell`."""
    return _cell(route, "rnn_relu_cell", _rnn_step(torch.relu), input, (hx,), weights)[0]


def _cell(route: Routing, operation: str, step: Step, input: Tensor, state: State, weights: tuple[Tensor | None, ...]) -> State:
    four = [*weights, *[None] * (4 - len(weights))]  # biases may be left out
    return _direction(route, operation, step, input, state, four, reverse=False)[1]


def _single(route: Routing, operation: str, step: Step, input: Tensor, hx: Any, params: Any, *settings: Any) -> Any:
    if isinstance(params, Tensor):
        raise _packed_sequence(route, hx, params, *settings)
    output, (final,) = _layers(route, operation, step, input, (hx,), params, *settings)
    return output, final


def _packed_sequence(route: Routing, *given: Any) -> UnsupportedModel:
    names = [
        str(route.name(one)) for part in given if isinstance(part, list | tuple) for one in part if route.name(one) is not None
    ]
    return UnsupportedModel(
        f"the recurrent layer of {', '.join(map(repr, names[:1]))} received a packed sequence, in which the steps of all examples are mixed "
        "in one dimension by their lengths. Pass the padded tensor and read each example's output at its own length."
    )


def _refuse_parameters(route: Routing, operation: str, *values: Tensor) -> None:
    for name in filter(None, map(route.name, values)):
        raise UnsupportedModel(
            f"{operation!r} runs over parameter {name!r} itself, in which no dimension is the example. Make one copy for each example by "
            "expand() or repeat()."
        )


def _layers(
    route: Routing,
    operation: str,
    step: Step,
    input: Tensor,
    states: State,
    params: Any,
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, list[Tensor]]:
    """Run every layer and direction; return outputs as torch does and each final state, shape (layers * directions, B, H)."""
    _refuse_parameters(route, operation, input, *states)
    x = input.transpose(0, 1) if batch_first else input
    directions = 2 if bidirectional else 1
    share = len(params) // (num_layers * directions)
    finals: list[State] = []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            number = layer * directions + direction
            weights = list(params[number * share : (number + 1) * share])
            weights[2:2] = [] if has_biases else [None, None]
            start = tuple(one[number] for one in states)
            sequence, final = _direction(route, operation, step, x, start, weights, reverse=bool(direction))
            outputs.append(sequence)
            finals.append(final)
        x = torch.cat(outputs, dim=2) if bidirectional else outputs[0]
        if dropout and layer < num_layers - 1:
            x = functional.dropout(x, dropout, train)
    return x.transpose(0, 1) if batch_first else x, [torch.stack(one) for one in zip(*finals, strict=True)]


def _direction(
    route: Routing, operation: str, step: Step, x: Tensor, state: State, weights: list[Tensor | None], *, reverse: bool
) -> tuple[Tensor, State]:
    """Run one layer in one direction over x, (T, B, d), or one cell over x, (B, d); return all outputs and the final state.

    weights -- of input and state, their two biases, and a projection of h where there is one.
    """
    w_input, w_state, b_input, b_state = weights[:4]
    projection = weights[4] if len(weights) > 4 else None
    if any(one is not None and one.requires_grad and route.name(one) is None for one in (w_input, w_state, b_input, b_state)):
        raise UnsupportedModel(
            f"{operation!r} runs with weights that are computed from the examples, which its rule cannot take apart. Compute them from "
            "parameters alone."
        )
    _refuse_parameters(route, operation, x, *state)
    notes = Notes()
    gates = _gates(route, operation, x, state, (w_input, w_state, b_input, b_state), notes)
    recurrent, bias = (None if one is None else one.detach() for one in (w_state, b_state))
    steps = [gates] if gates.ndim == 2 else list(gates.unbind(0))
    outputs = []
    for gate in reversed(steps) if reverse else steps:
        notes.before.append(state[0].detach())
        state = step(gate, state, recurrent, bias, notes)
        if projection is not None:
            state = (linear(route, state[0], projection), *state[1:])
        outputs.append(state[0])
    if reverse:
        for one in (outputs, notes.before, notes.reset):
            one.reverse()
    return outputs[0] if gates.ndim == 2 else torch.stack(outputs), state


def _gates(route: Routing, operation: str, x: Tensor, state: State, weights: tuple[Tensor | None, ...], notes: Notes) -> Tensor:
    """Return what x adds to the gates, with the input's bias; backward leaves the gradients of all four weights on the tape."""
    w_input, w_state, b_input, b_state = weights
    names = [route.name(one) for one in weights]
    key = (operation, next((name for name in names if name is not None), None), x.ndim)
    if w_input is None or key[1] is None:
        return functional.linear(x, w_input, b_input)  # type: ignore[arg-type]
    if route.trace is not None:
        return _traced_gates(route, key, x, state, w_input, b_input)
    (axis,), _ = route.at(key, (x,))
    if axis is None or axis.dim != x.ndim - 2:
        raise UnsupportedModel(
            f"{operation!r} of {key[1]!r} runs over input whose examples do not lie in its batch dimension, so that they would follow one "
            "another in time. Pass (batch, time, features) with batch_first=True."
        )
    tape = route.tape
    tape.use(*names)

    @unrouted
    def receive(x: Tensor, gradient: Tensor) -> None:
        before = notes.before[0] if x.ndim == 2 else torch.stack(notes.before)
        state_gradient = gradient
        if notes.reset:  # a GRU's new gate sees the state through the reset gate
            reset = notes.reset[0] if x.ndim == 2 else torch.stack(notes.reset)
            width = reset.shape[-1]
            state_gradient = torch.cat([gradient[..., : 2 * width], gradient[..., 2 * width :] * reset], dim=-1)
        from_input, from_state = (axis.positions(one, tape.rows) for one in (gradient, state_gradient))
        if names[0] is not None:
            tape.outer(names[0], from_input, axis.positions(x, tape.rows))
        if names[1] is not None:
            tape.outer(names[1], from_state, axis.positions(before, tape.rows))
        for name, left in zip(names[2:], (from_input, from_state), strict=True):
            if name is not None:
                tape.stored(name, summed(left), "sum")

    return TappedGates.apply(x, receive, w_input, b_input, w_state, b_state)  # type: ignore[no-any-return]


def _traced_gates(route: Routing, key: Any, x: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Run in a trace with the state's values mixed into x, whichever of the two carries the examples; no result is kept."""
    mixed = x + sum(one.detach().sum(dim=-1, keepdim=True) for one in state)

    def plain(operand: Tensor) -> Tensor:
        if operand.shape != mixed.shape:
            raise UnsupportedModel(
                f"{key[0]!r} of {key[1]!r} runs over input and state that no example reaches. Freeze it, or compute it once outside the model."
            )
        return functional.linear(operand, weight, bias)

    return route.traced(key, (mixed,), plain)


def _lstm_step(gate: Tensor, state: State, weight: Tensor, bias: Tensor | None, _notes: Notes) -> State:
    h, c = state
    remembered, forgotten, new, shown = (gate + functional.linear(h, weight, bias)).chunk(4, dim=1)
    c = torch.sigmoid(forgotten) * c + torch.sigmoid(remembered) * torch.tanh(new)
    return torch.sigmoid(shown) * torch.tanh(c), c


def _gru_step(gate: Tensor, state: State, weight: Tensor, bias: Tensor | None, notes: Notes) -> State:
    (h,) = state
    from_input, from_state = gate.chunk(3, dim=1), functional.linear(h, weight, bias).chunk(3, dim=1)
    reset = torch.sigmoid(from_input[0] + from_state[0])
    update = torch.sigmoid(from_input[1] + from_state[1])
    new = torch.tanh(from_input[2] + reset * from_state[2])
    notes.reset.append(reset.detach())
    return (new + update * (h - new),)


def _rnn_step(activation: Callable[[Tensor], Tensor]) -> Step:
    def step(gate: Tensor, state: State, weight: Tensor, bias: Tensor | None, _notes: Notes) -> State:
        return (activation(gate + functional.linear(state[0], weight, bias)),)

    return step
