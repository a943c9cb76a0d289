"""Made-up people for the tests of files: gaps, NaN, names that need quoting, values that sort differently by language."""

from typing import Any

import numpy as np
import pyarrow as pa

from tacit.anonymize.hierarchies import Hierarchy, IntervalHierarchy, TreeHierarchy
from tacit.anonymize.privacy_models import DistinctLDiversity, KAnonymity, TCloseness

AGE = IntervalHierarchy.from_widths(0, 100, [10, 20, 40])
TOWN = TreeHierarchy.from_groups({"north": ["Ähl", "ab c", "Zet"], "south": {"hills": ["ah'l", 'q"t'], "plain": ["aB"]}})
INCOME = IntervalHierarchy.from_widths(0, 8, [1, 2, 4])
QUASI: dict[str, Hierarchy] = {"age": AGE, "home [town]": TOWN, "income": INCOME}


def people(rows: int = 400, seed: int = 1) -> pa.Table:
    """Return made-up people: three quasi-identifiers, a sensitive column, two to keep."""
    random = np.random.default_rng(seed)
    towns = [*(row[0] for row in TOWN.rows), None]
    notes = ["Zebra", "apple", "Äpfel", "ärger", "", "b'c", None]
    income = np.round(random.integers(0, 16, rows) / 2, 1)
    income[random.random(rows) < 0.05] = np.nan
    return pa.table(
        {
            "note": pa.array([notes[i] for i in random.integers(0, len(notes), rows)]),
            "age": pa.array(random.integers(15, 75, rows), mask=random.random(rows) < 0.04),
            "never released": pa.array(np.arange(rows)),
            "home [town]": pa.array([towns[i] for i in random.choice(7, rows, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05])]),
            "ill": pa.array(random.choice(["flu", "cold", "none"], rows)),
            "income": pa.array(income),
            "visits": pa.array(random.integers(0, 5, rows)),
        }
    )


def request(**changed: Any) -> dict[str, Any]:
    """Return arguments for `anonymize` and `anonymize_file`."""
    settings: dict[str, Any] = {
        "quasi": QUASI,
        "require": [KAnonymity(3), DistinctLDiversity("ill", 2), TCloseness("ill", 0.6)],
        "suppression_limit": 0.1,
        "keep": ("note", "visits"),
    }
    return settings | changed


def as_rows(table: pa.Table) -> list[str]:
    """Return the rows as texts, sorted: what two tables of equal rows share whatever their order."""
    return sorted(map(repr, table.to_pylist()))
