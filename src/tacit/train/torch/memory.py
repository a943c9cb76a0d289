"""Memory: what is freed goes back to the system, and what runs out is turned into the number of rows that would fit."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tacit.errors import RunError

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def return_freed() -> None:
    """Return memory that Python and torch have freed to the system, where the C library keeps it (glibc's malloc_trim); elsewhere nothing.

    A trace runs the model some thirty times on a few examples, and what it freed in small pieces no batch's tensor would fit into.
    Likewise what a backward pass frees between the records of a large model.
    """
    if _TRIM is not None:
        _TRIM(0)


@contextmanager
def memory_for(rows: int) -> Iterator[None]:
    """Say what to do when the device's memory runs out. rows -- of the present micro-batch; >= 1."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise RunError(
            f"the device has too little memory for {rows} rows at once. What was paid for stays paid, and a checkpoint goes on from "
            f"there. Pass max_physical_batch={max(1, rows // 2)} to make_private: it changes memory and speed only."
        ) from None
