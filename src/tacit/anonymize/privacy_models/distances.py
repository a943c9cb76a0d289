"""Earth mover's distances between a sensitive column in each class and in the whole table.

How much of a class's distribution must be moved, and how far, to make it the table's. Absent values are never written out: the
work is that of the sparse histogram. Source: Li, Li & Venkatasubramanian 2007 (ICDE), their Earth Mover's Distances.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Histogram
from tacit.anonymize.privacy_models.frequencies import rows_by_class, sum_by_class
from tacit.errors import DataError


def equal_distance(histogram: Histogram, classes: int) -> NDArray[np.float64]:
    """Return of each class half the sum of |p - q|: every value is as far from every other.

    p and q both sum to 1, so that half is what the values of the class have too much.
    """
    p, q = _frequencies(histogram, classes)
    return sum_by_class(histogram, np.maximum(p - q[histogram.values], 0.0), classes)


def ordered_distance(histogram: Histogram, classes: int, order: tuple[str | None, ...] | None) -> NDArray[np.float64]:
    """Return of each class the sum over i of |sum over j <= i of (p_j - q_j)| / (m - 1), values in their order.

    order -- labels from first to last, None for missing; or None itself: the labels are numbers, from low to high. m counts
    the values of the whole input. Raises DataError when a value of the data has no place in the order.
    """
    ranks = _ranks(histogram.labels, order)
    m = len(ranks)
    if m < 2:
        return np.zeros(classes)
    _, q = _frequencies(histogram, classes)
    below = np.cumsum(q[np.argsort(ranks)])  # Q_i: share of the table up to rank i
    prefix = np.concatenate(([0.0], np.cumsum(below)))  # sum of Q_i over i < rank

    rank = ranks[histogram.values]
    by_rank = np.lexsort((rank, histogram.class_of))
    owner, rank, counts = histogram.class_of[by_rank], rank[by_rank], histogram.counts[by_rank]
    rows = rows_by_class(histogram, classes)
    level = (np.cumsum(counts) - (np.cumsum(rows) - rows)[owner]) / rows[owner]  # P from this rank to the next one present
    first = np.concatenate(([True], owner[1:] != owner[:-1]))[: len(owner)]
    end = np.append(np.where(first[1:], m, rank[1:]), m)[: len(owner)]
    cross = np.clip(np.searchsorted(below, level, side="right"), rank, end)  # Q is below P before `cross`, above from there
    run = level * (2 * cross - rank - end) - 2 * prefix[cross] + prefix[rank] + prefix[end]
    run += np.where(first, prefix[rank], 0.0)  # before the first value of the class P is 0
    return np.asarray(np.bincount(owner, weights=run, minlength=classes) / (m - 1))


def hierarchical_distance(histogram: Histogram, classes: int, tree: tuple[tuple[str, ...], ...]) -> NDArray[np.float64]:
    """Return of each class what moves inside the tree cost: h / H for what meets at a node of height h of H.

    tree -- a row per value, from the value itself to the root. At each inner node the children's excesses p - q cancel as far as
    they can, at the cost (h / H) min(sum of the positive ones, -sum of the negative ones). A missing value hangs from the root.
    Raises DataError when a value of the data has no place in the tree.
    """
    parents = _parents(histogram.labels, tree)
    p, q = _frequencies(histogram, classes)
    owner, node = histogram.class_of, histogram.values
    total = np.zeros(classes)
    for height, parent in enumerate(parents, start=1):
        more = np.maximum(p - q[node], 0.0)
        keys, place = np.unique(owner * (int(parent.max()) + 1) + parent[node], return_inverse=True)
        owner, above = np.divmod(keys, int(parent.max()) + 1)
        positive, p = (np.bincount(place, weights=part).astype(np.float64) for part in (more, p))
        q = np.bincount(parent, weights=q).astype(np.float64)
        node = above
        negative = positive - (p - q[node])
        cost = height / len(parents) * np.minimum(positive, negative)
        total += np.bincount(owner, weights=cost, minlength=classes)
    return total


def _frequencies(histogram: Histogram, classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return p of each entry, shape (e,), and q of each value, shape (m,)."""
    p = histogram.counts / rows_by_class(histogram, classes)[histogram.class_of]
    return p, histogram.totals / histogram.totals.sum()


@lru_cache(maxsize=16)
def _ranks(labels: tuple[str | None, ...], order: tuple[str | None, ...] | None) -> NDArray[np.int64]:
    """Return the rank of each code of the data among the codes of the data, shape (m,)."""
    if order is None:
        try:
            place: Sequence[float] = [float(label) for label in labels if label is not None]
        except ValueError:
            place = []
        known = len(set(place))  # "1" and "01" have one place, and no order between them
    else:
        rank = {label: index for index, label in enumerate(order)}
        place = [rank[label] for label in labels if label in rank]
        known = len(place)
    if known < len(labels):
        raise DataError(
            f"{len(labels) - known} of the {len(labels)} values of the sensitive column have no place in the order given for "
            "t-closeness, and the distance needs one. List every value from first to last (None where missing values belong)."
        )
    ranks = np.empty(len(labels), dtype=np.int64)
    ranks[np.argsort(place, kind="stable")] = np.arange(len(labels))
    return ranks


@lru_cache(maxsize=16)
def _parents(labels: tuple[str | None, ...], tree: tuple[tuple[str, ...], ...]) -> tuple[NDArray[np.int64], ...]:
    """Return for each step upwards the node of the next height that each node hangs from; the codes of the data come first."""
    row_of = {row[0]: row[1:] for row in tree}
    height = len(tree[0]) - 1
    outside = sum(label is not None and label not in row_of for label in labels)
    if outside:
        raise DataError(
            f"{outside} of the {len(labels)} values of the sensitive column have no row in the tree given for t-closeness, and "
            "the distance needs one. Add a row for each, from the value to the root."
        )
    root = tree[0][-1]
    missing = (None,) * (height - 1) + (root,)
    paths = [missing if label is None else row_of[label] for label in labels]
    parents, below = [], list(range(len(labels)))
    for step in range(height):
        number: dict[str | None, int] = {}
        above = [number.setdefault(path[step], len(number)) for path in paths]
        parent = np.zeros(max(below) + 1, dtype=np.int64)
        parent[below] = above
        parents.append(parent)
        below = above
    return tuple(parents)
