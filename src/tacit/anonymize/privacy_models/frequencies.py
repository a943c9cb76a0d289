"""Sums over the sparse histogram of a sensitive column, one number per class."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes, Histogram
from tacit.errors import ConfigError


def histogram_of(classes: Classes, column: str) -> Histogram:
    """Return the histogram of a sensitive column; ConfigError when the column was not named sensitive."""
    try:
        return classes.sensitive[column]
    except KeyError:
        raise ConfigError(
            f"a privacy model asks for the sensitive column {column!r}, and the sensitive columns are "
            f"{sorted(classes.sensitive)}: its values in each class are not known. Name it in `sensitive`."
        ) from None


def sum_by_class(histogram: Histogram, numbers: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """Return the sum of one number per entry over the entries of each class, shape (classes,)."""
    return np.bincount(histogram.class_of, weights=numbers, minlength=classes).astype(np.float64)


def rows_by_class(histogram: Histogram, classes: int) -> NDArray[np.int64]:
    """Return the rows of each class, shape (classes,), as the histogram counts them."""
    return sum_by_class(histogram, histogram.counts, classes).astype(np.int64)


def entropy_by_class(
    histogram: Histogram, classes: int, logarithm: Callable[[NDArray[np.int64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return of each class log |E| - (sum of c log c) / |E| over the counts c of its values: its entropy, with the natural logarithm.

    logarithm -- of counts >= 1, or what an estimator of the entropy puts in its place.
    """
    rows = np.maximum(rows_by_class(histogram, classes), 1)
    return np.asarray(logarithm(rows) - sum_by_class(histogram, histogram.counts * logarithm(histogram.counts), classes) / rows)


def values_by_class(histogram: Histogram, classes: int) -> NDArray[np.int64]:
    """Return the number of distinct values in each class, shape (classes,); a missing value is one."""
    return np.bincount(histogram.class_of, minlength=classes).astype(np.int64)


def all_by_class(histogram: Histogram, good: NDArray[np.bool_], classes: int) -> NDArray[np.bool_]:
    """Return for each class, shape (classes,), whether all of its entries are good."""
    return np.asarray(np.bincount(histogram.class_of[~good], minlength=classes) == 0)
