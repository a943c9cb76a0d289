"""Normal noise as torch tensors. The one file of this package that needs torch."""

import math
from typing import TYPE_CHECKING

from tacit.errors import MissingExtra
from tacit.noise.source import Source

if TYPE_CHECKING:
    import torch


def normal(source: Source, shape: tuple[int, ...], dtype: "torch.dtype | None" = None) -> "torch.Tensor":
    """Return a CPU tensor of independent N(0, 1) values from the source.

    dtype -- float64 (default) shares the drawn memory without a copy; any other is rounded from it.
    For initial weights, canaries and simulations: noise that is released stays on the grid (see tacit.noise.grid).
    Raises MissingExtra when torch is not installed.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtra("noise as a tensor needs torch, which is not installed. Run: pip install 'tacit[torch]'") from None
    values = torch.from_numpy(source.normal(math.prod(shape), by="torch")).reshape(shape)
    return values if dtype is None else values.to(dtype)
