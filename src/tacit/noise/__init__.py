"""Randomness: an OS-keyed AES-256-CTR source, normal vectors, and the integer grid that noise is released on."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.noise.grid import GridVector, clip_target, grid_step
    from tacit.noise.normal import missing_mass
    from tacit.noise.sensitivity import Sensitivity, sum_sensitivity
    from tacit.noise.source import OsSource, SeededSource, Source, Zeros

_PUBLIC = {
    "GridVector": "tacit.noise.grid",
    "OsSource": "tacit.noise.source",
    "SeededSource": "tacit.noise.source",
    "Sensitivity": "tacit.noise.sensitivity",
    "Source": "tacit.noise.source",
    "Zeros": "tacit.noise.source",
    "clip_target": "tacit.noise.grid",
    "grid_step": "tacit.noise.grid",
    "missing_mass": "tacit.noise.normal",
    "sum_sensitivity": "tacit.noise.sensitivity",
}

__all__ = [
    "GridVector",
    "OsSource",
    "SeededSource",
    "Sensitivity",
    "Source",
    "Zeros",
    "clip_target",
    "grid_step",
    "missing_mass",
    "sum_sensitivity",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tacit.noise' has no attribute {name!r}")
