"""The ledger: what private data have cost, written before anything is released.

Example::

    with Ledger.open("ledger.sqlite") as ledger:
        ledger.grant("survey", epsilon=3.0, delta=1e-5)
        with ledger.reserve(block, dataset="survey", request_id="train-1", purpose="model") as paid:
            paid.count_step()  # before each release
    verify("ledger.sqlite", anchors=[head])  # from the file alone
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.privacy.ledger.chain import Entry
    from tacit.privacy.ledger.exporting import export
    from tacit.privacy.ledger.head import Head
    from tacit.privacy.ledger.ledger import Ledger
    from tacit.privacy.ledger.reservation import Reservation
    from tacit.privacy.ledger.units import Budget
    from tacit.privacy.ledger.verification import Account, Verification, verify

_PUBLIC = {
    "Account": "verification",
    "Budget": "units",
    "Entry": "chain",
    "Head": "head",
    "Ledger": "ledger",
    "Reservation": "reservation",
    "Verification": "verification",
    "export": "exporting",
    "verify": "verification",
}

__all__ = ["Account", "Budget", "Entry", "Head", "Ledger", "Reservation", "Verification", "export", "verify"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
