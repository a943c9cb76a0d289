"""tacit: learn from data about people without exposing anyone.

tacit.tables     read a table and say what its columns are
tacit.anonymize  find personal data, pseudonymize, generalize, measure risk
tacit.train      train with differential privacy
tacit.evaluate   attack and audit
tacit.report     write down what was proved, measured and spent
tacit.privacy    guarantees, prices and the ledger that every stage spends from
tacit.study      the whole way from one file
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.errors import TacitError
    from tacit.privacy.guarantee import Guarantee
    from tacit.privacy.ledger import Ledger
    from tacit.study.loading import load_study
    from tacit.study.runner import run_study
    from tacit.tables import Table
    from tacit.train import PrivateClassifier, make_private

__version__ = "0.1.0"

_PUBLIC = {
    "Guarantee": "tacit.privacy.guarantee",
    "Ledger": "tacit.privacy.ledger",
    "PrivateClassifier": "tacit.train",
    "Table": "tacit.tables",
    "TacitError": "tacit.errors",
    "load_study": "tacit.study.loading",
    "make_private": "tacit.train",
    "run_study": "tacit.study.runner",
}

__all__ = [
    "Guarantee",
    "Ledger",
    "PrivateClassifier",
    "Table",
    "TacitError",
    "__version__",
    "load_study",
    "make_private",
    "run_study",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    if not name.startswith("_") and name in _PACKAGES:  # tacit.train works after `import tacit` alone
        return importlib.import_module(f"tacit.{name}")
    raise AttributeError(f"module 'tacit' has no attribute {name!r}")


_PACKAGES = ("anonymize", "evaluate", "models", "noise", "privacy", "report", "study", "tables", "train")
