"""Activations with trainable slopes."""

from typing import Any

import torch
from torch import Tensor

from tacit.train.torch.routing import Routing
from tacit.train.torch.rules.elementwise import times


def prelu(route: Routing, input: Tensor, weight: Tensor) -> Any:
    """The rule of `torch.nn.functional.prelu`: one slope for negative values, or one for each channel, dimension 1."""
    if route.name(weight) is None or route.name(input) is not None:
        return NotImplemented
    channels = weight.numel() > 1 and input.ndim > 2
    negative = input.clamp(max=0)
    scaled = times(route, negative.movedim(1, -1) if channels else negative, weight)
    return torch.relu(input) + (scaled.movedim(-1, 1) if channels else scaled)
