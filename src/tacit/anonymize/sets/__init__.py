"""Set-valued data: a record is a set of items (purchases, diagnoses, searches), any few of which an attacker may know.

km-anonymity is a syntactic property of one release, never differential privacy.
"""

from tacit.anonymize.sets.generalize import AnonymizedSets, anonymize_sets
from tacit.anonymize.sets.km_anonymity import KmAnonymity

__all__ = ["AnonymizedSets", "KmAnonymity", "anonymize_sets"]
