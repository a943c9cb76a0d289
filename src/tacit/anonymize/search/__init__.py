"""Which levels lose least: an exact search with proof, or the best found in the time given with its gap."""

from tacit.anonymize.search.boxes import Progress
from tacit.anonymize.search.cost import BoundedMetric, Metric
from tacit.anonymize.search.deadline import Deadline
from tacit.anonymize.search.levels import SearchResult, allowed_suppression, search_levels
from tacit.anonymize.search.put_off import put_off

__all__ = [
    "BoundedMetric",
    "Deadline",
    "Metric",
    "Progress",
    "SearchResult",
    "allowed_suppression",
    "put_off",
    "search_levels",
]
