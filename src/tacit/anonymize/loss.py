"""Loss: how much a release blurred, as ARX computes it (the NCP / GCP family), with both of its factors 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError

Aggregate = Literal["arithmetic mean", "geometric mean"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """Share of the information that a release loses: 0 when nothing changed, 1 when every value became "*".

    aggregate -- how the losses of the columns become one number: their arithmetic mean, or the geometric mean
                 (product of (loss + 1))^(1/m) - 1 over m columns.

    Loss of one column, with n input rows: a released value counts the share of its domain that it covers, a value of a
    suppressed row counts 1. With their sum r, and b = n * share of a raw value:
    floor to 10 decimals of max(0, (r - b) / (n - b)); 0 for a domain of one value. ARX's factors for suppression and
    generalization are both 1 (its slider at 0.5).
    """

    aggregate: Aggregate = "arithmetic mean"

    def __post_init__(self) -> None:
        if self.aggregate not in get_args(Aggregate):
            raise ConfigError(f"the loss knows the aggregates {', '.join(get_args(Aggregate))}; got {self.aggregate!r}.")

    def columns(self, shares: NDArray[np.float64], rows: int, leaf_shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the loss of each column from its sum of shares r over all input rows.

        shares -- shape (..., m); leaf_shares -- shape (m,) or broadcastable; rows -- n. Returns the shape of shares.
        """
        room = rows * (1.0 - leaf_shares)
        value = np.maximum(0.0, shares - rows * leaf_shares) / np.where(room > 0, room, 1.0)
        return np.where(room > 0, np.floor(value * 1e10) / 1e10, 0.0)

    def combine(self, columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the aggregate for every combination of one loss per column: m arrays (a,), (b,), ... give shape (a, b, ...).

        Each result is a non-decreasing function of every loss, in floating point too (the same operations in the same order), so
        the bound of a lattice node never exceeds its loss.
        """
        if self.aggregate == "geometric mean":
            return np.asarray(reduce(np.multiply.outer, [column + 1.0 for column in columns]) ** (1.0 / len(columns)) - 1.0)
        return np.asarray(reduce(np.add.outer, columns) / len(columns))
