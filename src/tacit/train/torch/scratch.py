"""Memory that is used again: what is taken anew each step is paid for page by page."""

import math

import torch
from torch import Tensor

_KEPT = (32 << 20) - (1 << 16)


def keep_freed_memory() -> None:
    """Have glibc keep freed memory for the next step instead of returning it page by page; changes nothing elsewhere.

    A block of nearly 32 MiB, taken and given back untouched, raises its thresholds to that for good, as any such tensor of the user's
    would (mallopt(3), M_MMAP_THRESHOLD, "dynamic"). Without it a step of 10 MB of records takes thousands of pages anew.
    """
    torch.empty(_KEPT, dtype=torch.uint8)


class Scratch:
    """Named buffers, used again by the next chunk and the next step: memory taken anew is paid for page by page."""

    def __init__(self) -> None:
        keep_freed_memory()
        self._buffers: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return a tensor of this shape with like's dtype and device; it holds anything, and the next `take` of the name reuses it."""
        key, numbers = (name, like.dtype, like.device), math.prod(shape)
        if key not in self._buffers or self._buffers[key].numel() < numbers:
            self._buffers[key] = torch.empty(numbers, dtype=like.dtype, device=like.device)
        return self._buffers[key][:numbers].view(shape)
