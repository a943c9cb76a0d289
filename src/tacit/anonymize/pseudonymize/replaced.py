"""What a replacement hands back: the new column, and how it came about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Replaced:
    """A replaced column. It goes into a table as it is: pa.table({"person": replaced}).

    values   -- shape (n,), null where the original is missing.
    method   -- what was done; scope -- which values share its stand-ins.
    settings -- parameters, as JSON values; never a key.
    rows, missing, distinct -- rows, those without a value, and different values among the others: exact statistics of private rows.
    forced   -- the reason why it would have been refused without force=True; None when there was none.
    """

    values: pa.Array = field(repr=False)
    method: str
    scope: str
    settings: Mapping[str, Any]
    rows: int
    missing: int
    distinct: int
    forced: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record without the values. Its counts are for the custodian, not for release."""
        names = ("method", "scope", "rows", "missing", "distinct", "forced")
        record = {name: getattr(self, name) for name in names}
        return {**record, "settings": dict(self.settings), "claim": "pseudonyms: still personal data; not anonymity"}

    def to_pylist(self) -> list[Any]:
        return list(self.values.to_pylist())

    def __len__(self) -> int:
        return len(self.values)

    def __arrow_array__(self, type: pa.DataType | None = None) -> pa.Array:
        return self.values if type is None else self.values.cast(type)
