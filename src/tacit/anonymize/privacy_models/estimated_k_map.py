"""Estimated k-map: everybody in the release resembles at least k people, as far as a sample can tell."""

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.parameters import check_choice, check_number, whole
from tacit.errors import DataError

CellEstimator = Literal["poisson", "zero-truncated poisson"]


@dataclass(frozen=True, slots=True)
class EstimatedKMap:
    """Every class has so many rows that, at a significance level, it is no sample of fewer than k people.

    k               -- whole number >= 2.
    population_size -- N, people the input is a sample of; a declared public number, >= rows of the input.
    significance    -- 0 < significance < 1: the chance that a class of only k people shows as many rows as are asked for.
    estimator       -- distribution of a class's rows under k people: "poisson" with mean n k / N, or the same given that it
                       is not zero ("zero-truncated poisson": a class is only seen when it has a row).

    The rows asked for are the smallest s with P(rows <= s - 1) >= 1 - significance, and never more than k: as many rows are as
    many people. ARX asks for one row more with "poisson" alone.
    Source: Pannekoek 1999 (Statistica Neerlandica 53(1)), El Emam & Dankar 2008 (JAMIA 15(5)), estimators D3 and D4.

    Monotonic: it is k-anonymity with a number of rows that depends on n and the parameters only.
    """

    monotonic: ClassVar[bool] = True
    contextual: ClassVar[bool] = False
    columns: ClassVar[tuple[str, ...]] = ()

    k: int
    _: KW_ONLY
    population_size: int
    significance: float
    estimator: CellEstimator

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "k", whole("k", self.k, least=2, why="a single match in the population is found. Common choices are 5 to 20.")
        )
        object.__setattr__(
            self,
            "population_size",
            whole("population_size", self.population_size, least=2, why="declare how many people the rows are a sample of."),
        )
        check_number("significance", self.significance, "(0, 1)", why="it is the chance of an error in the estimate. Try 0.05.")
        check_choice("estimator", self.estimator, get_args(CellEstimator), why="it says how rows are taken to be drawn.")

    def least_rows(self, rows: int) -> int:
        """Return the rows that a class must have when the input has `rows` rows; DataError when those exceed the population."""
        if rows > self.population_size:
            raise DataError(
                f"the input has {rows} rows, more than the population of {self.population_size} it is said to be a sample of: "
                "no class of it can be estimated. Correct population_size."
            )
        mean = self.k * rows / self.population_size
        first, seen = (0, 1.0) if self.estimator == "poisson" else (1, -math.expm1(-mean))
        terms = []
        for value in range(first, self.k - 1):
            terms.append(math.exp(value * math.log(mean) - mean - math.lgamma(value + 1)))
            if math.fsum(terms) >= (1.0 - self.significance) * seen:
                return value + 1
        return self.k

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        return np.asarray(classes.sizes >= self.least_rows(classes.rows))

    def to_json(self) -> dict[str, Any]:
        return {
            "model": "estimated-k-map",
            "k": self.k,
            "population_size": self.population_size,
            "significance": self.significance,
            "estimator": self.estimator,
        }

    def __str__(self) -> str:
        return f"{self.k}-map estimated for a population of {self.population_size} ({self.estimator})"
