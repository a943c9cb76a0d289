"""The least a plain step can do: operations of its products, and bytes that must pass through memory once."""

from typing import Any

import torch
from torch import Tensor, nn

from peers.models import GPT, Spec


def floor(spec: Spec) -> tuple[float, float]:
    """Return (operations, bytes) of one plain step of spec.batch rows in float32.

    Operations: 6BTpd for a layer with T positions, d inputs and p outputs (2BTpd each for the output, the input's gradient
    and the weight's), 4BTpd where the input is the data; 6BT^2 d for causal attention (half of every square).
    Bytes: every layer's output is written once and read twice (the next layer, the backward pass) and its gradient written
    and read once; every parameter is read by both passes and by the update, its gradient written and read, itself written.
    """
    torch.manual_seed(0)
    model, (x, _) = spec.make(), spec.rows(2)
    operations, values = 0.0, 0.0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        nonlocal operations, values
        values += output.numel() / len(x)
        weight = getattr(layer, "weight", None)
        if isinstance(layer, nn.Linear | nn.Conv2d) and weight is not None:
            positions = output.numel() / len(x) / len(weight)
            operations += (6 if inputs[0].requires_grad else 4) * positions * weight.numel()

    leaves = [layer for layer in model.modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(count) for layer in leaves]
    model(x)
    for handle in handles:
        handle.remove()
    if isinstance(model, GPT):
        width, length = model.token.embedding_dim, x.shape[1]
        operations += len(model.blocks) * 6 * length**2 * width
    parameters = sum(p.numel() for p in model.parameters())
    return spec.batch * operations, 4 * (5 * spec.batch * values + 6 * parameters)
