"""Sets of items made km-anonymous by generalizing items along a tree, one way for the whole release.

Source: Terrovitis, Mamoulis & Kalnis 2008 (PVLDB 1(1)), section 4: combinations are mended one size at a time (their
apriori-based anonymization), by cuts of the tree that all records share. The choice among cuts is greedy: the result is a release
that holds, not one of least loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.hierarchies import TreeHierarchy
from tacit.anonymize.sets.km_anonymity import KmAnonymity
from tacit.anonymize.sets.records import Records, read_records
from tacit.errors import DataError, PrivacyError


@dataclass(frozen=True, kw_only=True)
class AnonymizedSets:
    """Released records and how they came about. Everything but `records` is for the custodian.

    records -- Arrow lists of text, one per input row in its order, each sorted; a missing list stays missing.
    cut     -- what each item of the input is released as.
    loss    -- mean over the items held of the share of the tree's items that the released one stands for, an item that stayed as
               it is counting 0; 0 to 1 (the normalized certainty penalty).
    require -- the model that holds.
    """

    records: pa.Array = field(repr=False)
    cut: Mapping[str, str] = field(repr=False)
    loss: float
    require: KmAnonymity

    def to_json(self) -> dict[str, Any]:
        """Return the record of the release without its rows."""
        return {
            "model": self.require.to_json(),
            "loss": self.loss,
            "records": len(self.records),
            "items": len(self.cut),
            "released_items": len(set(self.cut.values())),
            "search": "best found",
            "claim": "a syntactic property of these records; not differential privacy",
        }


def anonymize_sets(column: pa.Array | pa.ChunkedArray, tree: TreeHierarchy, require: KmAnonymity) -> AnonymizedSets:
    """Return the records of a column of lists with items generalized along a tree until km-anonymity holds.

    column  -- lists of items; an item twice in a record counts once, a missing or empty list promises nothing and stays.
    tree    -- a row per item, from the item to "*".
    Never changes the column. Raises DataError, never holding an item, when it is no column of lists, an item is missing or has no
    row in the tree, or fewer than k records hold any item at all.
    """
    records = read_records(column)
    cut = _Cut(tree, records)
    for size in range(1, require.m + 1):
        while len(rare := require.rare(cut.released(), size)):
            cut.mend(rare, require)
    released = _as_lists(column, cut.released())
    if not require.holds(released):
        raise PrivacyError(
            f"the released sets do not meet {require} when they are counted again: the release would break its promise, so "
            "nothing is returned. Please report this as a fault of tacit."
        )
    return AnonymizedSets(records=released, cut=cut.names(), loss=cut.loss(), require=require)


class _Cut:
    """Which node of the tree stands for each item: one level per item, shared by all items below the same node."""

    def __init__(self, tree: TreeHierarchy, records: Records) -> None:
        row_of = {row[0]: row for row in tree.rows}
        outside = sum(label not in row_of for label in records.labels)
        if outside:
            raise DataError(
                f"{outside} of the {len(records.labels)} items have no row in the tree: it says what an item may become. Add a "
                "row for each, from the item to the coarsest group (they are not shown here: they are private)."
            )
        self.records, self.top = records, tree.levels - 1
        self.level = np.zeros(len(records.labels), dtype=np.int64)
        self.held = np.bincount(records.items, minlength=len(records.labels))
        leaves = len(tree.rows)
        nodes: dict[tuple[int, str], int] = {}
        self.node = np.array(  # shape (levels, items): number of the node that stands for an item at a level
            [
                [nodes.setdefault((level, row_of[label][level]), len(nodes)) for label in records.labels]
                for level in range(tree.levels)
            ],
            dtype=np.int64,
        ).reshape(tree.levels, len(records.labels))
        self.labels = tuple(label for _, label in nodes)
        below = {(level, row[level]): 0 for row in tree.rows for level in range(tree.levels)}
        for row in tree.rows:
            for level, label in enumerate(row):
                below[level, label] += 1
        self.penalty = np.array([below[key] / leaves if key[0] else 0.0 for key in nodes])

    def released(self) -> Records:
        return self.records.recoded(self._nodes(), self.labels)

    def names(self) -> dict[str, str]:
        return {item: self.labels[node] for item, node in zip(self.records.labels, self._nodes(), strict=True)}

    def loss(self) -> float:
        return float(self.penalty[self._nodes()] @ self.held / max(self.held.sum(), 1))

    def mend(self, rare: NDArray[np.int64], require: KmAnonymity) -> None:
        """Raise nodes by one level until every rare combination has had one of its nodes raised, the most mended per loss first.

        rare -- shape (s, size): nodes of each combination.
        """
        open_sets = rare
        while len(open_sets):
            nodes, mended = np.unique(open_sets, return_counts=True)
            costs = np.array([self._cost(int(node)) for node in nodes])
            if not np.isfinite(costs).any():
                raise DataError(
                    f"no generalization meets {require}: with every item released as the root of the tree, the records that hold "
                    f"any item are still fewer than {require.k}. Ask for a smaller k, or bring more records."
                )
            best = int(nodes[np.argmax(mended / (costs + 1e-12))])
            items, level = self._step(best)
            self.level[items] = level
            open_sets = open_sets[np.isin(open_sets, self._nodes()).all(axis=1)]  # those with no node below the raised one

    def _step(self, node: int) -> tuple[NDArray[np.int64], int]:
        """Return the items that a node's parent stands for, none for the root, and the parent's level."""
        item = int(np.flatnonzero(self._nodes() == node)[0])
        above = int(self.level[item]) + 1
        items = np.flatnonzero(self.node[above] == self.node[above, item]) if above <= self.top else np.zeros(0, dtype=np.int64)
        return items, above

    def _cost(self, node: int) -> float:
        """Return what the loss of all items grows by when a node is raised; infinite for the root."""
        items, level = self._step(node)
        if not len(items):
            return float("inf")
        return float((self.penalty[self.node[level, items]] - self.penalty[self._nodes()[items]]) @ self.held[items])

    def _nodes(self) -> NDArray[np.int64]:
        return np.asarray(self.node[self.level, np.arange(len(self.level))])


def _as_lists(column: pa.Array | pa.ChunkedArray, records: Records) -> pa.Array:
    """Return the records as Arrow lists of sorted text, missing where the column is."""
    names = np.array(records.labels, dtype=object)
    place = np.argsort(np.argsort(names)) if len(names) else np.zeros(0, dtype=np.int64)
    order = np.lexsort((place[records.items], records.owner))
    ends = np.concatenate(([0], np.cumsum(np.bincount(records.owner, minlength=records.rows))))
    missing = column.is_null().to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.is_null().to_numpy()
    offsets = pa.array(ends.astype(np.int32), mask=np.append(missing, False))
    return pa.ListArray.from_arrays(offsets, pa.array(names[records.items[order]], pa.string()))
