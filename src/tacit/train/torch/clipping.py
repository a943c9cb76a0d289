"""From squared norms to clip factors: what each mode of clipping in tacit.train.clipping means for a micro-batch."""

from collections.abc import Mapping

import torch
from torch import Tensor

from tacit.noise.grid import clip_target
from tacit.train.clipping import AdaptiveClipping, Clipping, PerLayerClipping
from tacit.train.torch.records import SLACK, Clip


def clips(
    clipping: Clipping, clip_norm: float, squared: Mapping[str, Tensor], keep: Tensor, layers: list[str]
) -> tuple[dict[str, Clip], Tensor]:
    """Return how each parameter's gradients are scaled, and the length of every unit's whole gradient, shape (B,), float64.

    clip_norm -- the present one; squared -- squared norms of shape (B,) by parameter; keep -- real units;
    layers    -- names of all layers with trained parameters: each has its share of the clip norm, whatever took part here.
    A unit whose gradient is not finite is selected away everywhere; its length is infinite.
    """
    total = torch.stack(list(squared.values())).sum(dim=0)
    kept = keep & torch.isfinite(total)
    lengths = torch.where(torch.isfinite(total), total, torch.inf).sqrt()
    if isinstance(clipping, PerLayerClipping):
        return _per_layer(clipping, squared, kept, layers), lengths
    target, numbers = clip_target(clip_norm), lengths.cpu().numpy()
    found = (
        clipping.factors(numbers, clip_norm=clip_norm) if isinstance(clipping, AdaptiveClipping) else clipping.factors(numbers)
    )
    factors = torch.from_numpy(found).to(lengths.device)
    clip = Clip(_single(factors), kept, allowed=target * SLACK / len(squared) ** 0.5)
    return dict.fromkeys(squared, clip), lengths


def _per_layer(clipping: PerLayerClipping, squared: Mapping[str, Tensor], kept: Tensor, layers: list[str]) -> dict[str, Clip]:
    found: dict[str, Clip] = {}
    for layer, clip_norm in clipping.split(layers).items():
        mine = [name for name in squared if layer_of(name) == layer]
        if not mine:
            continue
        target = clip_target(clip_norm)
        length = torch.stack([squared[name] for name in mine]).sum(dim=0).sqrt()
        factors = torch.from_numpy(clipping.factors(length.cpu().numpy(), layers=len(layers))).to(length.device)
        found |= dict.fromkeys(mine, Clip(_single(factors), kept, allowed=target * SLACK / len(mine) ** 0.5))
    return found


def _single(factors: Tensor) -> Tensor:
    """Return factors in float32, rounded by at most 2^-24 of themselves: smaller ones than it holds so well become 0."""
    return torch.where(factors < 2.0**-126, 0.0, factors.clamp(max=2.0**100)).float()


def layer_of(parameter: str) -> str:
    """Return the layer of a parameter: the module that holds it."""
    return parameter.rpartition(".")[0] or parameter
