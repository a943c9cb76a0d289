"""The library that does the arithmetic on long vectors: numpy, on one thread, or torch, on as many as torch has.

Whoever asks for torch has it loaded; nothing here imports it otherwise. Both work in the same float64 memory. What is exact (whole
multiples, products with powers of two, comparisons) is the same in both to the bit; logarithms, roots and tangents agree to their last places.
"""

import importlib
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError

Library = Literal["numpy", "torch"]

PIECE = {"numpy": 1 << 15, "torch": 1 << 17}
"""Values worked on at a time, so that intermediate arrays stay in the second-level cache: of one core, or of two."""


def arithmetic(by: Library) -> tuple[Any, Callable[[NDArray[Any]], Any]]:
    """Return the library's module and the function that shows it an array's memory; functions of both take the same arguments.

    Raises ConfigError for another name.
    """
    if by == "numpy":
        return np, _itself
    if by != "torch":
        raise ConfigError(f"the arithmetic is done by 'numpy' or by 'torch', got {by!r}. Leave it away for numpy.")
    library = importlib.import_module(by)
    return library, lambda array: library.from_numpy(_writable(array))


def check_memory(name: str, memory: NDArray[np.float64], length: int) -> None:
    """Raise ConfigError unless the memory holds this many float64 values and either library can write to it: torch would be shown a copy."""
    if memory.shape != (length,) or memory.dtype != np.float64 or not memory.flags.c_contiguous or not memory.flags.writeable:
        raise ConfigError(
            f"{name} must be a writeable contiguous float64 array of shape ({length},), got {memory.dtype} of shape {memory.shape}. "
            "What stood in it before would be taken for results: give memory of the vector's own length, or leave it away for new memory."
        )


def _itself(array: NDArray[Any]) -> NDArray[Any]:
    return array


def _writable(array: NDArray[Any]) -> NDArray[Any]:
    """Return the same memory as an array that torch takes without a warning; a copy where nobody may write to it."""
    if array.flags.writeable:
        return array
    owner = array.base
    return owner if isinstance(owner, np.ndarray) and owner.flags.writeable and _place(owner) == _place(array) else array.copy()


def _place(array: NDArray[Any]) -> tuple[Any, ...]:
    return array.ctypes.data, array.shape, array.strides, array.dtype
