"""What the search, the local recodings and the explanations ask of a privacy model."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes


class PrivacyModel(Protocol):
    """A property that every released class must have, or all of them together.

    monotonic  -- whether a table that meets the model within its suppression limit still does after any level is raised. True
                  allows the search to skip everything finer than a node that fails; when in doubt, False. Only k-anonymity,
                  distinct l-diversity and k-map are: for the others a class that holds can merge with one that fails, and fail.
    contextual -- whether the verdict on one class depends on which others are released. A class is then asked again with
                  only the classes that held, until nothing changes.
    columns    -- the sensitive columns it needs.
    """

    @property
    def monotonic(self) -> bool: ...

    @property
    def contextual(self) -> bool: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        """Return for each class, shape (c,), whether it may be released. Vectorized: no loop over classes."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return {"model": name, ...parameters}, which the verifier reads."""
        ...


def looks_at_population(model: PrivacyModel) -> bool:
    """Whether a model counts the rows of a population table beside the release's own: k-map, and those with a journalist."""
    form = model.to_json()
    return bool(form["model"] == "k-map" or form.get("attacker") == "journalist")
