"""Differential privacy for tables: safe k-anonymization, noisy histograms, synthetic rows; charged before anything is released."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.anonymize.private.aim import AIM
    from tacit.anonymize.private.domain import Attribute, Domain
    from tacit.anonymize.private.histograms import Histogram, Histograms, private_histograms
    from tacit.anonymize.private.mst import MST
    from tacit.anonymize.private.safe_k import SafeRelease, safe_k_anonymize
    from tacit.anonymize.private.synthesis import Synthetic, synthesize

_PUBLIC: dict[str, str] = {
    "AIM": "aim",
    "MST": "mst",
    "Attribute": "domain",
    "Domain": "domain",
    "Histogram": "histograms",
    "Histograms": "histograms",
    "SafeRelease": "safe_k",
    "Synthetic": "synthesis",
    "private_histograms": "histograms",
    "safe_k_anonymize": "safe_k",
    "synthesize": "synthesis",
}

__all__ = [
    "AIM",
    "MST",
    "Attribute",
    "Domain",
    "Histogram",
    "Histograms",
    "SafeRelease",
    "Synthetic",
    "private_histograms",
    "safe_k_anonymize",
    "synthesize",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
