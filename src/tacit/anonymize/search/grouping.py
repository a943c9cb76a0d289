"""Classes of equal rows at a node of the lattice, rolled up from those of a finer node already counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes, Histogram, information_lost
from tacit.anonymize.coding import CodedColumn, Tuples, combine_codes
from tacit.anonymize.recoding import Node

_CACHED_CELLS = 40_000_000


@dataclass(frozen=True, kw_only=True)
class Entries:
    """Sparse histogram of one sensitive column: group_of, values, counts -- each shape (e,), sorted, counts >= 1."""

    group_of: NDArray[np.int64]
    values: NDArray[np.int64]
    counts: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """The classes at one node.

    raw        -- shape (m, c): raw codes of one tuple of each class; its codes at any coarser level are those of the class.
    weights    -- shape (c,): rows that may be released; zero where only the population has rows.
    everyone, population -- shape (c,): as in Tuples.
    sensitive  -- per sensitive column its histogram.
    """

    raw: NDArray[np.int64]
    weights: NDArray[np.int64]
    everyone: NDArray[np.int64] | None
    population: NDArray[np.int64] | None
    sensitive: Mapping[str, Entries]

    def __len__(self) -> int:
        return len(self.weights)


def number_keys(keys: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rank of each key among the distinct ones, and for each distinct key the place of one that has it.

    keys -- shape (t,), 0 <= key < size.
    """
    if size <= 4 * len(keys) + 1024:
        place = np.full(size, -1, dtype=np.int64)
        place[keys] = np.arange(len(keys))
        present = np.flatnonzero(place >= 0)
        rank = np.empty(size, dtype=np.int64)
        rank[present] = np.arange(len(present))
        return rank[keys], place[present]
    order = np.argsort(keys)
    ranked = keys[order]
    starts = np.concatenate(([True], ranked[1:] != ranked[:-1]))
    rank = np.empty(len(keys), dtype=np.int64)
    rank[order] = np.cumsum(starts) - 1
    return rank, order[starts]


class Groupings:
    """Counts the classes of nodes; keeps some of them to start from."""

    def __init__(self, coded: Sequence[CodedColumn], tuples: Tuples) -> None:
        self.coded, self.tuples = coded, tuples
        self._all = Grouping(
            raw=np.stack(tuples.codes),
            weights=tuples.weights,
            everyone=tuples.everyone,
            population=tuples.population,
            sensitive={
                name: Entries(group_of=counts.tuple_of, values=counts.values, counts=counts.counts)
                for name, counts in tuples.sensitive.items()
            },
        )
        self._nodes = np.zeros((0, len(coded)), dtype=np.int64)
        self._kept: list[Grouping] = []
        self._cells = 0

    def keys(self, node: Node, raw: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
        """Return one key per column of `raw`, shape (m, c): equal where equal at the node; and a bound above them."""
        codes, cards = [], []
        for column, level, values in zip(self.coded, node, raw, strict=True):
            if (cardinality := column.cardinality(level)) > 1:
                codes.append(column.codes[level][values] if level else values)
                cards.append(cardinality)
        if not codes:
            return np.zeros(raw.shape[1], dtype=np.int64), 1
        return combine_codes(codes, cards)

    def at(self, node: Node) -> Grouping:
        """Return the classes of a node."""
        start = self._nearest(node)
        grouping = _merge(start, *number_keys(*self.keys(node, start.raw)), self.tuples)
        if len(grouping) * 2 <= len(start):
            self._keep(node, grouping)
        return grouping

    def _nearest(self, node: Node) -> Grouping:
        finer = np.flatnonzero((self._nodes <= np.array(node)).all(axis=1))
        return min((self._kept[i] for i in finer), key=len, default=self._all)

    def _keep(self, node: Node, grouping: Grouping) -> None:
        self._nodes = np.concatenate([self._nodes, [node]])
        self._kept.append(grouping)
        self._cells += grouping.raw.size
        while self._cells > _CACHED_CELLS or len(self._kept) > 512:
            self._cells -= self._kept.pop(0).raw.size
            self._nodes = self._nodes[1:]

    def classes(self, node: Node, grouping: Grouping, *, codes: bool) -> Classes:
        """Return what models see of the classes with rows that may be released.

        codes -- whether the classes carry the codes of their generalized values, and the information that they lose.
        """
        levels = [column.codes[level] for column, level in zip(self.coded, node, strict=True)]
        everything = Classes(
            sizes=grouping.weights,
            rows=self.tuples.rows,
            sensitive={
                name: Histogram(
                    class_of=entries.group_of,
                    values=entries.values,
                    counts=entries.counts,
                    totals=self.tuples.sensitive[name].totals,
                    labels=self.tuples.sensitive[name].labels,
                )
                for name, entries in grouping.sensitive.items()
            },
            population=grouping.population,
            codes=tuple(level[raw] for level, raw in zip(levels, grouping.raw, strict=True)) if codes else (),
            lost=self._lost(node, grouping.raw) if codes else None,
        )
        if grouping.everyone is None and grouping.population is None:
            return everything
        return everything.select(grouping.weights > 0)

    def _lost(self, node: Node, raw: NDArray[np.int64]) -> NDArray[np.float64]:
        shares = [column.shares[level][codes] for column, level, codes in zip(self.coded, node, raw, strict=True)]
        return information_lost(np.stack(shares, axis=1), np.array([column.leaves for column in self.coded]))

    def presence(self, grouping: Grouping) -> Classes:
        """Return what delta-presence sees: all rows of every class, and how many are of the research subset."""
        everyone = grouping.weights if grouping.everyone is None else grouping.everyone
        there = everyone > 0
        return Classes(sizes=everyone[there], rows=int(everyone.sum()), subset=grouping.weights[there])


def _merge(start: Grouping, rank: NDArray[np.int64], place: NDArray[np.int64], tuples: Tuples) -> Grouping:
    count = len(place)

    def total(rows: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        return None if rows is None else np.bincount(rank, weights=rows, minlength=count).astype(np.int64)

    weights = np.bincount(rank, weights=start.weights, minlength=count).astype(np.int64)
    return Grouping(
        raw=start.raw[:, place],
        weights=weights,
        everyone=total(start.everyone),
        population=total(start.population),
        sensitive={
            name: _merge_entries(entries, rank, count, len(tuples.sensitive[name].labels))
            for name, entries in start.sensitive.items()
        },
    )


def _merge_entries(entries: Entries, rank: NDArray[np.int64], count: int, values: int) -> Entries:
    keys = rank[entries.group_of] * values + entries.values
    size = count * values
    if size <= 8 * len(keys) + 1024:
        counts = np.bincount(keys, weights=entries.counts, minlength=size)
        found = np.flatnonzero(counts)
        return Entries(group_of=found // values, values=found % values, counts=counts[found].astype(np.int64))
    order = np.argsort(keys)
    ranked = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    found = ranked[starts]
    return Entries(
        group_of=found // values, values=found % values, counts=np.add.reduceat(entries.counts[order], starts).astype(np.int64)
    )
