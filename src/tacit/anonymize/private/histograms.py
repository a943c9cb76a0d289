"""Histograms and cross tables with noise: all of them in one release, then made to look like counts.

Sensitivity. A row lies in exactly one cell of each of m histograms, so zeroing it moves the vector of all their counts by exactly
sqrt(m) in L2: one Gaussian release for all, with that sensitivity. Counts are whole numbers, exact in float64.
Making them non-negative and consistent is post-processing of what was released. The number of rows is public.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.private.descent import Measured, fitted
from tacit.anonymize.private.domain import Domain
from tacit.anonymize.private.graphical_model import GraphicalModel
from tacit.anonymize.private.junction_tree import tree_cells
from tacit.anonymize.private.marginals import Marginals
from tacit.anonymize.private.spending import DRAWS, Spending, steps_block
from tacit.errors import ConfigError
from tacit.noise.source import OsSource, Source
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger import Ledger
from tacit.tables.table import Table

Floats = NDArray[np.float64]

_MOST_CELLS = 2_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Histogram:
    """Released counts of one or several columns.

    columns -- in the domain's order. labels -- for each column, what each of its places stands for; None: missing or not declared.
    noisy   -- the released counts, an array of one axis per column: unbiased, may be negative.
    counts  -- non-negative, and adding up to the number of rows: biased where cells are rare.
    deviation -- standard deviation of each noisy count.
    """

    columns: tuple[str, ...]
    labels: tuple[tuple[str | None, ...], ...]
    noisy: Floats
    counts: Floats
    deviation: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Histograms:
    """The histograms of one release, in the order asked for, and what they promise together.

    domain  -- declared bins and categories. rows -- public number of rows.
    private -- whether the noise protects anyone (False for seeded test noise).
    """

    histograms: tuple[Histogram, ...]
    domain: Domain
    rows: int
    guarantee: Guarantee
    private: bool

    def consistent(self, iterations: int = 1000) -> GraphicalModel:
        """Return the distribution nearest to all noisy counts: its marginals are non-negative and agree wherever columns are shared.

        iterations -- steps of mirror descent; >= 1. Raises ConfigError when the histograms overlap so much that it would be too large.
        """
        sets = [self.domain.places(one.columns) for one in self.histograms]
        cells = tree_cells(self.domain.sizes, sets)
        if cells > _MOST_CELLS:
            raise ConfigError(
                f"a distribution that agrees with all of these histograms would have {cells} cells, more than {_MOST_CELLS}. "
                "Use their counts as they are, or ask for fewer that overlap."
            )
        measured = [
            Measured(attributes=places, values=one.noisy, deviation=one.deviation)
            for places, one in zip(sets, self.histograms, strict=True)
        ]
        return fitted(self.domain.sizes, measured, total=float(self.rows), iterations=iterations)


def private_histograms(
    table: Table,
    domain: Domain,
    questions: Sequence[Sequence[str]],
    *,
    epsilon: float,
    delta: float,
    ledger: Ledger,
    budget: str,
    request_id: str | None = None,
    source: Source | None = None,
) -> Histograms:
    """Pay, then release the counts of each question, a list of column names, with normal noise in one release.

    table -- original rows; their number is taken as public. domain -- declared bins and categories.
    epsilon, delta -- of all histograms together, for one row, zero-out neighbours; charged to `budget` in the ledger.
    request_id -- unique in the ledger; drawn at random when None. source -- of the noise; the operating system by default.
    Raises ConfigError, DataError or BudgetExceeded before anything is counted.
    """
    if isinstance(questions, str) or not questions or any(isinstance(one, str) for one in questions):
        raise ConfigError(
            f'questions must be lists of column names, got {questions!r}. Write [["age"], ["age", "sex"]] for one column and for a pair.'
        )
    marginals = Marginals(codes=domain.encode(table), sizes=domain.sizes)
    asked = [domain.places(one) for one in questions]
    if len(set(asked)) != len(asked):
        raise ConfigError("a question is asked twice: both answers would be paid for and noisier than one. Ask each once.")
    cells = [marginals.cells(one) for one in asked]
    chance = OsSource.from_os() if source is None else source
    steps = -(-sum(cells) // DRAWS)
    block = steps_block(epsilon=epsilon, delta=delta, steps=steps)
    purpose = f"{len(asked)} histograms with {sum(cells)} cells"
    with Spending(block=block, ledger=ledger, budget=budget, request_id=request_id, purpose=purpose, source=chance) as spending:
        counts = np.concatenate([marginals.counts(one).ravel() for one in asked])
        noisy, deviation = spending.noisy(counts, sensitivity=joint_sensitivity(len(asked)), steps=steps)
    pieces = np.split(noisy, np.cumsum(cells)[:-1])
    made = []
    for one, piece in zip(asked, pieces, strict=True):
        attributes = [domain.attributes[place] for place in one]
        shape = [attribute.size for attribute in attributes]
        made.append(
            Histogram(
                columns=tuple(attribute.name for attribute in attributes),
                labels=tuple(attribute.labels for attribute in attributes),
                noisy=piece.reshape(shape),
                counts=nearest_counts(piece, float(table.n_rows)).reshape(shape),
                deviation=deviation,
            )
        )
    return Histograms(histograms=tuple(made), domain=domain, rows=table.n_rows, guarantee=block.guarantee, private=chance.private)


def joint_sensitivity(histograms: int) -> float:
    """Return sqrt(histograms), rounded up: how far zeroing one row moves all their counts in L2."""
    return math.sqrt(histograms) * (1 + 2.0**-50)


def nearest_counts(noisy: Floats, total: float) -> Floats:
    """Return the non-negative counts, shape (d,), that add up to total >= 0 and lie nearest to the noisy ones in L2.

    Source: Duchi, Shalev-Shwartz, Singer & Chandra 2008, doi:10.1145/1390156.1390191, Figure 1: subtract one number, cut off at 0.
    """
    descending = np.sort(noisy)[::-1]
    excess = (np.cumsum(descending) - total) / np.arange(1, len(noisy) + 1)
    kept = np.flatnonzero(descending > excess)  # empty when nothing is to be shared out
    return np.maximum(noisy - excess[kept[-1]], 0.0) if len(kept) else np.zeros_like(noisy)
