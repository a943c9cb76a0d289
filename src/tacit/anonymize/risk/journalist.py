"""Journalist and marketer risk: re-identification by someone who sees the population, not who of it is in the table.

F is the number of people of the population with the quasi-identifiers of a class E of the table.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.columns import get_column
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


def measure_population_risk(data: pa.Table, population: pa.Table, quasi: Sequence[str], *, threshold: float) -> PopulationRisk:
    """Return the journalist and marketer risk of a table whose people are part of a population.

    population -- a table with these quasi-identifiers, recoded like `data` when that is a release; holds every row of `data`.
    threshold  -- 1 / k for a table meant to be k-mapped.
    Raises DataError when a table is empty or lacks a column, types differ, or the population has fewer rows of a class than the
    table; ConfigError when quasi is empty or threshold is not in (0, 1].
    """
    check_quasi(quasi)
    check_threshold(threshold)
    if data.num_rows == 0:
        raise DataError("the table has no rows, so no risk to measure. Check the file and its filters.")
    sides = []
    for table, here in ((data, 1), (population, 0)):
        columns = {str(place): get_column(table, name) for place, name in enumerate(quasi)}
        sides.append(pa.table({**columns, "here": pa.array(np.full(table.num_rows, here))}))
    for place, name in enumerate(quasi):
        ours, theirs = (side.schema.field(str(place)).type for side in sides)
        if ours != theirs:
            raise DataError(
                f"column {name!r} is {ours} in the table and {theirs} in the population, so no value equals another. Read both alike, "
                "and recode the population like the release."
            )
    counted = pa.concat_tables(sides).group_by([str(place) for place in range(len(quasi))])
    sizes = counted.aggregate([("here", "sum"), ("here", "count")])
    ours = np.asarray(sizes.column("here_sum").to_numpy()).astype(np.int64)
    people = np.asarray(pc.subtract(sizes.column("here_count"), sizes.column("here_sum")).to_numpy()).astype(np.int64)[ours > 0]
    ours = ours[ours > 0]
    if (people < ours).any():
        raise DataError(
            f"{int((people < ours).sum())} of {len(ours)} classes have more rows in the table than in the population, which must hold "
            "everyone of the table. Give the whole population, recoded like the table."
        )
    linked = float((ours / people).sum()) / data.num_rows
    exposed = ours[people < math.ceil(round(1 / threshold, 9))].sum()
    return PopulationRisk(
        rows=data.num_rows,
        population_rows=population.num_rows,
        highest=1 / int(people.min()),
        average=max(len(ours) / int(people.sum()), linked),
        threshold=threshold,
        above=int(exposed) / data.num_rows,
        marketer=linked,
    )
