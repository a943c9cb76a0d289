"""Several privacy models at once: a class is released when every one of them holds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.model import PrivacyModel

_SEES_POPULATION = "delta-presence"


@dataclass(frozen=True)
class Requirements:
    """The models of one release. Each of them must hold in every class.

    With a delta-presence model, a class that holds rows of the table but none of the research subset cannot be suppressed: that
    nobody of it is released is what an attacker sees. Where such a class fails the model, nothing is kept (ARX skips the
    check for classes that a minimum size removes).
    """

    models: tuple[PrivacyModel, ...]

    @property
    def monotonic(self) -> "Requirements":
        """The models that let the search skip what is finer than a failing node."""
        return Requirements(tuple(model for model in self.models if model.monotonic and not _sees_population(model)))

    @property
    def contextual(self) -> bool:
        return any(model.contextual for model in self.models)

    def held(self, classes: Classes, presence: Classes | None = None) -> NDArray[np.bool_]:
        """Return for each class, shape (c,), whether it is released.

        presence -- what delta-presence models see; None: the classes themselves. Its classes with subset rows are `classes`,
                    in the same order.
        """
        held = np.ones(len(classes), dtype=bool)
        for model in self.models:
            if _sees_population(model):
                held &= _held_by_presence(model, classes, presence)
            elif not model.contextual:
                held &= model.holds(classes)
        together = [model for model in self.models if model.contextual]
        while together and held.any():
            left = classes.select(held)
            verdict = np.logical_and.reduce([model.holds(left) for model in together])
            if verdict.all():
                break
            held[held] = verdict
        return held


def _sees_population(model: PrivacyModel) -> bool:
    return bool(model.to_json()["model"] == _SEES_POPULATION)


def _held_by_presence(model: PrivacyModel, classes: Classes, presence: Classes | None) -> NDArray[np.bool_]:
    if presence is None or presence.subset is None:
        return model.holds(classes)
    verdict = model.holds(presence)
    released = presence.subset > 0
    return verdict[released] if verdict[~released].all() else np.zeros(int(released.sum()), dtype=bool)
