"""Query error: how wrong counts are when they are asked of the release instead of the original."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Recoded
from tacit.anonymize.utility.loss import Score
from tacit.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryError:
    """Mean relative error over random count queries; 0 when nothing changed.

    queries     -- number of queries; >= 1.
    columns     -- columns a query asks about, drawn at random; at least 1, at most as many as there are.
    selectivity -- share of the domain that a query asks for; 0 < selectivity < 1: of each of its c columns of d distinct raw
                   values it draws ceil(d * selectivity^(1/c)).
    floor       -- the error is |estimate - count| / max(count, floor * n) over n input rows; 0 < floor < 1.
    seed        -- of the public workload: no secret depends on it.

    A reader of the release takes the values of a class as spread evenly over the raw values that its released value stands for
    (those that occur in the input), independently per column; suppressed rows are missing.
    Source: Xiao & Tao 2006 (Anatomy), section 6, for the workload; Xiao et al. 2011 (Privelet) for the floor.
    """

    queries: int = 1000
    columns: int = 2
    selectivity: float = 0.1
    floor: float = 0.001
    seed: int = 0

    def __post_init__(self) -> None:
        if self.queries < 1 or self.columns < 1 or not 0 < self.selectivity < 1 or not 0 < self.floor < 1:
            raise ConfigError(
                "a query workload needs queries >= 1, columns >= 1 and selectivity and floor between 0 and 1, got "
                f"{self.queries}, {self.columns}, {self.selectivity}, {self.floor}. Start with 1000, 2, 0.1 and 0.001."
            )

    def score(self, recoded: Recoded) -> Score:
        """Return the mean of the queries' relative errors."""
        return float(self.errors(recoded).mean())

    def errors(self, recoded: Recoded) -> NDArray[np.float64]:
        """Return the relative error of each query, shape (queries,)."""
        generator = np.random.default_rng(self.seed)
        spreads = [_Spread(*pair) for pair in zip(recoded.codes.T, recoded.generalized.T, strict=True)]
        asked = min(self.columns, len(spreads))
        part = self.selectivity ** (1 / asked)
        released = np.where(recoded.kept, recoded.weights, 0)
        errors = np.empty(self.queries)
        for query in range(self.queries):
            count, estimate = recoded.weights.astype(np.float64), released.astype(np.float64)
            for column in generator.choice(len(spreads), asked, replace=False):
                spread = spreads[column]
                wanted = np.zeros(spread.values, dtype=np.bool_)
                wanted[generator.choice(spread.values, int(np.ceil(part * spread.values)), replace=False)] = True
                count *= wanted[spread.raw]
                estimate *= spread.parts(wanted)[spread.released]
            true = count.sum()
            errors[query] = abs(estimate.sum() - true) / max(true, self.floor * recoded.rows)
        return errors

    def to_json(self) -> dict[str, Any]:
        names = ("queries", "columns", "selectivity", "floor", "seed")
        return {"metric": "query error", **{name: getattr(self, name) for name in names}}


class _Spread:
    """One column: which raw values each released value stands for.

    raw, released -- shape (t,): codes of each tuple, numbered from 0 without gaps.
    """

    def __init__(self, raw: NDArray[np.int64], released: NDArray[np.int64]) -> None:
        known, self.raw = np.unique(raw, return_inverse=True)
        self.values = len(known)
        _, self.released = np.unique(released, return_inverse=True)
        pairs = np.unique(self.released * self.values + self.raw)
        self._label, self._value = np.divmod(pairs, self.values)
        self._sizes = np.bincount(self._label)

    def parts(self, wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return for each released value the part of its raw values that is wanted; wanted -- shape (values,)."""
        return np.asarray(np.bincount(self._label, weights=wanted[self._value]) / self._sizes)
