"""Journalist and marketer risk: re-identification by someone who sees the population, not who of it is in the table.

F is the number of people of the population whom the quasi-identifiers of a class E of the table fit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.anonymize.columns import get_column
from tacit.anonymize.hierarchies import Hierarchy
from tacit.anonymize.risk.coverage import covering_pairs, crowd
from tacit.anonymize.risk.prosecutor import check_quasi, check_threshold
from tacit.errors import DataError
from tacit.models.finding import Basis, Finding


@dataclass(frozen=True, kw_only=True, slots=True)
class PopulationRisk:
    """Journalist and marketer risk of one table within a population. Exact statistics of private rows: for the custodian.

    rows, population_rows -- rows of the table and of the population.
    highest   -- journalist: 1 / F of the smallest F; 0 < highest <= 1.
    average   -- journalist: the larger of classes / sum of F and sum of |E| / F over rows.
    threshold -- the risk above which a row counts in `above`; above -- share of rows with 1 / F > threshold.
    marketer  -- sum of |E| / F over rows: the share of rows that a linkage of the whole table gets right on average.

    Source: El Emam 2013, Guide to the De-Identification of Personal Health Information, chapters 16 and 17; ARX 3.9.2.
    """

    rows: int
    population_rows: int
    highest: float
    average: float
    threshold: float
    above: float
    marketer: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def findings(self, when: str) -> tuple[Finding, ...]:
        """Return the figures as findings; `when` tells tables apart in their names: "before", "after"."""
        journalist = (
            "the attacker does not know who is in the table, and has a register of the population with all quasi-identifiers"
        )
        marketer = f"{journalist}; links every row and gains by the number of right links"
        return tuple(
            Finding(
                kind="reidentification-risk",
                name=f"{name}, {when}",
                value=value,
                unit="share",
                basis=Basis.EXACT,
                method="1 / people of the population with the quasi-identifiers of the row",
                n=self.rows,
                assumption=assumption,
                details={"population_rows": self.population_rows},
            )
            for name, value, assumption in (
                ("largest journalist risk", self.highest, journalist),
                ("average journalist risk", self.average, journalist),
                (f"rows above journalist risk {self.threshold:g}", self.above, journalist),
                ("marketer risk", self.marketer, marketer),
            )
        )


def measure_population_risk(
    data: pa.Table,
    population: pa.Table,
    quasi: Sequence[str],
    *,
    threshold: float,
    hierarchies: Mapping[str, Hierarchy] | None = None,
) -> PopulationRisk:
    """Return the journalist and marketer risk of a table, or of a release of it, whose people are part of a population.

    population  -- the raw values of everyone the table was drawn from; holds every row of `data`. F of a class are the people whose
                   values its labels stand for: with raw values those that are equal in all quasi-identifiers.
    threshold   -- 1 / k for a table meant to be k-mapped.
    hierarchies -- of generalized columns, so that a label is known to stand for a value.
    Raises DataError when a table is empty or lacks a column, types differ in a column without a hierarchy, or the population has
    fewer rows of a class than the table; ConfigError when quasi is empty or threshold is not in (0, 1].
    """
    check_quasi(quasi)
    check_threshold(threshold)
    if data.num_rows == 0:
        raise DataError("the table has no rows, so no risk to measure. Check the file and its filters.")
    hierarchies = hierarchies or {}
    for name in quasi:
        ours, theirs = (get_column(table, name).type for table in (data, population))
        if ours != theirs and name not in hierarchies:
            raise DataError(
                f"column {name!r} is {ours} in the table and {theirs} in the population, so no value equals another. Read both alike, "
                "or give the hierarchy that the column was generalized by."
            )
    classes, everyone = crowd(data, quasi), crowd(population, quasi)
    tuples, of_class = covering_pairs(everyone, classes, quasi, hierarchies)
    people = np.bincount(of_class, weights=everyone.rows[tuples], minlength=len(classes.rows)).astype(np.int64)
    if (people < classes.rows).any():
        raise DataError(
            f"{int((people < classes.rows).sum())} of {len(people)} classes have more rows in the table than in the population, which must "
            "hold everyone of the table. Give the whole population, and the hierarchies of generalized columns."
        )
    linked = float((classes.rows / people).sum()) / data.num_rows
    exposed = classes.rows[people < math.ceil(round(1 / threshold, 9))].sum()
    return PopulationRisk(
        rows=data.num_rows,
        population_rows=population.num_rows,
        highest=1 / int(people.min()),
        average=max(len(people) / int(people.sum()), linked),
        threshold=threshold,
        above=int(exposed) / data.num_rows,
        marketer=linked,
    )
