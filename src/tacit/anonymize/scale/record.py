"""What is known of a released file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit.anonymize.figures import Figures
from tacit.anonymize.hierarchies import Hierarchy
from tacit.anonymize.manifest import manifest_of


@dataclass(frozen=True, kw_only=True)
class FileAnonymization(Figures):
    """A released file and how it came about. All but `file` and `manifest()` is for the custodian.

    file    -- the Parquet file: quasi-identifiers at their levels, sensitive columns and columns to keep as they are, in the
               original's order of columns; suppressed rows are not in it.
    sha256  -- of the file's bytes. backend -- the database that counted and recoded, as "duckdb 1.5.6".
    tuples  -- distinct tuples of quasi-identifiers: what the search cost.
    automatic -- the hierarchies that nobody gave, built from the data, by column.
    The rest is in Figures.
    """

    file: Path
    sha256: str
    backend: str
    tuples: int
    automatic: Mapping[str, Hierarchy] = field(repr=False)

    def manifest(self) -> dict[str, Any]:
        """Return what travels with the file: that of Anonymization, with the hash of the file's bytes."""
        return manifest_of(self, sha256=self.sha256)
