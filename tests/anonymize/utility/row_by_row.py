"""A release as plain lists of rows, and the arrays that the metrics see of it: made by loops, sharing nothing with the library."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tacit.anonymize.classes import Recoded

Tree = Mapping[str, Sequence[str]]
"""A hierarchy: for each raw value its labels from the value itself to "*"."""


@dataclass(frozen=True)
class Rows:
    """raw, coarse -- per input row its values before and after; kept -- whether it is released; trees -- one per column."""

    raw: list[tuple[str, ...]]
    coarse: list[tuple[str, ...]]
    kept: list[bool]
    trees: list[Tree]
    levels: tuple[int, ...]

    def share(self, column: int, label: str, level: int) -> float:
        """Return the share of hierarchy rows that have this label at this level."""
        tree = self.trees[column]
        return sum(labels[level] == label for labels in tree.values()) / len(tree)

    def row_shares(self) -> list[list[float]]:
        """Return the share of every row's value in every column."""
        known: dict[tuple[int, str], float] = {}
        for row in set(self.coarse):
            for column, label in enumerate(row):
                known.setdefault((column, label), self.share(column, label, self.levels[column]))
        return [[known[column, label] for column, label in enumerate(row)] for row in self.coarse]

    def recoded(self) -> Recoded:
        """Return what the metrics see: distinct raw tuples with their counts, everything as codes."""
        counts = Counter(self.raw)
        tuples = sorted(counts)
        shares = dict(zip(self.raw, self.row_shares(), strict=True))
        after = dict(zip(self.raw, self.coarse, strict=True))
        kept = dict(zip(self.raw, self.kept, strict=True))
        classes = {row: number for number, row in enumerate(sorted(set(self.coarse)))}
        m = len(self.trees)
        raw_codes = [{value: code for code, value in enumerate(sorted({row[j] for row in self.raw}))} for j in range(m)]
        new_codes = [{value: code for code, value in enumerate(sorted({row[j] for row in self.coarse}))} for j in range(m)]
        leaves = np.array([len(tree) for tree in self.trees])
        return Recoded(
            weights=np.array([counts[row] for row in tuples]),
            kept=np.array([kept[row] for row in tuples]),
            class_of=np.array([classes[after[row]] for row in tuples]),
            codes=np.array([[raw_codes[j][row[j]] for j in range(m)] for row in tuples]),
            generalized=np.array([[new_codes[j][after[row][j]] for j in range(m)] for row in tuples]),
            shares=np.array([shares[row] for row in tuples]),
            leaf_shares=1 / leaves,
            leaves=leaves,
            levels=np.tile(np.array(self.levels), (len(tuples), 1)),
            heights=np.array([len(next(iter(tree.values()))) - 1 for tree in self.trees]),
            names=tuple(f"c{j}" for j in range(m)),
        )


def release(raw: Sequence[tuple[str, ...]], trees: Sequence[Tree], levels: tuple[int, ...], k: int) -> Rows:
    """Return the full-domain recoding at these levels, classes of fewer than k rows suppressed."""
    coarse = [tuple(tree[value][level] for tree, value, level in zip(trees, row, levels, strict=True)) for row in raw]
    sizes = Counter(coarse)
    return Rows(raw=list(raw), coarse=coarse, kept=[sizes[row] >= k for row in coarse], trees=list(trees), levels=levels)
