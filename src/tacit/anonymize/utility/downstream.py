"""Downstream accuracy: what a classifier learns from the release, compared with what it learns from the original."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column, is_number
from tacit.errors import ConfigError, DataError, MissingExtra, ShapeError
from tacit.models.finding import Basis, Finding

Matrix = NDArray[np.float64]

_MOST_CATEGORIES = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class DownstreamAccuracy:
    """Accuracy on original rows that the classifier has not seen, by cross-validation. Exact: for the custodian.

    original -- trained on original rows; released -- trained on the released form of the same rows, suppressed ones missing;
    majority -- always answering the most frequent class; each a share of the `rows` rows, every one tested once.
    """

    original: float
    released: float
    majority: float
    rows: int

    def findings(self) -> tuple[Finding, ...]:
        """Return the accuracy learned from each table, before and after, each beside what always answering one class has."""
        learned = "logistic regression, cross-validated; trained on the table, tested on original rows it has not seen"
        return tuple(
            Finding(
                kind="anonymization-utility",
                name=f"{name}, {when}",
                value=value,
                unit="share",
                basis=Basis.EXACT,
                method=method,
                n=self.rows,
                details={"when": when},
            )
            for when, accuracy in (("before", self.original), ("after", self.released))
            for name, value, method in (
                ("accuracy of a classifier", accuracy, learned),
                ("accuracy of one answer to all", self.majority, "always answering the most frequent class"),
            )
        )


def downstream_accuracy(
    original: pa.Table,
    released: pa.Table,
    *,
    origin: NDArray[np.int64],
    features: Sequence[str],
    target: str,
    folds: int = 3,
    seed: int = 0,
) -> DownstreamAccuracy:
    """Return how well a logistic regression predicts `target` on original rows, trained on either table.

    origin   -- shape (released rows,): the number of the original row that each released row came from.
    features -- columns of both tables; target -- a column of the original (never generalized).
    folds    -- of the cross-validation, drawn with `seed`; >= 2. A released row is in the training part when its original is.

    Numbers are features as they are (missing: the mean), other columns one indicator per value (the 100 most frequent). A
    released value stands for the raw values that became it: the mean of the numbers, or the mean of the indicators.
    Raises ConfigError or DataError for columns or folds that do not fit, MissingExtra without scikit-learn.
    """
    if folds < 2 or target in features or not features:
        raise ConfigError(
            f"needs at least one feature, a target that is none of them, and folds >= 2; got {list(features)}, {target!r} and {folds}."
        )
    if origin.shape != (released.num_rows,):
        raise ShapeError(
            f"origin must have shape ({released.num_rows},), got {origin.shape}. It names the original row of each released row."
        )
    classes = get_column(original, target).dictionary_encode(null_encoding="encode")
    answers = np.asarray(classes.indices)
    if len(classes.dictionary) < 2 or np.bincount(answers).min() < folds:
        raise DataError(
            f"column {target!r} needs two classes or more with at least {folds} rows each, to learn from one part and be tested on "
            "the other. Choose another target or fewer folds."
        )
    parts = [_encode(get_column(original, name), get_column(released, name), origin) for name in features]
    raw, coarse = (np.concatenate(side, axis=1) for side in zip(*parts, strict=True))
    fold_of = _stratified(answers, folds, np.random.default_rng(seed))
    right = np.zeros(3)
    for fold in range(folds):
        test, train = fold_of == fold, fold_of != fold
        kept = train[origin]
        if len(np.unique(answers[origin[kept]])) < 2:
            raise DataError("the release keeps one class of the target only, so nothing can be learned from it. Suppress less.")
        right[0] += _right(raw[train], answers[train], raw[test], answers[test])
        right[1] += _right(coarse[kept], answers[origin[kept]], raw[test], answers[test])
        right[2] += (answers[test] == np.bincount(answers[train]).argmax()).sum()
    on_original, on_released, majority = (float(share) for share in right / len(answers))
    return DownstreamAccuracy(original=on_original, released=on_released, majority=majority, rows=len(answers))


def _encode(raw: pa.Array, released: pa.Array, origin: NDArray[np.int64]) -> tuple[Matrix, Matrix]:
    """Return a column's features for original rows, shape (n, d), and for released rows, shape (released rows, d)."""
    coded = raw.dictionary_encode(null_encoding="encode")
    rows = np.asarray(coded.indices).astype(np.int64)
    of_value = _of_numbers(coded.dictionary, rows) if is_number(raw.type) else _indicators(len(coded.dictionary), rows)
    labels = np.asarray(released.dictionary_encode(null_encoding="encode").indices).astype(np.int64)
    width = len(coded.dictionary)
    pairs = np.unique(labels * width + rows[origin])
    sums = np.zeros((int(labels.max(initial=0)) + 1, of_value.shape[1]))
    np.add.at(sums, pairs // width, of_value[pairs % width])
    sizes = np.bincount(pairs // width, minlength=len(sums))
    return of_value[rows], (sums / np.maximum(sizes, 1)[:, None])[labels]


def _of_numbers(values: pa.Array, rows: NDArray[np.int64]) -> Matrix:
    """Return the numbers of distinct values, centred and scaled over the rows, missing ones in the middle; shape (d, 1)."""
    numbers = np.asarray(pc.fill_null(values.cast(pa.float64(), safe=False), np.nan).to_numpy(zero_copy_only=False)).copy()
    every = numbers[rows]
    known = every[np.isfinite(every)]
    middle, scale = (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)
    numbers[~np.isfinite(numbers)] = middle
    return np.asarray((numbers - middle) / (scale or 1.0))[:, None]


def _indicators(values: int, rows: NDArray[np.int64]) -> Matrix:
    """Return one indicator for each of the most frequent values; shape (d, at most 100)."""
    frequent = np.argsort(-np.bincount(rows, minlength=values), kind="stable")[:_MOST_CATEGORIES]
    indicators = np.zeros((values, len(frequent)))
    indicators[frequent, np.arange(len(frequent))] = 1.0
    return indicators


def _stratified(answers: NDArray[Any], folds: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return a fold for each row; the rows of each class are dealt to the folds in turn, in random order."""
    order = generator.permutation(len(answers))
    order = order[np.argsort(answers[order], kind="stable")]
    fold_of = np.empty(len(answers), dtype=np.int64)
    fold_of[order] = np.arange(len(answers)) % folds
    return fold_of


def _right(features: Matrix, answers: NDArray[Any], test: Matrix, truth: NDArray[Any]) -> int:
    try:
        from sklearn.linear_model import LogisticRegression
    except ModuleNotFoundError:
        raise MissingExtra(
            "downstream accuracy trains a classifier of scikit-learn, which is not installed. Install it: pip install scikit-learn."
        ) from None
    model = LogisticRegression(max_iter=1000).fit(features, answers)
    return int((model.predict(test) == truth).sum())
