"""The three image sets, from the folder of real data, as the published table takes them."""

import gzip
import io
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_CIFAR_MEAN, _CIFAR_SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, a public source: nothing here is taken from the private rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Rows to train on and rows to measure on.

    train, test -- shape (n, ...); *_labels -- shape (n,), int64, from 0 to 9.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


def load_images(name: str, folder: Path) -> Split:
    """Return the set's images, shape (n, colours, size, size), float32: grey ones in [0, 1], coloured ones standardized by ImageNet.

    name -- "mnist", "fashion-mnist" or "cifar10"; folder -- the one that holds a folder of that name.
    """
    return _cifar(folder / name) if name == "cifar10" else _idx(folder / name)


def _idx(folder: Path) -> Split:
    def pixels(part: str) -> Tensor:
        data = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
        return torch.from_numpy(np.frombuffer(data, np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32) / 255)

    def labels(part: str) -> Tensor:
        data = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
        return torch.from_numpy(np.frombuffer(data, np.uint8, offset=8).astype(np.int64))

    return Split(train=pixels("train"), train_labels=labels("train"), test=pixels("t10k"), test_labels=labels("t10k"))


def _cifar(folder: Path) -> Split:
    from PIL import Image

    with np.load(folder / "cifar10_webp.npz") as packed:
        blob, offsets, labels = packed["blob"].tobytes(), packed["offsets"], packed["labels"].astype(np.int64)
    strips = (Image.open(io.BytesIO(blob[a:b])).convert("RGB") for a, b in itertools.pairwise(offsets))
    pixels = np.concatenate([np.asarray(strip).reshape(-1, 32, 32, 3) for strip in strips])
    colours = torch.from_numpy(pixels).float().div_(255).sub_(torch.tensor(_CIFAR_MEAN)).div_(torch.tensor(_CIFAR_SD))
    images = colours.permute(0, 3, 1, 2).contiguous()
    targets = torch.from_numpy(labels)
    return Split(train=images[:50_000], train_labels=targets[:50_000], test=images[50_000:], test_labels=targets[50_000:])
