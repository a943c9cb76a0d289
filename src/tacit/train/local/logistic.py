"""Logistic regression from local reports: every person answers once, with a gradient that never leaves in the clear."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.errors import ConfigError, DataError, PrivacyError, ShapeError
from tacit.models.dense import DenseNetwork
from tacit.noise.source import Source
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.local.bounded_vector import BoundedVector
from tacit.privacy.local.categories import category_numbers, checked_categories
from tacit.privacy.local.reports import Reports, local_guarantee

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Progress:
    """Where a training stands: all that the server keeps, and all that it sends out.

    weights -- shape (d + 1,), read-only: one per feature, then the intercept; what the next people are asked about.
    summed  -- shape (d + 1,), read-only: sum of the weights after each round of the second half.
    rounds  -- rounds done; private -- whether every report so far protects its person.
    """

    weights: Floats
    summed: Floats
    rounds: int = 0
    private: bool = True

    def __post_init__(self) -> None:
        for name in ("weights", "summed"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalLogisticRegression:
    """Logistic regression whose every step asks people who were not asked before; public before anyone answers.

    epsilon       -- what each person's one answer costs; from 2^-10 to 40; replace-one, delta 0.
    features      -- d >= 1, numbers in a person's row. Scale them by declared bounds beforehand, best to [0, 1] or [-1, 1].
    classes       -- two texts, declared.
    rounds        -- T >= 1: the people are dealt into so many groups, and each group answers once.
    learning_rate -- step along the mean of a group's answers; > 0; 4 suits features in [0, 1].
    clip_norm     -- a gradient longer than this is shortened to it, on the device; > 0.
    weight_norm   -- the weights are kept within this length; > 0. It bounds what one unlucky round can do.

    A person sees weights, and reports the gradient of its own loss, clipped, through BoundedVector. The server sees one report per
    person and who is in which group; no row, no label, no loss. Whatever weights it sends, chosen with malice too, a report is
    one release of epsilon. Each person answers once: the device must refuse a second question, which would cost epsilon again.
    The model is the average of the weights of the rounds' second half (Polyak & Juditsky 1992, doi:10.1137/0330046).
    Source: Duchi, Jordan & Wainwright 2018, arXiv:1604.02390 (locally private stochastic gradients, each row once).
    Proof: for any earlier reports a person's report is BoundedVector's of one gradient; people's reports depend on other
    people only through weights, which are made of reports.
    """

    epsilon: float
    features: int
    classes: Sequence[str]
    rounds: int = 50
    learning_rate: float = 4.0
    clip_norm: float = 1.0
    weight_norm: float = 10.0
    mechanism: BoundedVector = field(init=False)

    def __post_init__(self) -> None:
        for name in ("features", "rounds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} must be a whole number >= 1, got {value!r}: it is public before anyone answers.")
        for name in ("learning_rate", "clip_norm", "weight_norm"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise ConfigError(
                    f"{name} must be finite and > 0, got {value!r}: with it nothing could be learned. The defaults are a start."
                )
        classes = checked_categories(self.classes)
        if len(classes) != 2:
            raise ConfigError(
                f"classes must be two, got {len(classes)}: this is binary logistic regression. Train one against all."
            )
        object.__setattr__(self, "classes", classes)
        mechanism = BoundedVector(epsilon=self.epsilon, dimension=self.features + 1, radius=self.clip_norm)
        object.__setattr__(self, "mechanism", mechanism)

    def start(self) -> Progress:
        """Return the progress before the first round: all weights zero."""
        return Progress(weights=np.zeros(self.features + 1), summed=np.zeros(self.features + 1))

    def groups(self, people: int, source: Source) -> list[NDArray[np.int64]]:
        """Deal people 0 .. people - 1 into `rounds` groups at random, sizes one apart at most; each person in exactly one.

        Fixed before the first round, without looking at any value. Raises ConfigError for fewer people than rounds.
        """
        if isinstance(people, bool) or not isinstance(people, int) or people < self.rounds:
            raise ConfigError(
                f"people must be a whole number >= {self.rounds}, got {people!r}: every round asks people who were not asked before. "
                "Ask more people, or take fewer rounds."
            )
        order = np.argsort(source.uniform_words(people), kind="stable")
        return [np.sort(group) for group in np.array_split(order, self.rounds)]

    def answer(self, progress: Progress, features: ArrayLike, labels: Sequence[Any] | NDArray[Any], source: Source) -> Reports:
        """Return the reports of some people, one each. Runs on their devices.

        features -- shape (n, d), n >= 1, finite; labels -- n declared classes; source -- each device's own.
        Raises ShapeError or DataError for rows that do not fit; nothing is reported then.
        """
        rows = np.asarray(features, dtype=np.float64)
        if rows.ndim != 2 or not len(rows) or rows.shape[1] != self.features or len(labels) != len(rows):
            raise ShapeError(
                f"features must have shape (n, {self.features}) with n >= 1 and n labels, got {rows.shape} and {len(labels)}: "
                "one row and one label per person."
            )
        if not np.isfinite(rows).all():
            raise DataError(
                "a feature is not a finite number, so nothing was reported. Fill missing ones by a declared rule first."
            )
        targets = category_numbers(list(labels), self.classes)
        rows = np.hstack([rows, np.ones((len(rows), 1))])
        with np.errstate(over="ignore", invalid="ignore"):  # too sure an answer is 0 or 1; what is no number is refused below
            gradients = (1 / (1 + np.exp(-(rows @ progress.weights))) - targets)[:, None] * rows
        return self.mechanism.randomize(gradients, source)

    def step(self, progress: Progress, reports: Reports) -> Progress:
        """Return the progress after a round, from its people's reports. Runs on the server.

        Raises ConfigError for reports of another mechanism, PrivacyError when all rounds are done.
        """
        if reports.mechanism != self.mechanism:
            raise ConfigError(
                f"reports of {reports.mechanism} do not fit {self.mechanism}: they would count with the wrong weight. "
                "Collect them with this regression's `answer`."
            )
        if progress.rounds >= self.rounds:
            raise PrivacyError(
                f"all {self.rounds} rounds are done, so nobody may be asked again: a second answer would cost a second epsilon. "
                "Take the model, or start anew with people who were never asked."
            )
        weights = progress.weights - self.learning_rate * self.mechanism.unbiased(reports).mean(axis=0)
        weights = weights * min(1.0, self.weight_norm / max(float(np.linalg.norm(weights)), 1e-300))
        done = progress.rounds + 1
        summed = progress.summed + weights if done > self.rounds // 2 else progress.summed
        return replace(progress, weights=weights, summed=summed, rounds=done, private=progress.private and reports.private)

    def model(self, progress: Progress) -> DenseNetwork:
        """Return the trained model. Raises ConfigError before the last round is done."""
        if progress.rounds < self.rounds:
            raise ConfigError(
                f"{progress.rounds} of {self.rounds} rounds are done: the model is the average of the second half. "
                "Finish the rounds, or plan fewer for the people at hand."
            )
        weights = progress.summed / (self.rounds - self.rounds // 2)
        return DenseNetwork(
            weights=(weights[None, :-1],),
            biases=(weights[-1:],),
            activation="identity",
            classes=(self.classes[0], self.classes[1]),
        )

    def guarantee(self, progress: Progress) -> Guarantee | None:
        """Return what each person is promised, against everyone, the server included; None when a source was for tests."""
        return local_guarantee(self.epsilon) if progress.private else None
