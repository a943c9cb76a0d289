"""k-anonymity: nobody stands alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.parameters import whole


@dataclass(frozen=True, slots=True)
class KAnonymity:
    """Every released row shares its quasi-identifiers with at least k - 1 others.

    k -- whole number >= 2. Source: Samarati & Sweeney 1998; Sweeney 2002, Definition 3.
    It says nothing about what the rows of a class have in common besides: a class of one sensitive value gives it away.

    Monotonic: raising a level merges classes, so no row's class shrinks and no further row is suppressed (LeFevre et al. 2005,
    the generalization property).
    """

    k: int

    def __post_init__(self) -> None:
        why = "a class of one row hides nobody. Common choices are 5 to 20."
        object.__setattr__(self, "k", whole("k", self.k, least=2, why=why))

    @property
    def monotonic(self) -> bool:
        return True

    @property
    def contextual(self) -> bool:
        return False

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        return np.asarray(classes.sizes >= self.k)

    def to_json(self) -> dict[str, Any]:
        return {"model": "k-anonymity", "k": self.k}

    def __str__(self) -> str:
        return f"{self.k}-anonymity"
