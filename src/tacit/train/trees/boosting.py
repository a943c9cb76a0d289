"""Boosting with trees drawn at random: each round releases the sums of its tree's leaves, once, with normal noise.

Splits chosen by the data cost a release for every level, and most of the budget (Grislain & Gonzalvez 2021, arXiv:2102.00484).
Here features and thresholds are drawn beforehand (Geurts, Ernst & Wehenkel 2006, doi:10.1007/s10994-006-6226-1), so the whole
budget goes to the leaves (Friedman 2001, doi:10.1214/aos/1013203451, Newton's step in each leaf).

Sensitivity. In a round, row i of class y lies in one leaf of the round's one tree and adds there, for each logit k,
(g_k, 2 h_k) with g_k = [y = k] - p_k and h_k = p_k (1 - p_k), p the probabilities of the model so far. Zeroing the row takes
this vector out of one leaf, and its length is bounded by what it is. With x = 1 - p,

    p^2 (1 + 4 (1 - p)^2) = 1 - x (2 - 5 x + 8 x^2 - 4 x^3) <= 1 - x = p,

since the bracket is at least 1 on [0, 1] (1 at x = 1/2, its one inner minimum, and at x = 1). So a logit k other than y adds at
most p_k to the square and y itself at most 1 - p_y: together at most 2 (1 - p_y) <= 2. One logit for two classes adds at most
1. The Hessian thus comes free of charge: neighbours' sums differ by at most 1 (one logit) or sqrt 2, as for the gradient alone.
Rounds compose adaptively: they are the steps of one block.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.noise.grid import clip_norm_for
from tacit.noise.sensitivity import FLOAT64, sum_sensitivity
from tacit.noise.source import Source
from tacit.train.linear.output_perturbation import class_probabilities
from tacit.train.releases import Releases

Floats = NDArray[np.float64]

HESSIAN_SCALE = 2.0
DEEPEST = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Boosting:
    """How trees are drawn and added up.

    classes -- k >= 2. rounds -- trees, each a release; >= 1. depth -- splits from root to leaf, 1 .. 12; a tree has 2^depth leaves.
    learning_rate -- share of each leaf's Newton step that is taken; 0 < rate <= 1.
    """

    classes: int
    rounds: int
    depth: int
    learning_rate: float

    def __post_init__(self) -> None:
        for name, most in (("rounds", 10_000), ("depth", DEEPEST)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise ConfigError(
                    f"{name} must be a whole number from 1 to {most}, got {value!r}: every round is a release, and every leaf gets "
                    "noise of its own. 100 rounds of depth 6 suit tables."
                )
        if not 0 < self.learning_rate <= 1:
            raise ConfigError(
                f"learning_rate must be > 0 and <= 1, got {self.learning_rate}. Beyond 1 the leaves overshoot. Try 0.2."
            )

    @property
    def outputs(self) -> int:
        return 1 if self.classes == 2 else self.classes

    @property
    def leaves(self) -> int:
        return 1 << self.depth

    @property
    def length(self) -> int:
        """Number of values one round releases: a gradient and a Hessian for every leaf and logit."""
        return 2 * self.outputs * self.leaves

    @property
    def largest(self) -> float:
        """The longest vector a row adds in one round."""
        return 1.0 if self.outputs == 1 else math.sqrt(2)

    @property
    def clip_norm(self) -> float:
        return clip_norm_for(self.largest)

    def prove(self, rows: int) -> None:
        """Raise PrivacyError when float64 sums of so many rows could be off by more than the clip target leaves free."""
        sum_sensitivity(
            clip_norm=self.clip_norm, dimension=self.length, contributions=max(1, rows), norm_error=(self.length + 16) * FLOAT64
        )

    def total(self, leaves: NDArray[np.int64], scores: Floats, wanted: Floats) -> Floats:
        """Return the sums of a round, shape (length,): gradients, then Hessians times 2, leaf after leaf.

        leaves -- (n,); scores -- (n, outputs), logits so far; wanted -- (n, outputs), 1 where the class is the row's.
        """
        self.prove(len(leaves))
        probability = class_probabilities(scores)
        parts = np.hstack([wanted - probability, HESSIAN_SCALE * probability * (1 - probability)])
        sums = [np.bincount(leaves, weights=column, minlength=self.leaves) for column in parts.T]
        return np.asarray(np.stack(sums, axis=1).ravel(), dtype=np.float64)

    def steps(self, released: Floats, *, noise: float) -> Floats:
        """Return what to add to the logits in each leaf, shape (leaves, outputs): post-processing of a round's release.

        noise -- standard deviation of each released value. A leaf whose Hessian is no larger than its noise moves little.
        """
        gradients, hessians = np.split(released.reshape(self.leaves, -1), 2, axis=1)
        curvature = np.maximum(hessians / HESSIAN_SCALE, 0.0) + noise + 1.0
        return np.asarray(self.learning_rate * np.clip(gradients / curvature, -4.0, 4.0))

    def grow(self, rows: Floats, numbers: NDArray[np.int64], releases: Releases, on_round: Callable[[int], None]) -> "Forest":
        """Return the trees, each round's sums released through paid `releases`, whose source draws the trees' shapes too.

        rows -- (n, d) in [-1, 1]; numbers -- (n,), class numbers; on_round -- called with the number of rounds done.
        """
        wanted = (numbers[:, None] == np.arange(self.classes - self.outputs, self.classes)).astype(np.float64)
        features, thresholds = draw_splits(releases.source, rounds=self.rounds, depth=self.depth, features=rows.shape[1])
        steps = np.zeros((self.rounds, self.leaves, self.outputs))
        scores = np.zeros((len(rows), self.outputs))
        for number in range(self.rounds):
            leaves = leaf_of(rows, features[number], thresholds[number])
            released = releases.release(self.total(leaves, scores, wanted), clip_norm=self.clip_norm)
            steps[number] = self.steps(released, noise=releases.noise_multiplier * self.clip_norm)
            scores += steps[number][leaves]
            on_round(number + 1)
        return Forest(features=features, thresholds=thresholds, steps=steps)


@dataclass(frozen=True, kw_only=True, eq=False)
class Forest:
    """Fitted trees: features and thresholds, shape (rounds, depth); steps, shape (rounds, leaves, outputs)."""

    features: NDArray[np.int64]
    thresholds: Floats
    steps: Floats

    def scores(self, rows: Floats) -> Floats:
        """Return the logits, shape (n, outputs), of rows (n, d) in [-1, 1]."""
        total = np.zeros((len(rows), self.steps.shape[2]))
        for features, thresholds, steps in zip(self.features, self.thresholds, self.steps, strict=True):
            total += steps[leaf_of(rows, features, thresholds)]
        return total


def draw_splits(source: Source, *, rounds: int, depth: int, features: int) -> tuple[NDArray[np.int64], Floats]:
    """Return features (rounds, depth) and thresholds in (-1, 1) of the same shape, drawn without any row."""
    words = source.uniform_words(2 * rounds * depth).reshape(2, rounds, depth)
    thresholds = words[1].astype(np.float64) * 2.0**-63 - 1.0
    return (words[0] % np.uint64(features)).astype(np.int64), thresholds


def leaf_of(rows: Floats, features: NDArray[np.int64], thresholds: Floats) -> NDArray[np.int64]:
    """Return each row's leaf, shape (n,): one bit for each level, whose split is the same in the whole level."""
    bits = rows[:, features] > thresholds
    return np.asarray(bits @ (1 << np.arange(len(features), dtype=np.int64)))
