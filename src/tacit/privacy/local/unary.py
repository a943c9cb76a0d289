"""Unary encoding, symmetric and optimized: the release, its guarantee, and where the proof is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.noise.source import Source
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.local.categories import category_numbers, checked_categories
from tacit.privacy.local.reports import Reports, local_guarantee
from tacit.privacy.local.words import ALL_WORDS, checked_epsilon, exp_below, lie_words

_PIECE = 1 << 20  # words drawn at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class UnaryEncoding:
    """Reports one bit per category: set with probability p where it is the person's, with probability q elsewhere.

    epsilon    -- from 2^-10 to 40.
    categories -- k >= 2 texts, declared; a report is k bits.
    encoding   -- "optimized": p = 1/2, q = 1 / (e^eps + 1), the smallest errors for rare categories (Wang et al. 2017, OUE);
                  "symmetric": p = 1 - q, q = 1 / (e^(eps/2) + 1) (Erlingsson et al. 2014, basic RAPPOR without memory).

    Two people's encodings differ in two bits, so the largest ratio of a report's probabilities is p (1 - q) / ((1 - p) q).
    q is rounded up to a 64-bit word, which keeps it at most e^epsilon exactly.
    Proof: Wang, Blocki, Li & Jha 2017, USENIX Security, arXiv:1705.04421, section 4.2 (unary encoding).
    """

    epsilon: float
    categories: tuple[str, ...]
    encoding: Literal["optimized", "symmetric"] = "optimized"

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", checked_epsilon(self.epsilon))
        object.__setattr__(self, "categories", checked_categories(self.categories))
        if self.encoding not in ("optimized", "symmetric"):
            raise ConfigError(
                f'encoding must be "optimized" or "symmetric", got {self.encoding!r}: they have different probabilities. '
                'Use "optimized" unless reports are to be compared with RAPPOR.'
            )

    @property
    def lie_words(self) -> int:
        """Words in 2^64 that set a bit which is not the person's."""
        ratio = exp_below(self.epsilon) if self.encoding == "optimized" else exp_below(self.epsilon / 2)
        return lie_words(ratio)

    @property
    def truth_words(self) -> int:
        """Words in 2^64 that set the person's own bit."""
        return ALL_WORDS // 2 if self.encoding == "optimized" else ALL_WORDS - self.lie_words

    @property
    def lie_probability(self) -> float:
        """q: the chance that a bit which is not the person's is set."""
        return self.lie_words / ALL_WORDS

    @property
    def truth_probability(self) -> float:
        """p: the chance that the person's own bit is set."""
        return self.truth_words / ALL_WORDS

    @property
    def guarantee(self) -> Guarantee:
        """What one report costs its person: epsilon, delta 0, replace-one."""
        return local_guarantee(self.epsilon)

    def randomize(self, values: Iterable[str], source: Source) -> Reports:
        """Return one report per value, each shape (k,) of bool. Runs on the device, for one value or many.

        values -- n >= 1 declared categories; source -- k words per value, whatever the value.
        Raises DataError for a value that was not declared.
        """
        truth, k = category_numbers(values, self.categories), len(self.categories)
        bits = np.empty((len(truth), k), dtype=np.bool_)
        rows = max(1, _PIECE // k)
        for start in range(0, len(truth), rows):
            own = truth[start : start + rows]
            words = source.uniform_words(len(own) * k).reshape(len(own), k)
            piece = words < np.uint64(self.lie_words)
            people = np.arange(len(own))
            piece[people, own] = words[people, own] < np.uint64(self.truth_words)
            bits[start : start + rows] = piece
        return Reports(values=bits, mechanism=self, private=source.private)

    def checked_reports(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return reports as bool, shape (n, k). Raises ShapeError or DataError for what no device sends."""
        reports = np.asarray(values)
        if reports.ndim != 2 or not len(reports) or reports.shape[1] != len(self.categories):
            raise ShapeError(
                f"reports must have shape (n, {len(self.categories)}) with n >= 1, got {reports.shape}: a bit per person and category."
            )
        if reports.dtype.kind not in "biu" or not np.isin(reports, (0, 1)).all():
            raise DataError("reports must be bits: no device sends anything else. Check that they were made by this encoding.")
        return reports.astype(np.bool_)
