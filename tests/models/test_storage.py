"""A saved model comes back as it was; anything else is refused, and nothing in it can run."""

import errno
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

import tacit.models.storage as storage
from tacit.errors import ConfigError, DataError, RunError
from tacit.models import DenseNetwork, load_model, save_model

CARD = {"guarantee": {"epsilon": 3.0, "delta": 1e-5}, "head": {"count": 4, "hash": "ab"}, "features": ["age", "ü"], "none": None}


def _network(dtype: Any = np.float32) -> DenseNetwork:
    rng = np.random.default_rng(0)
    return DenseNetwork(
        weights=(rng.standard_normal((4, 3)).astype(dtype), rng.standard_normal((2, 4)).astype(dtype)),
        biases=(np.zeros(4, dtype), np.ones(2, dtype)),
        activation="gelu",
        classes=("no", "ja, über"),
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_model(tmp_path / "model", _network(), CARD)


def _change(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Alter model.json, the rest staying valid."""
    model = json.loads((folder / "model.json").read_text())
    change(model)
    (folder / "model.json").write_text(json.dumps(model))


def _replace_weights(folder: Path, content: bytes) -> None:
    """Put other weights with a matching hash, as a forger would."""
    (folder / "weights.safetensors").write_bytes(content)
    _change(folder, lambda model: model.update(weights_sha256=hashlib.sha256(content).hexdigest()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_model_comes_back_bit_by_bit(tmp_path: Path, dtype: Any) -> None:
    network = _network(dtype)
    save_model(str(tmp_path / "a" / "b"), network, CARD)
    loaded, card = load_model(str(tmp_path / "a" / "b"))
    assert card == CARD
    assert loaded.classes == network.classes
    assert loaded.activation == network.activation
    for one, other in zip((*network.weights, *network.biases), (*loaded.weights, *loaded.biases), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    assert sorted(os.listdir(tmp_path / "a" / "b")) == ["model.json", "weights.safetensors"]


def test_a_folder_that_holds_something_is_never_overwritten(saved: Path) -> None:
    before = (saved / "model.json").read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        save_model(saved, _network(), {})
    with pytest.raises(ConfigError, match="never overwritten"):
        save_model(saved / "model.json", _network(), {})
    assert (saved / "model.json").read_bytes() == before
    (saved.parent / "empty").mkdir()
    load_model(save_model(saved.parent / "empty", _network(), {}))


@pytest.mark.parametrize("call", ["_write", "_sync_folder"])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage, call, full)
    with pytest.raises(RunError, match="No space left on device"):
        save_model(tmp_path / "model", _network(), CARD)
    assert os.listdir(tmp_path) == []


def test_an_interrupted_save_leaves_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_sync_folder", lambda folder: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save_model(tmp_path / "model", _network(), CARD)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("card", [{"x": float("nan")}, {"x": np.zeros(2)}, {1: "a"}, {"x": (1, 2)}, {"x": b"y"}])
def test_a_card_that_would_not_come_back_is_refused(tmp_path: Path, card: dict[Any, Any]) -> None:
    with pytest.raises(ConfigError, match="plain JSON values"):
        save_model(tmp_path / "model", _network(), card)
    assert os.listdir(tmp_path) == []


def test_layers_of_two_types_are_refused(tmp_path: Path) -> None:
    one, other = _network(np.float32), _network(np.float64)
    mixed = DenseNetwork(
        weights=(one.weights[0], other.weights[1]),
        biases=(one.biases[0], other.biases[1]),
        activation="relu",
        classes=one.classes,
    )
    with pytest.raises(ConfigError, match="all be float32 or all float64"):
        save_model(tmp_path / "model", mixed, {})


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.update(version=2),
        lambda model: model.update(version="1"),
        lambda model: model.update(version=True),
        lambda model: model.update(format="other"),
        lambda model: model.update(extra=1),
        lambda model: model.pop("card"),
        lambda model: model.update(card=[]),
        lambda model: model.update(classes="ab"),
        lambda model: model.update(classes=["a"]),
        lambda model: model.update(classes=["a", "b", "c"]),
        lambda model: model.update(classes=[["a"], {}]),
        lambda model: model.update(weights_sha256="0" * 64),
        lambda model: model.update(weights_sha256=None),
        lambda model: model.update(architecture=[]),
        lambda model: model["architecture"].update(kind="pickle"),
        lambda model: model["architecture"].update(activation="exec"),
        lambda model: model["architecture"].update(activation=["relu"]),
        lambda model: model["architecture"].update(dtype="object"),
        lambda model: model["architecture"].update(dtype=["float32"]),
        lambda model: model["architecture"].update(dtype="float64"),
        lambda model: model["architecture"].update(extra=1),
        lambda model: model["architecture"].pop("dtype"),
        lambda model: model["architecture"].update(widths=[3, 4]),
        lambda model: model["architecture"].update(widths=[4, 3, 2]),
        lambda model: model["architecture"].update(widths=[3]),
        lambda model: model["architecture"].update(widths=[3, -4, 2]),
        lambda model: model["architecture"].update(widths=[3, 4.0, 2]),
        lambda model: model["architecture"].update(widths=[True, 4, 2]),
        lambda model: model["architecture"].update(widths=[10**9, 4, 2]),
        lambda model: model["architecture"].update(widths=[1] * 5000),
        lambda model: model["architecture"].update(widths=3),
    ],
)
def test_an_altered_description_is_refused(saved: Path, change: Callable[[dict[str, Any]], object]) -> None:
    load_model(saved)
    _change(saved, change)
    with pytest.raises(DataError):
        load_model(saved)


def test_absurd_sizes_are_refused_before_the_weights_are_looked_at(saved: Path) -> None:
    for widths in ([1 << 20, 1 << 20, 2], [1 << 25, 2], [1] * 5000):
        _change(saved, lambda model, widths=widths: model["architecture"].update(widths=widths))  # type: ignore[misc]
        with pytest.raises(DataError, match="sizes out of range"):
            load_model(saved)


def test_an_entry_given_twice_is_refused(saved: Path) -> None:
    text = (saved / "model.json").read_text()
    (saved / "model.json").write_text(text.replace('"card": {', '"card": {}, "card": {', 1))
    with pytest.raises(DataError, match="not plain JSON"):
        load_model(saved)


def test_a_newer_format_is_named(saved: Path) -> None:
    _change(saved, lambda model: model.update(version=9))
    with pytest.raises(DataError, match="newer format version 9"):
        load_model(saved)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b"\xff", b"NaN", b"[" * 100_000, b'{"format": "tacit-model", "format": "tacit-model"}']
)
def test_a_description_that_is_not_plain_json_is_refused(saved: Path, text: bytes) -> None:
    (saved / "model.json").write_bytes(text)
    with pytest.raises(DataError):
        load_model(saved)


def test_every_single_changed_byte_of_the_weights_is_noticed(saved: Path) -> None:
    weights = (saved / "weights.safetensors").read_bytes()
    for at in range(0, len(weights), 7):
        (saved / "weights.safetensors").write_bytes(weights[:at] + bytes([weights[at] ^ 1]) + weights[at + 1 :])
        with pytest.raises(DataError, match="SHA-256 differs"):
            load_model(saved)


@pytest.mark.parametrize(
    "arrays",
    [
        {"0.weight": np.ones((4, 3), np.float32)},
        {"0.weight": np.ones((3, 4), np.float32), "0.bias": np.ones(4, np.float32)},
        {"0.weight": np.ones((4, 3), np.float32), "0.bias": np.ones(4, np.float32), "more": np.ones(10, np.float32)},
    ],
)
def test_weights_of_another_shape_are_refused_though_their_hash_matches(saved: Path, arrays: dict[str, Any]) -> None:
    _replace_weights(saved, save(arrays))
    with pytest.raises(DataError):
        load_model(saved)


def test_weights_that_are_not_finite_are_refused(saved: Path) -> None:
    arrays = {"0.weight": np.ones((4, 3)), "0.bias": np.ones(4), "1.weight": np.ones((2, 4)), "1.bias": np.array([1, np.inf])}
    _replace_weights(saved, save({name: array.astype(np.float32) for name, array in arrays.items()}))
    with pytest.raises(DataError, match="NaN or infinity"):
        load_model(saved)


def test_an_absurdly_large_weights_file_is_refused_before_it_is_read(saved: Path) -> None:
    with (saved / "weights.safetensors").open("r+b") as handle:
        handle.truncate(1 << 40)  # sparse
    with pytest.raises(DataError, match="not what its architecture needs"):
        load_model(saved)


def test_any_other_file_a_missing_one_a_link_and_no_folder_are_refused(saved: Path, tmp_path: Path) -> None:
    for odd in ("model.pkl", "notes.txt", "weights.pt"):
        (saved / odd).write_bytes(b"x")
        with pytest.raises(DataError, match=rf"nothing else; see \['{odd}'\]"):
            load_model(saved)
        (saved / odd).unlink()
    (saved / "weights.safetensors").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"see \['weights.safetensors'\]"):
        load_model(saved)
    (saved / "weights.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="ordinary files"):
        load_model(saved)
    for nowhere in (tmp_path / "nowhere", tmp_path / "elsewhere"):
        with pytest.raises(DataError, match="no model can be read"):
            load_model(nowhere)


_WATCH = """
import sys
opened = []
def hook(event, args):
    if event in ("pickle.find_class", "marshal.loads", "os.system", "exec") and watching:
        opened.append(event)
watching = False
sys.addaudithook(hook)
from tacit.errors import DataError
from tacit.models import load_model
import safetensors.numpy
watching = True
for folder in sys.argv[2:]:
    try:
        load_model(folder)
        print("loaded")
    except DataError:
        print("refused")
if sys.argv[1] == "planted":
    import pickle
    pickle.loads(open(sys.argv[2] + "/weights.safetensors", "rb").read())
watching = False
print(sorted(set(opened)))
"""


class Payload:
    """Runs a command when unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("true",)


def test_loading_hostile_files_opens_no_pickle(saved: Path, tmp_path: Path) -> None:
    """The hook sees a planted pickle.loads, and nothing while load_model meets a pickle in each place it could stand."""
    hostile = pickle.dumps(Payload()) + b"\0" * 200  # padded to the size the architecture needs
    folders = [shutil.copytree(saved, tmp_path / name) for name in ("in-weights", "in-json", "beside")]
    _replace_weights(folders[0], hostile)
    (folders[1] / "model.json").write_bytes(hostile)
    (folders[2] / "model.pkl").write_bytes(hostile)

    def watch(mode: str) -> list[str]:
        command = [sys.executable, "-c", _WATCH, mode, *map(str, folders), str(saved)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")[:-1]

    assert watch("plain") == ["refused", "refused", "refused", "loaded", "[]"]
    assert "os.system" in watch("planted")[-1]
    assert "pickle.find_class" in watch("planted")[-1]
