"""Exact counts of coded rows: what mechanisms read, and nobody else.

Zeroing a row takes 1 away from exactly one cell of each marginal: one marginal moves by 1 in L1 and L2, m of them released
together by sqrt m in L2.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.private.junction_tree import Attributes

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Marginals:
    """The marginals of private rows.

    codes -- shape (n, d): each row's codes. sizes -- cells of each of the d attributes.
    """

    codes: NDArray[np.int64]
    sizes: tuple[int, ...]
    _columns: list[NDArray[np.int64]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_columns", [np.ascontiguousarray(column) for column in self.codes.T])

    def cells(self, attributes: Attributes) -> int:
        return math.prod(self.sizes[one] for one in attributes)

    def counts(self, attributes: Attributes) -> Floats:
        """Return the exact counts, an array of the attributes' sizes; whole numbers."""
        flat = np.zeros(len(self.codes), dtype=np.int64)
        for one in attributes:
            flat = flat * self.sizes[one] + self._columns[one]
        counts = np.bincount(flat, minlength=self.cells(attributes)).astype(np.float64)
        return counts.reshape([self.sizes[one] for one in attributes])
