"""What every evaluation accepts: checked once, here, with one message per mistake."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.errors import ConfigError, DataError, ShapeError

ROW_SUM_TOLERANCE = 1e-6
"""How far a row of probabilities may be from adding up to 1; float32 soft-max stays under 1e-6."""


def confidence_level(value: float, name: str = "confidence") -> float:
    """Return a confidence level. Raises ConfigError unless 0 < value < 1."""
    if not 0 < value < 1:
        raise ConfigError(f"{name} must lie between 0 and 1, got {value}: no interval is certain. Use for example 0.95.")
    return float(value)


def whole_number(value: int, name: str, *, least: int = 1) -> int:
    """Return a count. Raises ConfigError unless it is a whole number >= least."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ConfigError(f"{name} must be a whole number >= {least}, got {value!r}.")
    return int(value)


def finite_vector(values: ArrayLike, name: str, *, least: int = 1) -> NDArray[np.float64]:
    """Return values as float64, shape (n,), n >= least.

    Raises ShapeError when values are not one-dimensional; DataError when there are too few or one is NaN or infinite.
    """
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1:
        raise ShapeError(f"{name} must have shape (n,), got {vector.shape}. Flatten them, one number per row.")
    if len(vector) < least:
        raise DataError(f"{name} must hold at least {least} numbers, got {len(vector)}: nothing can be measured on fewer.")
    wrong = int(np.count_nonzero(~np.isfinite(vector)))
    if wrong:
        raise DataError(
            f"{name} must be finite, got {wrong} of {len(vector)} that are NaN or infinite: they have no rank. "
            "Look for a model that diverged, or for probabilities of exactly 0."
        )
    return vector


def feature_matrix(values: ArrayLike, name: str, *, least: int) -> NDArray[np.float64]:
    """Return values as finite float64, shape (n, d), n >= least, d >= 1. Raises ShapeError or DataError."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] < 1:
        raise ShapeError(f"{name} must have shape (n, d) with d >= 1, got {matrix.shape}.")
    if len(matrix) < least:
        raise DataError(f"{name} must hold at least {least} rows, got {len(matrix)}: nothing can be measured on fewer.")
    if not np.isfinite(matrix).all():
        raise DataError(f"{name} must be finite, got NaN or infinite values. Encode missing values first.")
    return matrix


def class_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the classes. Raises ConfigError unless there are at least two, all different."""
    names = tuple(classes)
    if len(names) < 2 or len(set(names)) != len(names):
        raise ConfigError(f"a classifier tells at least two different classes apart, got {list(names)[:10]}.")
    return names


def probability_matrix(values: ArrayLike, name: str, *, classes: int | None = None) -> NDArray[np.float64]:
    """Return class probabilities as float64, shape (n, k), n >= 1, k >= 2.

    Raises ShapeError for a wrong shape; DataError when empty, when a value lies outside [0, 1] (NaN included) or when
    a row does not add up to 1.
    """
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] < 2 or (classes is not None and matrix.shape[1] != classes):
        raise ShapeError(f"{name} must have shape (n, {classes or 'k >= 2'}), one column per class, got {matrix.shape}.")
    if not len(matrix):
        raise DataError(f"{name} are empty: there is no row to measure on. Check the split and the table.")
    if not ((matrix >= 0) & (matrix <= 1)).all():
        raise DataError(f"{name} must lie between 0 and 1, got NaN or values outside. Apply a soft-max to the model's outputs.")
    worst = float(np.abs(matrix.sum(axis=1) - 1).max())
    if worst > ROW_SUM_TOLERANCE:
        raise DataError(f"each row of {name} must add up to 1, got one that is {worst:.3g} off. Apply a soft-max to the outputs.")
    return matrix


def class_codes(labels: ArrayLike, *, rows: int, classes: int) -> NDArray[np.int64]:
    """Return labels as class numbers 0 .. classes - 1, shape (rows,).

    Raises ShapeError when their number differs from rows, DataError for NaN, fractions or undeclared classes.
    """
    raw = np.asarray(labels)
    if raw.shape != (rows,):
        raise ShapeError(f"labels must have shape ({rows},), one per row of probabilities, got {raw.shape}.")
    if not np.issubdtype(raw.dtype, np.number):
        raise DataError(f"labels must be class numbers 0 to {classes - 1}, got {raw.dtype}. Number the classes first.")
    if not (np.isfinite(raw).all() and np.all((raw >= 0) & (raw < classes)) and np.all(raw == np.floor(raw))):
        raise DataError(
            f"labels must be class numbers 0 to {classes - 1}, got NaN, fractions or other classes. Check the label column."
        )
    codes: NDArray[np.int64] = raw.astype(np.int64)
    return codes
