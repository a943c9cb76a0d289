"""A model in a folder of two files: weights.safetensors and model.json. Nothing in them can run.

model.json names the architecture, the classes, the SHA-256 of the weights and the card (what the caller says about the
model: its guarantee, the ledger's head, the encoding of its features). The hash finds damage and mixed-up files; it is no
signature, so a forger can recompute it: what a model claims is checked against the ledger's signed head in its card.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from tacit.errors import ConfigError, DataError, RunError, TacitError
from tacit.models.dense import ACTIVATIONS, DenseNetwork

FORMAT = "tacit-model"
VERSION = 1

WEIGHTS, MODEL = "weights.safetensors", "model.json"
_KEYS = {"format", "version", "architecture", "classes", "weights_sha256", "card"}
_ARCHITECTURE_KEYS = {"kind", "activation", "dtype", "widths"}
_MOST_JSON = 64 << 20  # bytes of model.json
_MOST_WIDTH = 1 << 24  # inputs or outputs of a layer
_MOST_WEIGHTS = 1 << 30  # numbers in all layers together
_MOST_LAYERS = 1_000
_BYTES = {"float32": 4, "float64": 8}
_HEADER_ROOM = 1 << 20  # bytes of a safetensors header for so few tensors


def save_model(folder: str | os.PathLike[str], network: DenseNetwork, card: Mapping[str, Any]) -> Path:
    """Write the network and its card as a new folder, whole or not at all, and return the folder's path.

    folder -- must not exist, or be empty; folders above it are made.
    card   -- plain JSON values; kept as they are. Nothing private belongs in it.
    Raises ConfigError when the folder holds something or the card is not JSON, RunError when the disk refuses.
    """
    from safetensors.numpy import save

    dtype = str(network.weights[0].dtype)
    if any(str(array.dtype) != dtype for array in network.weights):
        raise ConfigError("layers must all be float32 or all float64 to be saved. One type is stored. Convert with .astype.")
    weights = save(_tensors(network))
    widths = [network.inputs, *(int(array.shape[0]) for array in network.weights)]
    model = {
        "format": FORMAT,
        "version": VERSION,
        "architecture": {"kind": "dense", "activation": network.activation, "dtype": dtype, "widths": widths},
        "classes": list(network.classes),
    }
    return write_folder(folder, weights, model, card)


def write_folder(folder: str | os.PathLike[str], weights: bytes, model: Mapping[str, Any], card: Mapping[str, Any]) -> Path:
    """Write weights.safetensors, and model.json with the weights' SHA-256 and the card, as a new folder, whole or not at all.

    model -- the other entries of model.json. Returns the folder's path; raises as save_model.
    """
    target = Path(folder)
    text = _json({**model, "weights_sha256": hashlib.sha256(weights).hexdigest(), "card": dict(card)})
    part = target.parent / f".{target.name}.{secrets.token_hex(8)}.part"
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ConfigError(
                f"{target} exists and is not empty. A saved model is never overwritten. Name a new folder, or delete this one."
            )
        part.mkdir(parents=True)
        _write(part / WEIGHTS, weights)
        _write(part / MODEL, text.encode())
        _sync_folder(part)
        part.rename(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise RunError(
            f"the model cannot be saved in {target}: {error.strerror}. "
            "Nothing was left there. Free space or choose another folder."
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def load_model(folder: str | os.PathLike[str]) -> tuple[DenseNetwork, dict[str, Any]]:
    """Return the network and the card that save_model wrote.

    Only plain JSON and safetensors are opened. Raises DataError when the folder holds any other file, was written by a newer
    version, has unknown or missing keys, sizes out of range, or weights that are not those the model names.
    """
    source = Path(folder)
    try:
        model, weights = _read(source)
    except OSError as error:
        raise DataError(
            f"no model can be read from {source}: {error.strerror}. Name the folder that save_model or `export` wrote."
        ) from None
    if hashlib.sha256(weights).hexdigest() != model["weights_sha256"]:
        _refuse(source, f"{WEIGHTS} is not the file that {MODEL} names (SHA-256 differs)")
    arrays = _arrays(source, weights, model["architecture"])
    layers = range(len(arrays) // 2)
    try:
        network = DenseNetwork(
            weights=tuple(arrays[f"{layer}.weight"] for layer in layers),
            biases=tuple(arrays[f"{layer}.bias"] for layer in layers),
            activation=model["architecture"]["activation"],
            classes=model["classes"],
        )
    except (TacitError, TypeError) as error:
        _refuse(source, f"its parts do not fit together ({error})")
    return network, model["card"]


def _tensors(network: DenseNetwork) -> dict[str, Any]:
    named = {f"{layer}.weight": array for layer, array in enumerate(network.weights)}
    return named | {f"{layer}.bias": array for layer, array in enumerate(network.biases)}


def _json(model: dict[str, Any]) -> str:
    """Return the text of model.json. Raises ConfigError when its card would not come back as it was given."""
    try:
        text = json.dumps(model, indent=2, allow_nan=False)
        same = json.loads(text)["card"] == model["card"]
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        raise ConfigError(
            "the card must be plain JSON values: dicts with text keys, lists, texts, finite numbers, true, false and null. "
            "It would not come back as it was given. Use .to_json() of values, and lists instead of tuples and arrays."
        )
    return text + "\n"


def _write(file: Path, content: bytes) -> None:
    with file.open("xb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse(source: Path, what: str) -> NoReturn:
    raise DataError(
        f"{source} is not a model tacit can trust: {what}. Nothing was loaded. "
        "Copy the folder again from where it was saved, or use the version of tacit that wrote it."
    )


def _read(source: Path) -> tuple[dict[str, Any], bytes]:
    """Return the checked model.json and the bytes of the weights, read once."""
    found = {path.name for path in source.iterdir()}
    if found != {WEIGHTS, MODEL}:
        odd = sorted(found - {WEIGHTS, MODEL}) or sorted({WEIGHTS, MODEL} - found)
        _refuse(source, f"it must hold {WEIGHTS} and {MODEL} and nothing else; see {odd[:3]}")
    if any(not path.is_file() or path.is_symlink() for path in source.iterdir()):
        _refuse(source, "its files must be ordinary files, not links or folders")
    if (source / MODEL).stat().st_size > _MOST_JSON:
        _refuse(source, f"{MODEL} is larger than {_MOST_JSON} bytes")
    model = _checked_model(source, (source / MODEL).read_bytes())
    expected = _count(model["architecture"]["widths"]) * _BYTES[model["architecture"]["dtype"]]
    size = (source / WEIGHTS).stat().st_size
    if not expected < size <= expected + _HEADER_ROOM:
        _refuse(source, f"{WEIGHTS} has {size} bytes, which is not what its architecture needs")
    return model, (source / WEIGHTS).read_bytes()


def _checked_model(source: Path, text: bytes) -> dict[str, Any]:
    try:
        model = json.loads(text.decode(), object_pairs_hook=_no_repeats, parse_constant=_no_constants)
    except (ValueError, RecursionError):
        _refuse(source, f"{MODEL} is not plain JSON")
    if not isinstance(model, dict) or model.get("format") != FORMAT or type(model.get("version")) is not int:
        _refuse(source, f"{MODEL} does not describe one")
    if model["version"] != VERSION:
        age = "newer" if model["version"] > VERSION else "unknown"
        _refuse(source, f"it has the {age} format version {model['version']}, and this tacit reads version {VERSION}")
    if set(model) != _KEYS or not isinstance(model["card"], dict) or not isinstance(model["classes"], list):
        _refuse(source, f"{MODEL} has missing or unknown entries: {sorted(set(model) ^ _KEYS)[:5]}")
    _check_architecture(source, model["architecture"])
    return model


def _check_architecture(source: Path, architecture: Any) -> None:
    if not isinstance(architecture, dict) or set(architecture) != _ARCHITECTURE_KEYS:
        _refuse(source, f"its architecture has missing or unknown entries; it must have {sorted(_ARCHITECTURE_KEYS)}")
    dtype = architecture["dtype"]
    if architecture["kind"] != "dense" or architecture["activation"] not in ACTIVATIONS or dtype not in tuple(_BYTES):
        _refuse(source, "its architecture is of a kind, activation or type this tacit does not know")
    widths = architecture["widths"]
    if (
        not isinstance(widths, list)
        or not 2 <= len(widths) <= _MOST_LAYERS
        or not all(type(width) is int and 1 <= width <= _MOST_WIDTH for width in widths)
        or _count(widths) > _MOST_WEIGHTS
    ):
        _refuse(source, "its layers have sizes out of range")


def _count(widths: list[int]) -> int:
    """Number of weights and biases of layers between these widths."""
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths))


def _arrays(source: Path, weights: bytes, architecture: dict[str, Any]) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(weights)
    except (SafetensorError, KeyError, TypeError, ValueError):
        _refuse(source, f"{WEIGHTS} is not a safetensors file")
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (inputs, outputs) in enumerate(pairwise(architecture["widths"])):
        shapes[f"{layer}.weight"], shapes[f"{layer}.bias"] = (outputs, inputs), (outputs,)
    if {name: array.shape for name, array in arrays.items()} != shapes:
        _refuse(source, f"{WEIGHTS} holds other arrays than its architecture names")
    if any(str(array.dtype) != architecture["dtype"] for array in arrays.values()):
        _refuse(source, f"{WEIGHTS} holds numbers of another type than its architecture names")
    return arrays


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key is given twice")
    return values


def _no_constants(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
