"""Checkpoints: a training's secret state, encrypted (AES-256-GCM) and readable by its owner alone.

A checkpoint shows which intermediate models existed; only an exported network is meant to leave the custodian.
"""

import os
from pathlib import Path

import torch
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn

from tacit.errors import RunError
from tacit.privacy.ledger import durable

_NONCE = 12  # bytes, fresh for every file (NIST SP 800-38D, 8.2.2)


def save(path: Path, key: bytes, request_id: str, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write model, optimizer and step, durably and all at once; a kill leaves the old checkpoint or the new one."""
    tensors: dict[str, Tensor] = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{number}.{name}"] = value.contiguous()
    tensors["step"] = torch.tensor(step)
    nonce = os.urandom(_NONCE)
    sealed = nonce + AESGCM(key).encrypt(nonce, tensors_to_bytes(tensors), request_id.encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, sealed)


def load(path: Path, key: bytes, request_id: str, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Restore model and optimizer and return the number of steps they have seen.

    Raises RunError when the file was altered, or belongs to another run or key.
    """
    sealed = path.read_bytes()
    try:
        tensors = tensors_from_bytes(AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], request_id.encode()))
    except (InvalidTag, ValueError):
        raise RunError(
            f"{path} cannot be opened: it was altered, or belongs to another run or key. "
            "What it paid for stays spent. Delete it to start a new training, which needs a budget of its own."
        ) from None
    step = int(tensors.pop("step"))
    model.load_state_dict({name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")})
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, key_name = name.split(".", 2)
            state.setdefault(int(number), {})[key_name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return step
