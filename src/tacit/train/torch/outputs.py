"""A model's outputs as the engine remembers them: where the loss's graph meets the model, without the numbers.

Logits of a language model are a fifth of a step's memory; the loop lets go of them as soon as its loss is formed, and so do we.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tacit.train.torch.axes import Axis


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """One tensor that the model returned.

    axis     -- where the examples lie in it; None for a tensor of the whole batch, which no row's loss may depend on.
    edge     -- what gradients with respect to it are asked of; None when it carries none.
    stand_in -- a tensor of its shape, zero throughout and in one number's memory, whose gradient is handed on as the output's own.
    """

    axis: Axis | None
    edge: torch.autograd.graph.GradientEdge | None
    stand_in: Tensor
    _counter: Tensor  # shares the output's count of edits, and none of its memory
    _version: int

    @classmethod
    def of(cls, tensor: Tensor, axis: Axis | None) -> "Output":
        counter = tensor.detach()
        counter.data = counter.new_empty(0)
        edge = torch.autograd.graph.get_gradient_edge(tensor) if tensor.requires_grad else None
        return cls(axis, edge, _StandIn.apply(tensor), counter, tensor._version)

    @property
    def edited(self) -> bool:
        """Whether it was edited in place, under whichever name, since the model returned it."""
        return self._counter._version != self._version

    @property
    def end(self) -> tuple[Any, int]:
        """Where it is found in a graph: node and number of the node's output."""
        return (None, 0) if self.edge is None else (self.edge.node, self.edge.output_nr)


class _StandIn(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, tensor: Tensor) -> Tensor:
        return tensor.new_zeros(()).expand(tensor.shape)

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]
