"""PRAM, the post-randomization method: each category becomes another one with declared chances. Not differential privacy here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from tacit.anonymize.columns import get_column
from tacit.anonymize.perturb.columns import check_names, with_columns
from tacit.anonymize.perturb.draws import fractions
from tacit.anonymize.perturb.linkage import Linkage
from tacit.anonymize.perturb.perturbed import Perturbed, check_attacker, check_whole, finish
from tacit.errors import ConfigError, DataError, ShapeError
from tacit.noise.source import Source


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Transition:
    """The chances with which categories become one another.

    categories -- k >= 2 different texts: every value that the column may have.
    matrix     -- shape (k, k), read-only: row i holds the chances of what categories[i] becomes; each >= 0, each row's sum 1.
    """

    categories: Sequence[str]
    matrix: NDArray[np.float64] = field(repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.categories, str) or len(self.categories) < 2 or len(set(self.categories)) != len(self.categories):
            raise ConfigError(
                f"PRAM needs at least 2 different categories, got {self.categories!r}. Name every value of the column."
            )
        object.__setattr__(self, "categories", tuple(self.categories))
        matrix = np.array(self.matrix, dtype=np.float64)
        size = len(self.categories)
        if matrix.shape != (size, size):
            raise ShapeError(f"the matrix must have shape ({size}, {size}), one row per category, got {matrix.shape}.")
        if not (matrix >= 0).all() or not np.allclose(matrix.sum(axis=1), 1.0, rtol=0, atol=1e-9):
            raise ConfigError(
                f"every row of the matrix must hold chances >= 0 whose sum is 1; the sums are {matrix.sum(axis=1).tolist()}. "
                "Row i says what category i becomes. Use Transition.retaining for a start."
            )
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def retaining(cls, categories: Sequence[str], share: float) -> "Transition":
        """Return the chances under which a value stays with probability `share`, 0 <= share <= 1, and else becomes any other alike."""
        if not 0 <= share <= 1:
            raise ConfigError(f"the share that stays must lie in 0..1, got {share}: it is a probability. 0.8 is a start.")
        size = len(categories)
        matrix = np.full((size, size), (1 - share) / max(1, size - 1))
        np.fill_diagonal(matrix, share)
        return cls(categories=categories, matrix=matrix)

    def invariant(self, counts: ArrayLike) -> "Transition":
        """Return chances that leave the expected counts of all categories as they are.

        counts -- shape (k,), rows of each category, >= 0, not all 0.
        R = P Q, with Q the chances of the original given the outcome: q[j, i] = p[i, j] t[i] / sum over l of p[l, j] t[l]. Then t R = t.
        Source: Kooiman, Willenborg & Gouweleeuw 1997, PRAM: a method for disclosure limitation (two-stage PRAM).
        """
        found = np.asarray(counts, dtype=np.float64)
        if found.shape != (len(self.categories),) or not (found >= 0).all() or not found.sum() > 0:
            raise ShapeError(f"counts must hold {len(self.categories)} numbers >= 0, one per category, got {found.tolist()}.")
        joint = self.matrix * found[:, None]
        outcome = joint.sum(axis=0)
        seen = outcome > 0
        back = np.eye(len(found))
        back[seen] = (joint[:, seen] / outcome[seen]).T
        matrix = self.matrix @ back
        matrix[found == 0] = np.eye(len(found))[found == 0]  # no row has it: nothing is spent on it
        return Transition(categories=self.categories, matrix=matrix / matrix.sum(axis=1, keepdims=True))

    def estimate(self, counts: ArrayLike) -> NDArray[np.float64]:
        """Return the unbiased estimate of the original counts from the perturbed ones, shape (k,); it may be negative.

        Source: Gouweleeuw et al. 1998, Post randomisation for statistical disclosure control, J. Official Statistics 14(4).
        Raises ConfigError when the matrix cannot be inverted.
        """
        if np.linalg.matrix_rank(self.matrix) < len(self.categories):
            raise ConfigError("this matrix cannot be inverted: two categories become others with equal chances. Retain more.")
        return np.asarray(np.linalg.solve(self.matrix.T, np.asarray(counts, dtype=np.float64)))

    def to_json(self) -> dict[str, Any]:
        return {"categories": list(self.categories), "matrix": self.matrix.tolist()}


def pram(
    table: pa.Table,
    column: str,
    transition: Transition,
    *,
    source: Source,
    invariant: bool = False,
    attacker: Linkage | None = None,
) -> Perturbed:
    """Return the table with one categorical column randomized; missing stays missing.

    transition -- chances for every value of the column; from `Transition.retaining`, or yours.
    invariant  -- whether to use the chances made invariant for this column's counts, so that they stay in expectation. The chances
                  then tell the counts: both are for the custodian.
    attacker   -- whose linkage is measured; by default one who knows the column.
    Raises DataError when the column has a value that is not among the categories (the value is not shown).
    """
    check_names(table, [column])
    check_whole(table)
    check_attacker(table, attacker, table.column_names)
    array = get_column(table, column)
    values = _typed(transition, array.type, column)
    places = pc.index_in(array, value_set=values)
    present = np.asarray(array.is_valid())
    codes = pc.fill_null(places, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    if (codes[present] < 0).any():
        row = int(np.flatnonzero(present & (codes < 0))[0]) + 1
        raise DataError(
            f"column {column!r} has in row {row} (counted from 1) a value that is not among the {len(values)} categories, so it has no "
            "chances. Name every value, or correct the row. The value is not shown."
        )
    if invariant:
        transition = transition.invariant(np.bincount(codes[present], minlength=len(values)))
    made = _drawn(codes, transition.matrix, fractions(table.num_rows, source))
    released = values.take(pa.array(made, pa.int64(), mask=~present))
    return finish(
        table,
        with_columns(table, {column: released}),
        [column],
        method="PRAM" + (", invariant" if invariant else ""),
        parameters={"column": column, "invariant": invariant, **transition.to_json()},
        source=source,
        attacker=attacker,
    )


def _typed(transition: Transition, kind: pa.DataType, column: str) -> pa.Array:
    try:
        return pa.array(transition.categories, pa.string()).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            f"the categories cannot be read as {kind}, which column {column!r} holds, so no value could be one of them. "
            "Write them as they stand in the data."
        ) from None


def _drawn(codes: NDArray[np.int64], matrix: NDArray[np.float64], chances: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return what each code becomes: the place where its row's running sum passes its chance."""
    made = codes.copy()
    sums = np.cumsum(matrix, axis=1)
    for code in range(len(matrix)):
        at = np.flatnonzero(codes == code)
        last = int(np.flatnonzero(matrix[code] > 0)[-1])  # where rounding leaves the whole sum below 1
        made[at] = np.minimum(np.searchsorted(sums[code], chances[at], side="right"), last)
    return made
