"""Embedding bags: the embedding's own rule, then a sum, mean or maximum over each example's bag."""

import math
from typing import Any

import torch
from torch import Tensor

from tacit.errors import UnsupportedModel
from tacit.train.torch.routing import Routing
from tacit.train.torch.rules.embedding import embedding


def embedding_bag(
    route: Routing,
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """The rule of `torch.nn.functional.embedding_bag` for bags of one size, input of shape (B, n), padded with padding_idx.

    Raises UnsupportedModel for one flat input with offsets, in which no axis is the example.
    """
    name = route.name(weight)
    if name is None or route.name(per_sample_weights) is not None or mode not in ("sum", "mean", "max"):
        return NotImplemented
    if offsets is not None or input.ndim != 2:
        raise UnsupportedModel(
            f"the embedding bag {name!r} received one flat list of tokens and offsets, in which no dimension is the example. Pass tokens "
            "of shape (batch, tokens), padded with padding_idx."
        )
    rows = embedding(route, input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    present = None if padding_idx is None else (input != padding_idx % len(weight)).unsqueeze(-1)
    if mode == "max":
        return _largest(rows, present)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    if present is None:
        return rows.sum(dim=1) if mode == "sum" else rows.mean(dim=1)
    total = torch.where(present, rows, 0.0).sum(dim=1)
    return total if mode == "sum" else total / present.sum(dim=1).clamp(min=1)


def _largest(rows: Tensor, present: Tensor | None) -> Tensor:
    """Return the largest of each bag; zero for a bag of padding alone."""
    if present is None:
        return rows.max(dim=1).values
    found = torch.where(present, rows, -math.inf).max(dim=1).values
    return torch.where(present.any(dim=1), found, 0.0)
