"""Distinction and separation: how far a table's quasi-identifiers tell its rows apart, from the sizes of its classes.

`tacit.anonymize.identify.separation_table` shows both for every combination of columns.
"""

from math import comb

import numpy as np
from numpy.typing import NDArray


def distinction(sizes: NDArray[np.int64]) -> float:
    """Return classes / rows, from the rows of each class, shape (c,), each >= 1. Source: Motwani & Xu 2007."""
    return len(sizes) / int(sizes.sum())


def separation(sizes: NDArray[np.int64]) -> float:
    """Return the share of pairs of rows that lie in two classes; 0 when there is one row. Source: Motwani & Xu 2007."""
    rows = int(sizes.sum())
    if rows < 2:
        return 0.0
    counted = np.unique(sizes, return_counts=True)
    equal = sum(comb(size, 2) * many for size, many in zip(*(part.tolist() for part in counted), strict=True))
    return float((comb(rows, 2) - equal) / comb(rows, 2))
