"""k-ary randomized response: the release, its guarantee, and where the proof is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.errors import DataError, ShapeError
from tacit.noise.source import Source
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.local.categories import category_numbers, checked_categories
from tacit.privacy.local.reports import Reports, local_guarantee
from tacit.privacy.local.words import ALL_WORDS, checked_epsilon, exp_below, lie_words


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomizedResponse:
    """Reports a person's category, or with some chance another one: each other equally often.

    epsilon    -- from 2^-10 to 40.
    categories -- k >= 2 texts, declared; a report is the number of one of them.

    The truth has probability p = e^eps / (e^eps + k - 1), each other category q = 1 / (e^eps + k - 1); q is rounded up to a
    64-bit word and p is what is left, so p / q <= e^epsilon exactly. Best for few categories (k < 3 e^epsilon + 2, Wang et
    al. 2017, section 5); beyond, UnaryEncoding has smaller errors.
    Proof: Kairouz, Bonawitz & Ramage 2016, arXiv:1602.07387 (k-RR): the ratio of two entries of one column of its matrix.
    """

    epsilon: float
    categories: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", checked_epsilon(self.epsilon))
        object.__setattr__(self, "categories", checked_categories(self.categories))

    @property
    def lie_words(self) -> int:
        """Words in 2^64 that each category but the true one has."""
        return lie_words(exp_below(self.epsilon), len(self.categories) - 1)

    @property
    def lie_probability(self) -> float:
        """q: the chance that one given other category is reported."""
        return self.lie_words / ALL_WORDS

    @property
    def truth_probability(self) -> float:
        """p: the chance that the true category is reported."""
        return (ALL_WORDS - (len(self.categories) - 1) * self.lie_words) / ALL_WORDS

    @property
    def guarantee(self) -> Guarantee:
        """What one report costs its person: epsilon, delta 0, replace-one."""
        return local_guarantee(self.epsilon)

    def randomize(self, values: Iterable[str], source: Source) -> Reports:
        """Return one report per value, each shape (): the number of a category. Runs on the device, for one value or many.

        values -- n >= 1 declared categories; source -- one word per value, whatever the value.
        Raises DataError for a value that was not declared.
        """
        truth = category_numbers(values, self.categories)
        other = (source.uniform_words(len(truth)) // np.uint64(self.lie_words)).astype(np.int64)
        lies = other < len(self.categories) - 1
        reported = np.where(lies, other + (other >= truth), truth)  # the other-th of the categories that are not true
        return Reports(values=reported, mechanism=self, private=source.private)

    def checked_reports(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Return reports as int64, shape (n,). Raises ShapeError or DataError for what no device sends."""
        reports = np.asarray(values)
        if reports.ndim != 1 or not len(reports):
            raise ShapeError(f"reports must have shape (n,) with n >= 1, got {reports.shape}: one category number per person.")
        if reports.dtype.kind not in "iu" or reports.min() < 0 or reports.max() >= len(self.categories):
            raise DataError(
                f"reports must be whole numbers from 0 to {len(self.categories) - 1}: no device sends another. "
                "Check that they were made with these categories."
            )
        return reports.astype(np.int64)
