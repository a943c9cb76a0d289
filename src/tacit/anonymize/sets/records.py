"""Records of items as whole numbers, and how many records hold each combination of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.columns import as_text
from tacit.errors import ConfigError, DataError

_MOST_COMBINATIONS = 200_000_000
_AT_ONCE = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Records:
    """Sets of items.

    owner -- shape (e,): record of each item held, 0 <= owner < rows, ascending.
    items -- shape (e,): code of the item, 0 <= item < len(labels); ascending within a record, none twice.
    rows  -- number of records, those without items included.
    labels -- text of each code.
    """

    owner: NDArray[np.int64]
    items: NDArray[np.int64]
    rows: int
    labels: tuple[str, ...]

    def recoded(self, codes: NDArray[np.int64], labels: tuple[str, ...]) -> "Records":
        """Return the records with item i written as codes[i]; items that become equal are one."""
        pairs = np.unique(self.owner * len(labels) + codes[self.items])
        return Records(owner=pairs // len(labels), items=pairs % len(labels), rows=self.rows, labels=labels)


def read_records(column: pa.Array | pa.ChunkedArray) -> Records:
    """Return the records of a column of lists; an item named twice in a record counts once, a missing list holds nothing.

    Raises DataError when the column holds no lists, or a missing item inside one; the message never holds an item.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        raise DataError(
            f"set-valued data must be a column of lists, got {array.type}: a record is a set of items. Convert it, for example "
            "pa.array([['bread', 'milk'], ['milk']])."
        )
    held = array.flatten()
    if held.null_count:
        raise DataError(
            f"{held.null_count} items inside the lists are missing: an attacker's knowledge of them is undefined. Drop them, or "
            "name them with a value of their own."
        )
    coded = held.dictionary_encode()
    texts = [as_text(value) for value in coded.dictionary.to_pylist()]
    number: dict[str, int] = {text: index for index, text in enumerate(sorted(set(texts)))}
    codes = np.array([number[text] for text in texts], dtype=np.int64)
    owner = pc.list_parent_indices(array).to_numpy(zero_copy_only=False).astype(np.int64)
    items = codes[coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)]
    pairs = np.unique(owner * max(len(number), 1) + items)
    return Records(owner=pairs // max(len(number), 1), items=pairs % max(len(number), 1), rows=len(array), labels=tuple(number))


def count_itemsets(records: Records, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return every combination of `size` items that some record holds, and how many records hold it.

    The first has shape (s, size), codes ascending in a row; the second shape (s,), >= 1. Memory grows with s, not with the
    records. Raises ConfigError when the records hold more than 200 million combinations, or 2**62 and more could occur.
    """
    lengths = np.bincount(records.owner, minlength=records.rows)
    total = sum(int(count) * math.comb(length, size) for length, count in enumerate(np.bincount(lengths)))
    width = len(records.labels)
    if total > _MOST_COMBINATIONS or width**size >= 2**62:
        raise ConfigError(
            f"the records hold {total:,} combinations of {size} out of {width:,} items, and {_MOST_COMBINATIONS:,} are counted "
            "at most: long records have very many. Ask for a smaller m, or leave out the commonest items."
        )
    keys, support = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for part in _keys(records, lengths, size):
        new, counts = np.unique(part, return_counts=True)
        keys, place = np.unique(np.concatenate([keys, new]), return_inverse=True)
        support = np.bincount(place, weights=np.concatenate([support, counts])).astype(np.int64)
    return keys[:, None] // width ** np.arange(size - 1, -1, -1) % max(width, 1), support


def _keys(records: Records, lengths: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the combinations in records, each as one number in the base of the items, a few million at a time."""
    starts = np.cumsum(lengths) - lengths
    for length in np.unique(lengths[lengths >= size]).tolist():
        chosen = np.array(list(combinations(range(length), size)))
        rows = starts[lengths == length]
        step = max(1, _AT_ONCE // len(chosen))
        for first in range(0, len(rows), step):
            held = records.items[rows[first : first + step, None] + np.arange(length)]
            keys = np.zeros((len(held), len(chosen)), dtype=np.int64)
            for position in range(size):
                keys = keys * len(records.labels) + held[:, chosen[:, position]]
            yield keys.ravel()
