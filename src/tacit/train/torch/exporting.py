"""What leaves the custodian of a trained torch model, and what comes in from public pretraining: weights as data, never as code.

A folder of two files, as for tacit.models.save_model: weights.safetensors and model.json. Only the model's state is in it: no optimizer,
no sampler, no noise.
"""

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn

from tacit.errors import ConfigError, DataError
from tacit.models.finding import Basis, Finding
from tacit.models.storage import MODEL, WEIGHTS, write_folder

FORMAT, VERSION = "tacit-torch-weights", 1


def export(model: nn.Module, folder: str | os.PathLike[str], *, card: Mapping[str, Any]) -> Path:
    """Write the releasable model as a new folder, whole or not at all, and return the folder's path.

    model  -- what PrivateTraining.finish or fit returned. Frozen weights are in it, too.
    folder -- must not exist, or be empty.
    card   -- plain JSON values, kept as they are: the guarantee, the ledger's head, where pretraining came from. Nothing private.
    Weights that the model ties are written once. Raises ConfigError when the folder holds something, or the card or the model's
    state is of a kind that cannot be stored; RunError when the disk refuses.
    """
    tensors, tied = _once(model)
    return write_folder(folder, tensors_to_bytes(tensors), {"format": FORMAT, "version": VERSION, "tied": tied}, card)


def load_exported(model: nn.Module, folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Give a plain model, built as the exported one was, the weights that `export` wrote, and return the card.

    Raises DataError when the folder does not hold them, or holds another model's; the model is then as it was.
    """
    source = Path(folder)
    try:
        content, weights = json.loads((source / MODEL).read_bytes()), (source / WEIGHTS).read_bytes()
        tied, digest, card = content["tied"], content["weights_sha256"], content["card"]
        right = (content["format"], content["version"]) == (FORMAT, VERSION)
        tensors = tensors_from_bytes(weights)
        tensors |= {name: tensors[first] for name, first in tied.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        _refuse(source, "it does not hold what `export` writes")
    if not right or hashlib.sha256(weights).hexdigest() != digest:
        _refuse(source, f"{WEIGHTS} is not the file that {MODEL} names, or of another version")
    _give(model, tensors, source, fresh=())
    return dict(card)


def load_public_weights(model: nn.Module, file: str | os.PathLike[str], *, source: str, fresh: Collection[str] = ()) -> Finding:
    """Start a fine-tuning from a safetensors file, and return what a report must say of it.

    source -- where the weights come from and on what they were trained. The guarantee holds for the rows of the private training alone:
              whoever states this states that none of them was in the pretraining.
    fresh  -- patterns of names (as in a shell) that the file need not hold, such as a new head: "classifier.*". All else must be there.
    Raises ConfigError without a source; DataError when the file cannot be read or does not fit the model, which is then as it was.
    """
    if not source.strip():
        raise ConfigError(
            "the source of public weights is empty. What a model saw before bears on every claim about its privacy: name the weights and "
            'their training data, for example "gpt2, WebText, 2019".'
        )
    path = Path(file)
    try:
        content = path.read_bytes()
        tensors = tensors_from_bytes(content)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        raise DataError(
            f"{path} is not a readable safetensors file. Other formats can run code when they are loaded, so they are not: convert it first."
        ) from None
    started = _give(model, tensors, path, fresh=fresh)
    return Finding(
        kind="pretraining",
        name="public pretraining",
        value=source.strip(),
        basis=Basis.PUBLIC,
        method="weights given by the user before private training",
        assumption="no row of the private training was part of the pretraining, which is the user's word",
        details={"sha256": hashlib.sha256(content).hexdigest(), "tensors": len(tensors), "started_anew": started},
    )


def _once(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the state's tensors, each memory once, and for every further name of one the first."""
    tensors: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    first: dict[tuple[Any, ...], str] = {}
    for name, value in model.state_dict().items():
        if not isinstance(value, Tensor):
            raise ConfigError(
                f"the model's state holds {name!r}, a {type(value).__name__}; only tensors are exported. Leave it out of it."
            )
        place = _place(value)
        if place in first:
            tied[name] = first[place]
        else:
            first[place] = name
            tensors[name] = value.detach().cpu().contiguous().clone()
    return tensors, tied


def _give(model: nn.Module, tensors: dict[str, Tensor], source: Path, *, fresh: Collection[str]) -> list[str]:
    """Load the tensors and return the names that the file lacked; a model that does not fit stays as it was."""
    own = model.state_dict()
    present = {_place(own[name]) for name in tensors if name in own}
    missing = [name for name, value in own.items() if name not in tensors and _place(value) not in present]
    unexpected = sorted(set(tensors) - set(own))
    wrong = [name for name in sorted(set(tensors) & set(own)) if tensors[name].shape != own[name].shape]
    refused = [name for name in missing if not any(fnmatch(name, pattern) for pattern in fresh)]
    wrong = [name for name in wrong if not any(fnmatch(name, pattern) for pattern in fresh)]
    if refused or unexpected or wrong:
        _refuse(
            source,
            f"against the model, tensors are missing {refused[:3]}, unknown {unexpected[:3]} or of another shape {wrong[:3]}",
        )
    with torch.no_grad():
        for name, value in tensors.items():
            if own[name].shape == value.shape:
                own[name].copy_(value)
            else:
                missing.append(name)
    return missing


def _place(value: Tensor) -> tuple[Any, ...]:
    """Return what two names of one tensor share, and no two tensors do."""
    return (value.data_ptr(), value.shape, value.stride(), value.dtype) if value.numel() else (id(value),)


def _refuse(source: Path, what: str) -> NoReturn:
    raise DataError(
        f"{source} does not fit: {what}. The model was left as it was. Build it as the saved one was, or name the right file."
    )
