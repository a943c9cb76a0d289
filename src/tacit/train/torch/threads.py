"""How many threads torch may use: for small work one, since waking a second costs more than it does."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_SMALL = 30_000_000
"""Multiplications of one step under which a single thread is the faster one (two cores, torch 2.13)."""


@contextmanager
def threads_for(rows: int, parameters: int) -> Iterator[None]:
    """Let torch use one thread inside the block when a step of that many rows and parameters is small; then as before."""
    before = torch.get_num_threads()
    if rows * parameters * 6 < _SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
