"""k-map: everybody in the release resembles at least k people of a population table."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.parameters import whole
from tacit.errors import ConfigError


@dataclass(frozen=True, slots=True)
class KMap:
    """Every class of the release has at least k rows in a population table.

    k -- whole number >= 2.
    Source: Sweeney 2001 (doctoral thesis, MIT), k-map; El Emam & Dankar 2008 (JAMIA 15(5)), which call its risk the
    journalist's.

    Monotonic: raising a level merges classes, so no row's class loses population rows.
    """

    monotonic: ClassVar[bool] = True
    contextual: ClassVar[bool] = False
    columns: ClassVar[tuple[str, ...]] = ()

    k: int

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "k", whole("k", self.k, least=2, why="a single match in the population is found. Common choices are 5 to 20.")
        )

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        if classes.population is None:
            raise ConfigError(
                f"{self} needs a population table, and none was given: it counts the rows there that resemble a class. "
                "Give one as `population`, or use EstimatedKMap with the size of the population."
            )
        return np.asarray(classes.population >= self.k)

    def to_json(self) -> dict[str, Any]:
        return {"model": "k-map", "k": self.k}

    def __str__(self) -> str:
        return f"{self.k}-map"
