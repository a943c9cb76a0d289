"""Features of an image set: scattering coefficients, as they are or normalized within each image, computed once and kept in a cache folder."""

import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import group_norm

from handcrafted.images import Split, load_images
from handcrafted.scattering import Scattering

_AT_ONCE = 48
"""Images' planes a call: small enough that a plane's 64 second-order maps stay in the processor's cache."""


def load_features(name: str, folder: Path, cache: Path, *, groups: int | None, most: int | None = None) -> Split:
    """Return the set with each image replaced by its features, shape (n, colours * 81, side, side), float16.

    groups -- of channels; each group is shifted and scaled to mean 0 and variance 1 within the image, or none of it. Either way one image
        is looked at at a time, so nothing here depends on another row and nothing is charged (Tramer & Boneh 2021, section 3.1).
    cache  -- a folder outside the project; a file of some 3 GB for the coloured set.
    most   -- only so many images of each part, and no cache.
    """
    file = cache / f"tacit-scattering-{name}-{groups or 'raw'}.pt"
    if most is None and file.exists():
        return Split(**torch.load(file, weights_only=True))
    images = load_images(name, folder)
    print(f"computing the scattering features of {name}", file=sys.stderr)
    split = Split(
        train=_features(images.train[:most], groups),
        train_labels=images.train_labels[:most],
        test=_features(images.test[:most], groups),
        test_labels=images.test_labels[:most],
    )
    if most is None:
        cache.mkdir(parents=True, exist_ok=True)
        torch.save({name: getattr(split, name) for name in Split.__dataclass_fields__}, file)
    return split


def _features(images: Tensor, groups: int | None) -> Tensor:
    colours, size = images.shape[1], images.shape[-1]
    scattering = Scattering(size=size)
    side = size // 2**scattering.scales
    found = []
    for part in images.split(max(1, _AT_ONCE // colours)):
        maps = scattering(part.reshape(-1, size, size)).reshape(len(part), colours * scattering.channels, side, side)
        found.append((maps if groups is None else group_norm(maps, groups, eps=1e-5)).half())
    return torch.cat(found)
