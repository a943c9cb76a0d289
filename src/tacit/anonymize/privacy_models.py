"""Privacy models: what every class of equal quasi-identifiers must satisfy before it may be released.

These are syntactic models: properties of one released table. None of them is differential privacy, and none has an epsilon.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError


class PrivacyModel(Protocol):
    """What the search asks of a model.

    monotonic -- whether a table that meets the model within its suppression limit still does after any level is raised. True
                 allows the search to skip everything finer than a node that fails; when in doubt, False.
    """

    @property
    def monotonic(self) -> bool: ...

    def holds(self, class_sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each class, shape (classes,), whether it may be released; class_sizes are rows per class, each >= 1."""
        ...

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class KAnonymity:
    """Every released row shares its quasi-identifiers with at least k - 1 others.

    k -- whole number >= 2. Source: Samarati & Sweeney 1998; Sweeney 2002, Definition 3.
    It says nothing about what the rows of a class have in common besides: a class of one sensitive value gives it away.
    """

    k: int

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 2:
            raise ConfigError(
                f"k must be a whole number >= 2, got {self.k!r}: a class of one row hides nobody. Common choices are 5 to 20."
            )

    @property
    def monotonic(self) -> bool:
        return True

    def holds(self, class_sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.asarray(class_sizes >= self.k)

    def to_json(self) -> dict[str, Any]:
        return {"model": "k-anonymity", "k": self.k}

    def __str__(self) -> str:
        return f"{self.k}-anonymity"
