"""Cell suppression: rows that a full-domain recoding would leave out come back with some of their cells as "*"."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tacit.anonymize.classes import Recoded
from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.hierarchies import ANY
from tacit.anonymize.local.iterative import recode_rounds, rounds_of
from tacit.anonymize.privacy_models.model import PrivacyModel
from tacit.anonymize.recoding import Node, TupleRecoding
from tacit.anonymize.search import Deadline, Metric, Progress, put_off
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
    *,
    metric: Metric,
    deadline: Deadline,
    on_progress: Progress | None = None,
) -> TupleRecoding:
    """Return a full-domain recoding at `node` with suppressed rows brought back, those first whose cells cost least.

    The rows left out search the lattice of two levels per column, the node's and "*", in rounds.

    metric      -- what the cells cost; deadline -- when to bring no more rows back.
    on_progress -- called with (rows that came back, rows that were left out).
    """
    narrow = [_two_levels(column, level) for column, level in zip(coded, node, strict=True)]
    codes = tuple(column.codes[level][raw] for column, level, raw in zip(coded, node, tuples.codes, strict=True))
    tops = tuple(column.levels - 1 for column in coded)
    left = int(Fraction(str(how.limit)) * tuples.rows * len(coded))
    out, back = int(tuples.weights[~recoding.kept].sum()), 0

    def with_levels(recoded: Recoded) -> Recoded:
        """Of two levels, 0 stands for the node's and 1 for "*"."""
        return replace(recoded, levels=np.where(recoded.levels > 0, np.array(tops), np.array(node)), heights=np.array(tops))

    rounds = [(node, recoding.kept)]
    narrowed = replace(tuples, codes=codes)
    for raised, released in rounds_of(
        narrow, narrowed, models, put_off(metric, with_levels), open_=~recoding.kept, deadline=deadline
    ):
        rows = int(tuples.weights[released].sum())
        left -= sum(raised) * rows
        if left < 0:
            break
        rounds.append((tuple(top if up else level for top, up, level in zip(tops, raised, node, strict=True)), released))
        back += rows
        if on_progress:
            on_progress(back, out)
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
