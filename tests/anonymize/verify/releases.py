"""Small releases written as rows, and what the check says of them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tacit.anonymize.verify import Verification, verify_release

Rows = Sequence[tuple[Any, ...]]


def table(rows: Rows, names: Sequence[str] = ("age", "ill")) -> pa.Table:
    """Return rows as a table of text columns."""
    return pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)})


def spread(counts: dict[str | None, int], quasi: str = "[20, 30)") -> list[tuple[str, str | None]]:
    """Return a class with so many rows of each sensitive value."""
    return [(quasi, value) for value, count in counts.items() for _ in range(count)]


def check(released: Rows, form: dict[str, Any], original: Rows | None = None, **more: Any) -> Verification:
    """Return the verdict on rows of (age, ill), age being the quasi-identifier; by default all of the input is released."""
    original = released if original is None else original
    asked = {"quasi": ["age"], "require": [form], "original_rows": len(original), "suppression_limit": 1}
    return verify_release(table(released), **{**asked, "original": table(original), **more})
