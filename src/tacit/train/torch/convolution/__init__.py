"""Per-example weight gradients of convolutions: stored vectors, squared norms, clipped sums, and what each costs."""

from tacit.train.torch.convolution.cost import Cost, Method, choose, plan
from tacit.train.torch.convolution.folding import foldable, folded
from tacit.train.torch.convolution.geometry import Convolution, per_example_bias
from tacit.train.torch.convolution.gram import gram_squared_norms
from tacit.train.torch.convolution.vectors import (
    per_example_gradients,
    stored_squared_norms,
    stored_vectors,
    weighted_blocks,
    weighted_sum,
)

__all__ = [
    "Convolution",
    "Cost",
    "Method",
    "choose",
    "foldable",
    "folded",
    "gram_squared_norms",
    "per_example_bias",
    "per_example_gradients",
    "plan",
    "stored_squared_norms",
    "stored_vectors",
    "weighted_blocks",
    "weighted_sum",
]
