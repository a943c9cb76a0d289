"""Memory that is used again: what is taken anew each step is paid for page by page."""

import math

import torch
from torch import Tensor


class Scratch:
    """Named buffers, used again by the next chunk and the next step: memory taken anew is paid for page by page."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return a tensor of this shape with like's dtype and device; it holds anything, and the next `take` of the name reuses it."""
        key, numbers = (name, like.dtype, like.device), math.prod(shape)
        if key not in self._buffers or self._buffers[key].numel() < numbers:
            self._buffers[key] = torch.empty(numbers, dtype=like.dtype, device=like.device)
        return self._buffers[key][:numbers].view(shape)
