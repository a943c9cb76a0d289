"""Local recoding: the same value may be released differently in different classes, so that less is lost."""

from tacit.anonymize.local.cells import CellSuppression, with_cells
from tacit.anonymize.local.iterative import in_rounds
from tacit.anonymize.local.microaggregation import Microaggregation, microaggregate
from tacit.anonymize.local.mondrian import mondrian
from tacit.anonymize.local.parts import settle
from tacit.anonymize.local.steering import check_slider, cutting, distances

__all__ = [
    "CellSuppression",
    "Microaggregation",
    "check_slider",
    "cutting",
    "distances",
    "in_rounds",
    "microaggregate",
    "mondrian",
    "settle",
    "with_cells",
]
