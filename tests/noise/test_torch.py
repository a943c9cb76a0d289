"""Noise as torch tensors."""

import builtins
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tacit.errors import MissingExtra
from tacit.noise.source import SeededSource
from tacit.noise.torch import normal

torch = pytest.importorskip("torch", reason="torch is not installed")


def test_a_tensor_holds_the_values_of_the_source() -> None:
    tensor = normal(SeededSource(1), (3, 5))
    assert tensor.dtype == torch.float64
    np.testing.assert_array_equal(tensor.numpy().ravel(), SeededSource(1).normal(15, by="torch"))


def test_a_float64_tensor_shares_the_memory_that_was_drawn() -> None:
    drawn = []

    class Watched(SeededSource):
        def normal(self, *arguments: Any, **options: Any) -> NDArray[np.float64]:
            drawn.append(super().normal(*arguments, **options))
            return drawn[0]

    tensor = normal(Watched(1), (4,), torch.float64)
    assert tensor.data_ptr() == drawn[0].ctypes.data


def test_another_precision_is_rounded_from_float64() -> None:
    tensor = normal(SeededSource(1), (2, 2), torch.float32)
    assert tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor.numpy().ravel(), SeededSource(1).normal(4, by="torch").astype(np.float32))


def test_without_torch_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_torch(name: str, *rest: Any) -> Any:
        if name == "torch":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    with pytest.raises(MissingExtra, match=r"tacit\[torch\]"):
        normal(SeededSource(1), (2,))
