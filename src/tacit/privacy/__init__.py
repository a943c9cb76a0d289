"""What privacy costs: guarantees, events, mechanisms, accounting, calibration, and the ledger that everything is charged to."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.privacy.accounting import delta, epsilon
    from tacit.privacy.block import Block
    from tacit.privacy.calibration import noise_multiplier_for, steps_for
    from tacit.privacy.events import (
        Composed,
        EpsilonDelta,
        Event,
        GaussianEvent,
        LocalRandomized,
        MatrixEvent,
        PoissonSampled,
        Repeated,
        event_from_json,
        event_to_json,
    )
    from tacit.privacy.guarantee import Guarantee, Neighbours
    from tacit.privacy.ledger import Budget, Head, Ledger, Reservation, Verification, export, verify
    from tacit.privacy.mechanisms import Gaussian
    from tacit.privacy.pricing import price
    from tacit.privacy.strategies import Banded, Buffered, Tree

_PUBLIC = {
    "Banded": "strategies",
    "Block": "block",
    "Budget": "ledger",
    "Buffered": "strategies",
    "Composed": "events",
    "EpsilonDelta": "events",
    "Event": "events",
    "Gaussian": "mechanisms",
    "GaussianEvent": "events",
    "Guarantee": "guarantee",
    "Head": "ledger",
    "Ledger": "ledger",
    "LocalRandomized": "events",
    "MatrixEvent": "events",
    "Neighbours": "guarantee",
    "PoissonSampled": "events",
    "Repeated": "events",
    "Reservation": "ledger",
    "Tree": "strategies",
    "Verification": "ledger",
    "delta": "accounting",
    "epsilon": "accounting",
    "event_from_json": "events",
    "event_to_json": "events",
    "export": "ledger",
    "noise_multiplier_for": "calibration",
    "price": "pricing",
    "steps_for": "calibration",
    "verify": "ledger",
}

__all__ = [
    "Banded",
    "Block",
    "Budget",
    "Buffered",
    "Composed",
    "EpsilonDelta",
    "Event",
    "Gaussian",
    "GaussianEvent",
    "Guarantee",
    "Head",
    "Ledger",
    "LocalRandomized",
    "MatrixEvent",
    "Neighbours",
    "PoissonSampled",
    "Repeated",
    "Reservation",
    "Tree",
    "Verification",
    "delta",
    "epsilon",
    "event_from_json",
    "event_to_json",
    "export",
    "noise_multiplier_for",
    "price",
    "steps_for",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
