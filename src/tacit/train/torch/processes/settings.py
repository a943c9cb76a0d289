"""What all processes of one training must have in common, as text that each can compare."""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tacit.train.plan import Plan
from tacit.train.trainer import Checkpoints

_ROWS = 1 << 14  # hashed at a time, so that a data set that is not contiguous is not copied whole


def settings_of(
    model: nn.Module,
    tensors: tuple[Tensor, ...],
    plan: Plan,
    owners: NDArray[np.int64] | None,
    augmentations: int,
    max_physical_batch: int | None,
    checkpoints: Checkpoints | None,
) -> dict[str, str]:
    """Return the settings by the names they go by in an error. Rows count by content: row 7 must be the same person everywhere."""
    shapes = [(name, tuple(one.shape), str(one.dtype), one.requires_grad) for name, one in model.named_parameters()]
    return {
        "the plan": repr(plan),
        "the model's parameters": repr(shapes),
        "the data set": " ".join(_digest(one) for one in tensors),
        "the rows' owners": "none" if owners is None else _digest(torch.from_numpy(np.asarray(owners))),
        "augmentations": repr(augmentations),
        "max_physical_batch": repr(max_physical_batch),
        "whether checkpoints are kept": repr(checkpoints is not None),
    }


def _digest(tensor: Tensor) -> str:
    found = hashlib.sha256(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
    for rows in tensor.detach().split(_ROWS):
        found.update(rows.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()
