"""Local differential privacy: mechanisms that run on one person's value, before it leaves that person's device."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.privacy.local.bounded_vector import BoundedVector
    from tacit.privacy.local.one_bit import OneBit
    from tacit.privacy.local.priv_unit import PrivUnit2
    from tacit.privacy.local.randomized_response import RandomizedResponse
    from tacit.privacy.local.reports import LocalMechanism, Reports
    from tacit.privacy.local.unary import UnaryEncoding

_PUBLIC = {
    "BoundedVector": "bounded_vector",
    "LocalMechanism": "reports",
    "OneBit": "one_bit",
    "PrivUnit2": "priv_unit",
    "RandomizedResponse": "randomized_response",
    "Reports": "reports",
    "UnaryEncoding": "unary",
}

__all__ = ["BoundedVector", "LocalMechanism", "OneBit", "PrivUnit2", "RandomizedResponse", "Reports", "UnaryEncoding"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
