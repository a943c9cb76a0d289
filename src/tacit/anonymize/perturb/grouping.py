"""Classes of rows that are equal in some columns."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.coding import combine_codes
from tacit.anonymize.columns import get_column
from tacit.noise.source import Source


def classes_of(table: pa.Table, within: Sequence[str]) -> NDArray[np.int64]:
    """Return each row's class, shape (n,), numbered from 0: rows equal in all these columns share one; missing equals missing."""
    coded = [get_column(table, name).dictionary_encode(null_encoding="encode") for name in within]
    if not coded:
        return np.zeros(table.num_rows, dtype=np.int64)
    codes = [array.indices.to_numpy(zero_copy_only=False).astype(np.int64) for array in coded]
    keys, _ = combine_codes(codes, [len(array.dictionary) for array in coded])
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def mixed_by_class(classes: NDArray[np.int64], source: Source) -> NDArray[np.int64]:
    """Return all rows, shape (n,): class after class, and in random order within each."""
    return np.lexsort((source.uniform_words(len(classes)), classes)).astype(np.int64)
