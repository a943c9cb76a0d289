"""Mechanisms, one file each: the release, its event, and the source of the proof."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.privacy.mechanisms.exponential import Exponential
    from tacit.privacy.mechanisms.gaussian import Gaussian

_PUBLIC = {"Exponential": "exponential", "Gaussian": "gaussian"}

__all__ = ["Exponential", "Gaussian"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
