"""Find personal data, replace identifiers by keyed tokens, generalize quasi-identifiers, measure risk, verify.

Syntactic anonymity (k-anonymity) is a property of one table. It is never differential privacy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.anonymize.hierarchies import Hierarchy, IntervalHierarchy, TreeHierarchy
    from tacit.anonymize.hierarchy_spec import hierarchy_for
    from tacit.anonymize.identify import ColumnFinding, identify_columns
    from tacit.anonymize.loss import Loss
    from tacit.anonymize.privacy_models import KAnonymity, PrivacyModel
    from tacit.anonymize.pseudonymize import Key, Pseudonyms, load_or_create_key
    from tacit.anonymize.release import Anonymization, anonymize
    from tacit.anonymize.risk import Risk, measure_risk
    from tacit.anonymize.verify import Verification, verify_release

_PUBLIC: dict[str, str] = {
    "Anonymization": "release",
    "ColumnFinding": "identify",
    "Hierarchy": "hierarchies",
    "IntervalHierarchy": "hierarchies",
    "KAnonymity": "privacy_models",
    "Key": "pseudonymize",
    "Loss": "loss",
    "PrivacyModel": "privacy_models",
    "Pseudonyms": "pseudonymize",
    "Risk": "risk",
    "TreeHierarchy": "hierarchies",
    "Verification": "verify",
    "anonymize": "release",
    "hierarchy_for": "hierarchy_spec",
    "identify_columns": "identify",
    "load_or_create_key": "pseudonymize",
    "measure_risk": "risk",
    "verify_release": "verify",
}

__all__ = [
    "Anonymization",
    "ColumnFinding",
    "Hierarchy",
    "IntervalHierarchy",
    "KAnonymity",
    "Key",
    "Loss",
    "PrivacyModel",
    "Pseudonyms",
    "Risk",
    "TreeHierarchy",
    "Verification",
    "anonymize",
    "hierarchy_for",
    "identify_columns",
    "load_or_create_key",
    "measure_risk",
    "verify_release",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
