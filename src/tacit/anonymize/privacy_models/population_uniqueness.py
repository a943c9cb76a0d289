"""Population uniqueness: few people of the population are unique in it, as far as the released rows can tell."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.comparison import TOLERANCE
from tacit.anonymize.privacy_models.parameters import check_choice, check_number, whole
from tacit.anonymize.risk_estimators import UniquesEstimator, population_uniques


@dataclass(frozen=True, slots=True)
class PopulationUniqueness:
    """The estimated share of the population that is unique in its quasi-identifiers is at most a threshold.

    threshold       -- 0 <= threshold < 1, met within 1e-9.
    population_size -- N, people the input is a sample of; a declared public number, >= rows of the input.
    estimator       -- "dankar" (chooses by the sampling fraction), "pitman", "zayatz" or "snb"; see `risk_estimators`.
    Source: Dankar et al. 2012 (BMC Medical Informatics and Decision Making 12:66); the sample is the released rows, as in ARX.

    A property of the release as a whole: when it fails, or the estimator finds no solution, all rows alone in their class are
    suppressed, and nobody is taken to be unique. So the verdict on a class depends on the others, and it is not monotonic: the
    estimate may rise when classes merge.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ()

    threshold: float
    _: KW_ONLY
    population_size: int
    estimator: UniquesEstimator = "dankar"

    def __post_init__(self) -> None:
        check_number("threshold", self.threshold, "[0, 1)", why="it is the share of people unique in the population. Try 0.01.")
        object.__setattr__(
            self,
            "population_size",
            whole("population_size", self.population_size, least=2, why="declare how many people the rows are a sample of."),
        )
        check_choice("estimator", self.estimator, get_args(UniquesEstimator), why="each takes the population to be another.")

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        everything = np.ones(len(classes), dtype=bool)
        if not len(classes):
            return everything
        uniques = population_uniques(classes.sizes, self.population_size, estimator=self.estimator)
        few = uniques / self.population_size <= self.threshold + TOLERANCE  # False for the NaN of no solution
        return everything if few else np.asarray(classes.sizes > 1)

    def to_json(self) -> dict[str, Any]:
        return {
            "model": "population-uniqueness",
            "threshold": self.threshold,
            "population_size": self.population_size,
            "estimator": self.estimator,
        }

    def __str__(self) -> str:
        return f"population uniqueness at most {self.threshold:g} ({self.estimator}, {self.population_size} people)"
