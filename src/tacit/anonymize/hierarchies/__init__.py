"""Hierarchies: one file a kind, and one that builds them where none is given."""

from tacit.anonymize.hierarchies.automatic import automatic, automatic_hierarchies, from_declaration
from tacit.anonymize.hierarchies.date import DateHierarchy, DateUnit
from tacit.anonymize.hierarchies.hierarchy import ANY, Hierarchy, HierarchyOrigin
from tacit.anonymize.hierarchies.interval import IntervalHierarchy
from tacit.anonymize.hierarchies.redaction import RedactionHierarchy, Side
from tacit.anonymize.hierarchies.tree import TreeHierarchy

__all__ = [
    "ANY",
    "DateHierarchy",
    "DateUnit",
    "Hierarchy",
    "HierarchyOrigin",
    "IntervalHierarchy",
    "RedactionHierarchy",
    "Side",
    "TreeHierarchy",
    "automatic",
    "automatic_hierarchies",
    "from_declaration",
]
