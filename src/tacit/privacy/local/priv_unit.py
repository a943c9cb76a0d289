"""PrivUnit2: a unit vector told through a random cap; the release, its guarantee, and where the proof is."""

import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.errors import ConfigError, DataError, PrivacyError, ShapeError
from tacit.noise.source import Source
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.local.cap import BETA_ALLOWANCE, cap_height, cap_moment, cap_probability, drawn_error
from tacit.privacy.local.reports import Reports, local_guarantee
from tacit.privacy.local.words import ALL_WORDS, checked_epsilon, exp_below, truth_words

Floats = NDArray[np.float64]

LEAST_CAP = 2.0**-10
"""The smallest cap: a report takes about 1 / cap draws. It costs accuracy only from about epsilon 10 on."""

MOST_DIMENSIONS = 1 << 16
_PIECE = 1 << 18  # normal values drawn at a time
_UNIT_ERROR = 1e-6  # how far from 1 the length of what is called a unit vector may be
_PATIENCE = 200  # a sound source needs more than this many times the expected draws with chance under e^-199


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivUnit2:
    """Reports a random unit vector, more often than not from the cap around a person's unit vector.

    epsilon   -- from 2^-10 to 40.
    dimension -- d, length of the vectors; from 2 to 2^16.

    With probability p the report is uniform on the cap {v: <v, u> >= gamma} around the person's u, else on the rest of the
    sphere. epsilon = epsilon0 + epsilon1 with epsilon0 = ln(p / (1 - p)) and epsilon1 = ln((1 - P) / P), P the cap's probability;
    gamma is chosen so that p and gamma together make the error smallest.

    Exactness. Both parts are drawn by rejection from vectors that do not know u: u decides through one comparison alone which
    of them is reported, and no low bit of a report depends on it further. So the ratio of two people's chances for any report is
    at most p / (1 - p) * (1 - Q) / Q with Q the least chance to draw a vector of some cap, Q >= (P - s)(1 - 2^-30) by
    tacit.privacy.local.cap; p is the most 64-bit words that keep it at most e^epsilon. The reverse ratio is below 1, and two caps
    both holding the report differ by (P + s) / (P - s): under 1.0001 for P >= 1/4, and epsilon > 1 below that. The number of
    draws tells which part was drawn, never u: it has one law for all u, up to s.
    Proof: Bhowmick et al. 2018, arXiv:1812.00984, Theorem 1 and Lemma 4.1 (unbiased), with the cap's exact probability in
    place of its bounds (Feldman & Talwar 2021, arXiv:2102.12099). Proved for one person's call; the people of one
    call share a stream, whose values are taken as independent.
    """

    epsilon: float
    dimension: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", checked_epsilon(self.epsilon))
        d = self.dimension
        if isinstance(d, bool) or not isinstance(d, int) or not 2 <= d <= MOST_DIMENSIONS:
            raise ConfigError(
                f"dimension must be a whole number from 2 to {MOST_DIMENSIONS}, got {d!r}: a sphere of one dimension has two "
                "points and no caps. For single numbers use OneBit, or BoundedVector(dimension=1)."
            )

    @property
    def height(self) -> float:
        """gamma: the least inner product of a cap's vectors with its pole; in [0, 1)."""
        return _best_height(self.epsilon, self.dimension)

    @property
    def truth_words(self) -> int:
        """Words in 2^64 that report from the person's own cap."""
        return _truth_words(self.epsilon, self.dimension, self.height)

    @property
    def truth_probability(self) -> float:
        """p: the chance that the report is from the person's own cap."""
        return self.truth_words / ALL_WORDS

    @property
    def norm(self) -> float:
        """m: a report's mean is m u, so a report over m is unbiased, of length 1 / m; 0 < m <= 1."""
        return _norm(self.epsilon, self.dimension, self.height)

    @property
    def guarantee(self) -> Guarantee:
        """What one report costs its person: epsilon, delta 0, replace-one."""
        return local_guarantee(self.epsilon)

    def randomize(self, values: ArrayLike, source: Source) -> Reports:
        """Return one report per value, each a unit vector of shape (d,). Runs on the device, for one value or many.

        values -- shape (n, d), n >= 1: vectors of length 1 to within 1e-6; they are divided by their length.
        source -- one word and, on average, under (1 / P + 2) d normal values per vector.
        Raises ShapeError or DataError for another shape or length, PrivacyError when the source draws no noise.
        """
        units = self._checked_units(values)
        own = source.uniform_words(len(units)) < np.uint64(self.truth_words)
        reports = np.empty_like(units)
        people = max(1, _PIECE // self.dimension)
        for start in range(0, len(units), people):
            piece = slice(start, start + people)
            reports[piece] = self._draw(units[piece], own[piece], source)
        return Reports(values=reports, mechanism=self, private=source.private)

    def unbiased(self, reports: Reports) -> Floats:
        """Return shape (n, d): one vector per report, of length 1 / m, whose mean is the person's unit vector."""
        return np.asarray(reports.values / self.norm)

    def checked_reports(self, values: NDArray[Any]) -> Floats:
        """Return reports as float64, shape (n, d). Raises ShapeError or DataError for what no device sends."""
        reports = np.asarray(values)
        self._check_shape(reports, "reports")
        if reports.dtype.kind != "f" or not (np.abs(np.linalg.norm(reports, axis=1) - 1) <= _UNIT_ERROR).all():
            raise DataError(
                "reports must be vectors of length 1: a longer one would count for more than a person. No device sends it; drop it, "
                "or check that the reports were made by this mechanism and not yet divided by its norm."
            )
        return reports.astype(np.float64)

    def _draw(self, units: Floats, own: NDArray[np.bool_], source: Source) -> Floats:
        """Return one vector per row of units: inside its cap where own, outside elsewhere."""
        height, d = self.height, self.dimension
        expected = 1 / cap_probability(d, height)
        found, waiting, draws = np.empty_like(units), np.arange(len(units)), 0
        while len(waiting):
            if draws > _PATIENCE * expected:
                raise PrivacyError(
                    "a noise source never hit a cap that every sound source hits, so nothing was reported. "
                    "Use OsSource.from_os(), and have the machine's random numbers looked at."
                )
            tries = max(1, min(_PIECE // (len(waiting) * d), math.ceil(expected)))
            drawn = source.normal(len(waiting) * tries * d).reshape(len(waiting), tries, d)
            lengths = np.sqrt(np.einsum("ntd,ntd->nt", drawn, drawn))
            if not lengths.all():
                raise PrivacyError("a noise source hands out zeros, so nothing was reported. Use OsSource.from_os().")
            inside = np.einsum("ntd,nd->nt", drawn, units[waiting]) >= height * lengths
            taken = inside == own[waiting, None]
            first, done = taken.argmax(axis=1), taken.any(axis=1)
            rows = np.flatnonzero(done)
            found[waiting[rows]] = drawn[rows, first[rows]] / lengths[rows, first[rows], None]
            waiting, draws = waiting[~done], draws + tries
        return found

    def _checked_units(self, values: ArrayLike) -> Floats:
        units = np.asarray(values, dtype=np.float64)
        self._check_shape(units, "values")
        lengths = np.linalg.norm(units, axis=1)
        if not (np.abs(lengths - 1) <= _UNIT_ERROR).all():
            raise DataError(
                "values must be vectors of length 1, and one is not, so nothing was reported. Divide by the length if it tells "
                "nothing, or use BoundedVector, which takes vectors up to a declared length."
            )
        return np.asarray(units / lengths[:, None])

    def _check_shape(self, array: NDArray[Any], name: str) -> None:
        if array.ndim != 2 or not len(array) or array.shape[1] != self.dimension:
            raise ShapeError(
                f"{name} must have shape (n, {self.dimension}) with n >= 1, got {array.shape}: one vector per person, a row each."
            )


@functools.lru_cache(maxsize=64)
def _best_height(epsilon: float, dimension: int) -> float:
    """Return the height that makes the norm m largest, over caps from LEAST_CAP to 1/2 and epsilon1 <= epsilon.

    A public number: how well it is found changes the error, never the guarantee.
    """
    from scipy.optimize import minimize_scalar

    least = max(LEAST_CAP, 1 / (1 + math.exp(epsilon)))
    found = minimize_scalar(
        lambda log: -_norm(epsilon, dimension, cap_height(dimension, math.exp(log))),
        bounds=(math.log(least), math.log(0.5)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return cap_height(dimension, math.exp(float(found.x)))


@functools.lru_cache(maxsize=256)
def _truth_words(epsilon: float, dimension: int, height: float) -> int:
    """Return p in words: the most with p / (1 - p) * (1 - Q) / Q <= e^epsilon, Q the least chance to draw of a cap."""
    least = (cap_probability(dimension, height) - drawn_error(dimension, height)) * (1 - BETA_ALLOWANCE)
    return truth_words(exp_below(epsilon) * Fraction(least) / (1 - Fraction(least)))


def _norm(epsilon: float, dimension: int, height: float) -> float:
    """Return m = E<V, u> = E[T; T >= height] (p / P - (1 - p) / (1 - P))."""
    inside = cap_probability(dimension, height)
    own = _truth_words(epsilon, dimension, height) / ALL_WORDS
    return cap_moment(dimension, height) * (own / inside - (1 - own) / (1 - inside))
