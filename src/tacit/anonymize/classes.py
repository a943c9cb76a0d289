"""What privacy models and metrics see of a recoded table: classes of equal quasi-identifiers, as arrays of whole numbers.

A class is a set of rows that a recoding made equal in every quasi-identifier. Everything here is numpy: c classes, t distinct
tuples of raw values, m quasi-identifiers. No value of the data is in it, only codes and counts (labels excepted: they name the
codes of a sensitive column for models that are given an order or a tree of its values).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How often each value of one sensitive column occurs in each class; sparse.

    class_of -- shape (e,): number of the class, 0 <= class_of < c; entries are sorted by (class_of, values), no pair twice.
    values   -- shape (e,): code of the value, 0 <= value < m. A missing value is one of them.
    counts   -- shape (e,): rows of the class with that value; >= 1.
    totals   -- shape (m,): rows with each value in the whole input, rows that are suppressed later included.
    labels   -- m texts: which code is which value; None is the missing one.
    """

    class_of: NDArray[np.int64]
    values: NDArray[np.int64]
    counts: NDArray[np.int64]
    totals: NDArray[np.int64]
    labels: tuple[str | None, ...]

    def select(self, mask: NDArray[np.bool_]) -> "Histogram":
        """Return the entries of the classes of a mask of shape (c,), numbered again in their order; totals stay."""
        number = np.cumsum(mask) - 1
        chosen = mask[self.class_of]
        return Histogram(
            class_of=number[self.class_of[chosen]],
            values=self.values[chosen],
            counts=self.counts[chosen],
            totals=self.totals,
            labels=self.labels,
        )


@dataclass(frozen=True, kw_only=True)
class Classes:
    """The classes that a recoding makes, before any is suppressed.

    sizes      -- shape (c,): rows of each class; >= 1, except that models of delta-presence see the population's rows here.
    rows       -- n: input rows.
    sensitive  -- per sensitive column its histogram.
    subset     -- shape (c,): rows of the research subset in each class; `sizes` then counts the population (delta-presence).
    population -- shape (c,): rows of the population table in each class (k-map, journalist risk); None without such a table.
    codes      -- per quasi-identifier, shape (c,): code of the class's generalized value.
    lost       -- shape (c,): share of a row's information that the class loses, see `information_lost`; None: not measured.
    """

    sizes: NDArray[np.int64]
    rows: int
    sensitive: Mapping[str, Histogram] = field(default_factory=dict)
    subset: NDArray[np.int64] | None = None
    population: NDArray[np.int64] | None = None
    codes: tuple[NDArray[np.int64], ...] = ()
    lost: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.sizes)

    def select(self, mask: NDArray[np.bool_]) -> Self:
        """Return the classes of a mask of shape (c,), numbered again in their order; `rows` and totals are unchanged."""
        return type(self)(
            sizes=self.sizes[mask],
            rows=self.rows,
            sensitive={name: histogram.select(mask) for name, histogram in self.sensitive.items()},
            subset=None if self.subset is None else self.subset[mask],
            population=None if self.population is None else self.population[mask],
            codes=tuple(codes[mask] for codes in self.codes),
            lost=None if self.lost is None else self.lost[mask],
        )


def information_lost(shares: NDArray[np.float64], leaves: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of a row's information that is lost, shape (r,): 0 where all is raw, 1 where all is "*".

    shares -- shape (r, m): share of each column's domain that a value covers; at least 1 / leaves is taken, numbers without rows
    in a hierarchy too. leaves -- shape (m,): sizes of the domains; 0 is returned where all are of one value.
    Source: Wan et al. 2015 (PLoS ONE 10(3) e0120592), the publisher's loss of entropy over the largest possible.
    """
    most = float(np.log10(leaves.astype(np.float64)).sum())
    covered = np.log10(np.maximum(shares, 1.0 / leaves)).sum(axis=1)
    return np.asarray(1.0 + covered / most) if most > 0 else np.zeros(len(shares))


@dataclass(frozen=True, kw_only=True)
class Recoded:
    """What a recoding made of every distinct tuple of raw values; what a metric is computed from.

    weights     -- shape (t,): input rows that hold the tuple; >= 1; they sum to n.
    kept        -- shape (t,): whether its rows are released; the others are suppressed.
    class_of    -- shape (t,): number of its class, 0 <= class_of < c; suppressed tuples have the class they would be in.
    codes       -- shape (t, m): code of each raw value.
    generalized -- shape (t, m): code of each released value, one numbering per column; equal codes are equal released values.
    shares      -- shape (t, m): share of its column's domain that the released value covers; 1 for "*".
    leaf_shares -- shape (m,): share of the domain that a raw value stands for.
    leaves      -- shape (m,): size of each column's domain: rows of the hierarchy, where it has rows; otherwise distinct values.
    levels      -- shape (t, m): level of each released value, 0 the raw value; under local recoding the lowest that covers it.
    heights     -- shape (m,): top level of each column ("*"); >= 1.
    names       -- the m quasi-identifiers, for metrics with a weight per column; may be empty.
    """

    weights: NDArray[np.int64]
    kept: NDArray[np.bool_]
    class_of: NDArray[np.int64]
    codes: NDArray[np.int64]
    generalized: NDArray[np.int64]
    shares: NDArray[np.float64]
    leaf_shares: NDArray[np.float64]
    leaves: NDArray[np.int64]
    levels: NDArray[np.int64]
    heights: NDArray[np.int64]
    names: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Input rows, suppressed ones included."""
        return int(self.weights.sum())
