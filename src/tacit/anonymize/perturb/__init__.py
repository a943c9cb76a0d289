"""Perturbing a table: noise, PRAM, rank swapping, top and bottom coding, shuffling, rounding, sampling; each with its effect.

Only `add_private_noise` is differential privacy. Each function returns the table and what it did to risk and utility, measured.
Rows keep their order, which tells whose they are to whoever has the original's: sort or shuffle the rows before a release.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.anonymize.perturb.additive import add_noise
    from tacit.anonymize.perturb.effect import ColumnEffect, Effect
    from tacit.anonymize.perturb.extremes import code_extremes
    from tacit.anonymize.perturb.linkage import Linkage
    from tacit.anonymize.perturb.perturbed import Perturbed
    from tacit.anonymize.perturb.private_noise import add_private_noise
    from tacit.anonymize.perturb.ranks import rank_swap
    from tacit.anonymize.perturb.rounding import round_values
    from tacit.anonymize.perturb.sampling import sample_rows
    from tacit.anonymize.perturb.shuffling import shuffle
    from tacit.anonymize.perturb.transitions import Transition, pram

_PUBLIC = {
    "ColumnEffect": "effect",
    "Effect": "effect",
    "Linkage": "linkage",
    "Perturbed": "perturbed",
    "Transition": "transitions",
    "add_noise": "additive",
    "add_private_noise": "private_noise",
    "code_extremes": "extremes",
    "pram": "transitions",
    "rank_swap": "ranks",
    "round_values": "rounding",
    "sample_rows": "sampling",
    "shuffle": "shuffling",
}

__all__ = [
    "ColumnEffect",
    "Effect",
    "Linkage",
    "Perturbed",
    "Transition",
    "add_noise",
    "add_private_noise",
    "code_extremes",
    "pram",
    "rank_swap",
    "round_values",
    "sample_rows",
    "shuffle",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
