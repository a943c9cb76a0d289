"""The libraries that do the arithmetic, for tests of both: torch's are skipped where it is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

LIBRARIES = [
    "numpy",
    pytest.param("torch", marks=pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")),
]


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Give torch this many threads for a while."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
