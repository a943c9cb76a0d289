"""From a declared shape to a torch model and back to a network that needs no torch."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from tacit.models.dense import DenseNetwork

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
}


def build(inputs: int, hidden: Sequence[int], outputs: int, activation: str = "tanh") -> nn.Sequential:
    """Return a linear model (no hidden layer) or an MLP. The linear model starts at zero, so it needs no randomness."""
    sizes = [inputs, *hidden, outputs]
    layers: list[nn.Module] = []
    for number, (wide, narrow) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(wide, narrow))
        if number < len(hidden):
            layers.append(_ACTIVATIONS[activation]())
    if not hidden:
        for parameter in layers[0].parameters():
            nn.init.zeros_(parameter)
    return nn.Sequential(*layers)


def cross_entropies(model: nn.Module, rows: Tensor, labels: Tensor) -> Tensor:
    """Return each row's loss, shape (B,), for rows of shape (B, d) and class numbers of shape (B,)."""
    return nn.functional.cross_entropy(model(rows), labels, reduction="none")


def export(model: nn.Sequential, classes: Sequence[str], activation: str = "tanh") -> DenseNetwork:
    """Return the trained model as NumPy arrays: what may be saved, loaded and asked without torch."""
    layers = [module for module in model if isinstance(module, nn.Linear)]
    with torch.no_grad():
        return DenseNetwork(
            weights=tuple(layer.weight.detach().cpu().numpy().copy() for layer in layers),
            biases=tuple(layer.bias.detach().cpu().numpy().copy() for layer in layers),
            activation=activation,
            classes=tuple(classes),
        )
