"""km-anonymity: whoever knows at most m items of a record cannot tell it from fewer than k records."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.privacy_models.parameters import whole
from tacit.anonymize.sets.records import Records, count_itemsets, read_records
from tacit.errors import ConfigError


@dataclass(frozen=True, slots=True)
class KmAnonymity:
    """Every combination of at most m items that occurs in some record occurs in at least k records.

    k -- whole number >= 2; m -- items an attacker knows, whole number >= 1.
    Source: Terrovitis, Mamoulis & Kalnis 2008 (PVLDB 1(1)), Definition 1.

    Monotonic under generalization: a combination of general items occurs wherever one of those that it stands for does.
    """

    k: int
    m: int

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "k", whole("k", self.k, least=2, why="a combination in one record is that record. Common choices are 5 to 20.")
        )
        object.__setattr__(
            self, "m", whole("m", self.m, least=1, why="it is how many items of a record an attacker knows. Try 2.")
        )

    def holds(self, column: pa.Array | pa.ChunkedArray) -> bool:
        """Return whether a column of lists is km-anonymous; DataError when it is no column of lists, or misses items."""
        records = read_records(column)
        return all(len(self.rare(records, size)) == 0 for size in range(1, self.m + 1))

    def rare(self, records: Records, size: int) -> NDArray[np.int64]:
        """Return the combinations of `size` items that occur, but in fewer than k records, shape (s, size)."""
        itemsets, support = count_itemsets(records, size)
        return itemsets[support < self.k]

    def to_json(self) -> dict[str, Any]:
        return {"model": "km-anonymity", "k": self.k, "m": self.m}

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "KmAnonymity":
        """Return the model of a JSON form; ConfigError when it is another or lacks a parameter."""
        if form.get("model") != "km-anonymity" or set(form) != {"model", "k", "m"}:
            raise ConfigError(
                f"km-anonymity is written with the keys model, k and m, got {sorted(form)} for the model {form.get('model')!r}: "
                'nothing else is promised about sets. Write {"model": "km-anonymity", "k": 5, "m": 2}.'
            )
        return cls(form["k"], form["m"])

    def __str__(self) -> str:
        return f"km-anonymity (k={self.k}, m={self.m})"
