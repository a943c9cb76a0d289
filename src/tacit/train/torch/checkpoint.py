"""Checkpoints: a training's secret state, encrypted and readable by its owner alone.

A checkpoint shows which intermediate models existed, who was in a batch and what the noise will be; only an exported model is meant to
leave the custodian. Inside: the shape of the state as JSON, its tensors as safetensors. Nothing in it can run.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from tacit.errors import ConfigError, RunError
from tacit.privacy.ledger import durable
from tacit.train.sealing import opened, sealed

State = dict[str, Any]

_LENGTH = 8  # bytes that hold the length of the JSON
_TEMPORARY = ".{name}.{random}"  # what durable.replace leaves beside the file when it is killed


def save(path: Path, key: bytes, request_id: str, state: State) -> None:
    """Write the state, durably and all at once: a kill leaves the old checkpoint or the new one.

    state -- by part: dicts, lists, tuples, texts, numbers, None, tensors and arrays, nested as one likes.
    Raises ConfigError when it holds anything else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, sealed(packed(state), key, request_id))


def load(path: Path, key: bytes, request_id: str) -> State:
    """Return the state, tensors on the CPU, and remove what a kill in mid-write left beside it.

    Raises RunError when the file was altered, or belongs to another run or key.
    """
    for left in path.parent.glob(_TEMPORARY.format(name=path.name, random="[0-9a-f]" * 16)):
        left.unlink(missing_ok=True)
    plain = opened(path.read_bytes(), key, request_id)
    try:
        state = None if plain is None else unpacked(plain)
    except (ValueError, KeyError, TypeError, SafetensorError):
        state = None
    if state is None:
        raise RunError(
            f"{path} cannot be opened: it was altered, or belongs to another run or key. "
            "What it paid for stays spent. Delete it to start a new training, which needs a budget of its own."
        )
    return state


def packed(state: State) -> bytes:
    """Return the state as bytes. Raises ConfigError when it holds what neither JSON nor a tensor can."""
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_shape("state", state, tensors)).encode()
    return len(text).to_bytes(_LENGTH, "little") + text + tensors_to_bytes(tensors)


def unpacked(content: bytes) -> State:
    """Return what `packed` was given."""
    end = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    found: State = _filled(json.loads(content[_LENGTH:end]), tensors_from_bytes(content[end:]))
    return found


def _shape(place: str, value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return the value as JSON, its tensors put aside under numbers."""
    match value:
        case None | bool() | str():
            return value
        case Tensor() | np.ndarray():
            kind = "tensor" if isinstance(value, Tensor) else "array"
            own = (
                value.detach()
                if isinstance(value, Tensor)
                else torch.from_numpy(np.ascontiguousarray(value).reshape(value.shape))
            )
            tensors[str(len(tensors))] = own.cpu().contiguous().clone()  # a copy: parameters may share memory
            return {kind: str(len(tensors) - 1)}
        case dict() if all(type(key) in (str, int) for key in value):
            return {"dict": [[key, _shape(f"{place}[{key!r}]", one, tensors)] for key, one in value.items()]}
        case list() | tuple():
            return {type(value).__name__: [_shape(f"{place}[{number}]", one, tensors) for number, one in enumerate(value)]}
        case _ if type(value) in (int, float):
            return value
    raise ConfigError(
        f"{place} is of type {type(value).__name__}, which a checkpoint cannot hold: it keeps numbers, texts, tensors, arrays, None, and "
        "lists, tuples and dicts of them, so that nothing in it can run. Give what you keep a state_dict of those."
    )


def _filled(shape: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(shape, dict):
        return shape
    ((kind, content),) = shape.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "array":
            return tensors[content].numpy()
        case "dict":
            return {key: _filled(one, tensors) for key, one in content}
    found = [_filled(one, tensors) for one in content]
    return tuple(found) if kind == "tuple" else found
