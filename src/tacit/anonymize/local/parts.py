"""Whether sets of distinct tuples may each be released as one class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.coding import Tuples
from tacit.anonymize.privacy_models import KAnonymity, PrivacyModel
from tacit.anonymize.recoding import TupleRecoding, classes_of
from tacit.anonymize.search.requirements import Requirements


class Parts:
    """Asks the models about parts of a table.

    least_rows   -- no part with fewer rows can hold; >= 1.
    sizes_decide -- whether a part of that many rows always holds.
    """

    def __init__(self, tuples: Tuples, models: Sequence[PrivacyModel]) -> None:
        self._tuples, self._require = tuples, Requirements(tuple(models))
        self.least_rows = max((model.k for model in models if isinstance(model, KAnonymity)), default=1)
        self.sizes_decide = all(isinstance(model, KAnonymity) for model in models)

    def hold(self, parts: Sequence[NDArray[np.int64]]) -> bool:
        """Return whether every part, an array of tuples, holds, where these parts are all that is released."""
        if self.sizes_decide:
            return all(int(self._tuples.weights[part].sum()) >= self.least_rows for part in parts)
        mask, part_of = np.zeros(len(self._tuples.weights), dtype=bool), np.zeros(len(self._tuples.weights), dtype=np.int64)
        for number, part in enumerate(parts):
            mask[part], part_of[part] = True, number
        chosen, number_of = self._tuples.select(mask), part_of[mask]
        classes, presence = classes_of(chosen, number_of, [number_of] * len(chosen.codes))
        return len(classes) == len(parts) and bool(self._require.held(classes, presence).all())


def failing_parts(tuples: Tuples, models: Sequence[PrivacyModel], parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the numbers of the parts, which together hold every tuple, that fail a model or hold no row to release."""
    part_of = np.zeros(len(tuples.weights), dtype=np.int64)
    for number, part in enumerate(parts):
        part_of[part] = number
    classes, presence = classes_of(tuples, part_of, [part_of] * len(tuples.codes))
    held = np.zeros(len(parts), dtype=bool)
    held[np.bincount(part_of, weights=tuples.weights, minlength=len(parts)) > 0] = Requirements(tuple(models)).held(
        classes, presence
    )
    return np.flatnonzero(~held)


def settle(tuples: Tuples, recoding: TupleRecoding, models: Sequence[PrivacyModel]) -> NDArray[np.bool_]:
    """Return which tuples, shape (t,), may be released when equal released values are one class: the last word on a recoding."""
    class_of = recoding.class_of()
    kept = recoding.kept
    mine = tuples.select(kept)
    found, inside = np.unique(class_of[kept], return_inverse=True)
    classes, presence = classes_of(mine, inside, list(recoding.generalized[kept].T))
    released = np.bincount(inside, weights=mine.weights, minlength=len(found)) > 0
    held = np.zeros(len(found), dtype=bool)
    held[released] = Requirements(tuple(models)).held(classes, presence)
    keep = np.zeros(len(kept), dtype=bool)
    keep[kept] = held[inside]
    return keep
