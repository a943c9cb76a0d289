"""What is known of a released file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit.anonymize.classes import Recoded
from tacit.anonymize.manifest import findings_of, manifest_of
from tacit.anonymize.utility.loss import Score
from tacit.anonymize.verify import Verification
from tacit.models.finding import Finding


@dataclass(frozen=True, kw_only=True)
class FileAnonymization:
    """A released file and how it came about: an Anonymization whose table lies in a file. All but `file` is for the custodian.

    file    -- the Parquet file: quasi-identifiers at their levels, sensitive columns and columns to keep as they are, in the
               original's order of columns; suppressed rows are not in it.
    sha256  -- of the file's bytes.
    tuples  -- distinct tuples of quasi-identifiers: what the search cost.
    recoded -- what became of each of them, for further metrics.
    The rest is as in Anonymization.
    """

    file: Path
    sha256: str
    recoded: Recoded = field(repr=False)
    levels: Mapping[str, int]
    top_levels: Mapping[str, int]
    rows: int
    tuples: int
    suppressed: int
    score: Score
    optimal: bool
    gap: float | None
    checked: int
    nodes: int
    classes: int
    smallest_class: int
    median_class: float
    largest_class: int
    settings: Mapping[str, Any] = field(repr=False)
    verification: Verification = field(repr=False)

    @property
    def search(self) -> str:
        """What is proved about the score, in words."""
        if self.optimal:
            return "full-domain search, proved optimal"
        return "full-domain search, best found" + ("" if self.gap is None else f"; at most {self.gap:.4g} above the optimum")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The release's figures: exact statistics of private rows, for the custodian."""
        as_table: Any = self  # findings look at figures alone, and these are named alike
        return findings_of(as_table)

    def manifest(self) -> dict[str, Any]:
        """Return what travels with the file: that of Anonymization, with the hash of the file's bytes."""
        as_table: Any = self  # a manifest looks at figures and settings alone, and these are named alike
        return manifest_of(as_table, sha256=self.sha256)
