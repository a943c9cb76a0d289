"""Tables of personal data: reading them, describing them, and turning rows into features by declared maps."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.tables.encoding import Encoding
    from tacit.tables.label import LabelRule, labels
    from tacit.tables.profiles import ColumnProfile, Profile, profile
    from tacit.tables.read import read_table
    from tacit.tables.schema import Bounds, Categories, Column, Kind, Origin, OriginKind, Role, Schema
    from tacit.tables.split import in_training
    from tacit.tables.table import Table
    from tacit.tables.values import MISSING

_PUBLIC = {
    "MISSING": "tacit.tables.values",
    "Bounds": "tacit.tables.schema",
    "Categories": "tacit.tables.schema",
    "Column": "tacit.tables.schema",
    "ColumnProfile": "tacit.tables.profiles",
    "Encoding": "tacit.tables.encoding",
    "Kind": "tacit.tables.schema",
    "LabelRule": "tacit.tables.label",
    "Origin": "tacit.tables.schema",
    "OriginKind": "tacit.tables.schema",
    "Profile": "tacit.tables.profiles",
    "Role": "tacit.tables.schema",
    "Schema": "tacit.tables.schema",
    "Table": "tacit.tables.table",
    "in_training": "tacit.tables.split",
    "labels": "tacit.tables.label",
    "profile": "tacit.tables.profiles",
    "read_table": "tacit.tables.read",
}

__all__ = [
    "MISSING",
    "Bounds",
    "Categories",
    "Column",
    "ColumnProfile",
    "Encoding",
    "Kind",
    "LabelRule",
    "Origin",
    "OriginKind",
    "Profile",
    "Role",
    "Schema",
    "Table",
    "in_training",
    "labels",
    "profile",
    "read_table",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tacit.tables' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
