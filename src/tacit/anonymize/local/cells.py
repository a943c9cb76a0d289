"""Cell suppression: rows that a full-domain recoding would leave out come back with some of their cells as "*"."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.hierarchies import ANY
from tacit.anonymize.local.iterative import recode_rounds, rounds_of
from tacit.anonymize.privacy_models.model import PrivacyModel
from tacit.anonymize.recoding import Node, TupleRecoding
from tacit.anonymize.utility.loss import Loss
from tacit.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class CellSuppression:
    """Full-domain recoding, whose suppressed rows return with single cells as "*" where classes of them hold the models.

    limit -- largest share of the cells of quasi-identifiers that may become "*" in this way; 0 < limit <= 1.
    """

    limit: float

    def __post_init__(self) -> None:
        if not 0 < self.limit <= 1:
            raise ConfigError(
                f"the limit of cell suppression must be > 0 and <= 1, got {self.limit}. It is a share of cells: 0.05 for 5%."
            )

    def to_json(self) -> dict[str, Any]:
        return {"recoding": "cell suppression", "limit": self.limit}


def with_cells(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    recoding: TupleRecoding,
    node: Node,
    how: CellSuppression,
) -> TupleRecoding:
    """Return a full-domain recoding at `node` with suppressed rows brought back, those first that need the fewest cells.

    The rows left out search the lattice of two levels per column, the node's and "*", in rounds.
    """
    narrow = [_two_levels(column, level) for column, level in zip(coded, node, strict=True)]
    codes = tuple(column.codes[level][raw] for column, level, raw in zip(coded, node, tuples.codes, strict=True))
    tops = tuple(column.levels - 1 for column in coded)
    left = int(Fraction(str(how.limit)) * tuples.rows * len(coded))
    rounds = [(node, recoding.kept)]
    for raised, released in rounds_of(narrow, replace(tuples, codes=codes), models, Loss(), open_=~recoding.kept):
        left -= sum(raised) * int(tuples.weights[released].sum())
        if left < 0:
            break
        rounds.append((tuple(top if up else level for top, up, level in zip(tops, raised, node, strict=True)), released))
    return recode_rounds(coded, tuples, rounds)


def _two_levels(column: CodedColumn, level: int) -> CodedColumn:
    """Return the column as if its values at `level` were the raw ones, and "*" the only level above."""
    count = column.cardinality(level)
    share = np.zeros(count)
    share[column.codes[level]] = column.shares[level]
    codes = (np.arange(count, dtype=np.int64), np.zeros(count, dtype=np.int64))
    if level == column.levels - 1:
        return replace(column, codes=codes[:1], labels=(), shares=(np.ones(count),))
    return replace(column, codes=codes, labels=((ANY,),), shares=(share, np.ones(count)))
