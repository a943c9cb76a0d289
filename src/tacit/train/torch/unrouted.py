"""Beside the routing: what a rule does with what its backward pass was given is none of the model's operations."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch


def unrouted(receive: Callable[..., None]) -> Callable[..., None]:
    """Take gradients beside the routing, which would look at each operation for microseconds.

    Not a whole backward pass: what it saved may have to be computed again first (checkpointing), and that is the model.
    """

    @wraps(receive)
    def run(*arguments: Any) -> None:
        with torch._C.DisableTorchFunction():
            receive(*arguments)

    return run
