"""Re-identification risk of a table, from the sizes of its classes of equal quasi-identifiers.

The prosecutor knows that a person is in the table and knows their quasi-identifiers: the chance to pick the right row of a
class E is 1 / |E|.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column
from tacit.errors import ConfigError, DataError
from tacit.models.finding import Basis, Finding


@dataclass(frozen=True, kw_only=True, slots=True)
class Risk:
    """Prosecutor risk of one table. Exact statistics of private rows: for the custodian, not for release.

    rows       -- rows in the table; classes -- classes of rows with equal quasi-identifiers.
    highest    -- 1 / rows of the smallest class; 0 < highest <= 1.
    average    -- classes / rows: the mean over rows of 1 / |E|.
    threshold  -- the risk above which a row counts in `above`; 0 < threshold <= 1.
    above      -- share of rows with 1 / |E| > threshold, so in classes smaller than 1 / threshold.
    unique     -- rows that are alone in their class.
    class_sizes -- (rows of a class, number of such classes), smallest first.
    """

    rows: int
    classes: int
    highest: float
    average: float
    threshold: float
    above: float
    unique: int
    class_sizes: tuple[tuple[int, int], ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def findings(self, when: str) -> tuple[Finding, ...]:
        """Return the figures as findings; `when` tells tables apart in their names: "before", "after"."""
        method = "prosecutor risk: 1 / rows of the class of equal quasi-identifiers"
        assumption = (
            "the attacker knows that the person is in the table and knows all quasi-identifiers; missing is a value of its own"
        )

        def finding(name: str, value: float, unit: str, **more: object) -> Finding:
            return Finding(
                kind="reidentification-risk",
                name=f"{name}, {when}",
                value=value,
                unit=unit,
                basis=Basis.EXACT,
                method=method,
                n=self.rows,
                assumption=assumption,
                details={"classes": self.classes, **more},
            )

        return (
            finding("highest risk", self.highest, "share", when=when, class_sizes=[list(pair) for pair in self.class_sizes]),
            finding("average risk", self.average, "share"),
            finding(f"rows above risk {self.threshold:g}", self.above, "share"),
            finding("unique rows", self.unique, "rows"),
        )


def measure_risk(data: pa.Table, quasi: Sequence[str], *, threshold: float) -> Risk:
    """Return the prosecutor risk of a table by these quasi-identifiers; a missing value is a value of its own.

    threshold -- 1 / k for a table meant to be k-anonymous.
    Raises DataError when the table is empty or lacks a column, ConfigError when quasi is empty or threshold is not in (0, 1].
    """
    check_threshold(threshold)
    if data.num_rows == 0:
        raise DataError("the table has no rows, so no risk to measure. Check the file and its filters.")
    sizes = class_sizes(data, quasi)
    smallest, rows = int(sizes.min()), data.num_rows
    small = sizes[sizes < math.ceil(round(1 / threshold, 9))]
    return Risk(
        rows=rows,
        classes=len(sizes),
        highest=1 / smallest,
        average=len(sizes) / rows,
        threshold=threshold,
        above=int(small.sum()) / rows,
        unique=int((sizes == 1).sum()),
        class_sizes=tuple(zip(*(part.tolist() for part in np.unique(sizes, return_counts=True)), strict=True)),
    )


def class_sizes(data: pa.Table, quasi: Sequence[str]) -> NDArray[np.int64]:
    """Return the rows of each class of equal quasi-identifiers, in no order; a missing value equals a missing value."""
    check_quasi(quasi)
    table = pa.table({name: get_column(data, name) for name in quasi})
    counted = table.group_by(list(quasi)).aggregate([([], "count_all")])
    return np.asarray(counted.column("count_all").to_numpy()).astype(np.int64)


def check_quasi(quasi: Sequence[str]) -> None:
    """Raise ConfigError unless at least one column is named, each once."""
    if not quasi:
        raise ConfigError("name at least one quasi-identifier: without one, all rows are one class.")
    twice = sorted({name for name in quasi if list(quasi).count(name) > 1})
    if twice:
        raise ConfigError(
            f"the quasi-identifiers {twice} are named more than once; a column tells rows apart once. Name each once."
        )


def check_threshold(threshold: float) -> None:
    """Raise ConfigError unless a risk threshold lies in (0, 1]."""
    if not 0 < threshold <= 1:
        raise ConfigError(f"the risk threshold must be > 0 and <= 1, got {threshold}. Use 1 / k, for example 0.2.")
