"""Uniqueness: how many rows are alone in the table, and an estimate of how many people are alone in the population."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from tacit.anonymize.risk.prosecutor import class_sizes
from tacit.anonymize.risk_estimators import UniquesEstimator, population_uniques
from tacit.errors import DataError
from tacit.models.finding import Basis, Finding

_ESTIMATORS: tuple[UniquesEstimator, ...] = ("dankar", "pitman", "zayatz", "snb")


@dataclass(frozen=True, kw_only=True, slots=True)
class Uniqueness:
    """Share of rows that are unique, and estimates of the share of people who are. Exact: for the custodian.

    rows            -- rows of the table; sample -- share of them that no other equals.
    population_size -- people in the population; population -- per estimator the estimated share of them that are unique by these
                       quasi-identifiers, None where it finds no solution.
    """

    rows: int
    sample: float
    population_size: int
    population: dict[str, float | None]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def findings(self, when: str) -> tuple[Finding, ...]:
        """Return the figures as findings; `when` tells tables apart in their names: "before", "after"."""
        sample = Finding(
            kind="reidentification-risk",
            name=f"sample uniqueness, {when}",
            value=self.sample,
            unit="share",
            basis=Basis.EXACT,
            method="rows alone in their class / rows",
            n=self.rows,
        )
        estimates = tuple(
            Finding(
                kind="reidentification-risk",
                name=f"population uniqueness ({name}), {when}",
                value=value,
                unit="share",
                basis=Basis.EXACT,
                method=f"{name} estimator from the class sizes" if value is not None else f"{name} estimator: no solution",
                n=self.rows,
                assumption="the table is a random sample of the population",
                details={"population_size": self.population_size},
            )
            for name, value in self.population.items()
        )
        return (sample, *estimates)


def measure_uniqueness(data: pa.Table, quasi: Sequence[str], *, population_size: int) -> Uniqueness:
    """Return sample uniqueness and the estimates of population uniqueness; "dankar" is the one to act on: it chooses.

    population_size -- people that the table is a random sample of, at least its rows.
    Raises DataError when the table is empty, lacks a column or has more rows than the population people.
    """
    if data.num_rows == 0:
        raise DataError("the table has no rows, so no uniqueness to measure. Check the file and its filters.")
    sizes = class_sizes(data, quasi)
    estimates: dict[str, float | None] = {}
    for name in _ESTIMATORS:
        uniques = population_uniques(sizes, population_size, estimator=name)
        estimates[name] = uniques / population_size if math.isfinite(uniques) else None
    return Uniqueness(
        rows=data.num_rows,
        sample=int((sizes == 1).sum()) / data.num_rows,
        population_size=population_size,
        population=estimates,
    )
