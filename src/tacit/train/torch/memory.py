"""What a device's memory that runs out is turned into: the number of rows that would fit."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tacit.errors import RunError


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
