"""Whether a released value covers an original one: a label of some level, or an interval, that holds it."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.verify.columns import number_values, word
from tacit.anonymize.verify.labels import ANY, Form, as_number, is_of_numbers, labels_of, last_level

_INTERVAL = re.compile(r"\[(?P<low>[^,\[\]]+), (?P<high>[^,\[\]]+)\]")


def uncovered(before: pa.Array, after: pa.Array, form: Form) -> NDArray[np.bool_]:
    """Return in which rows the released value does not cover the original one, shape (n,).

    A column of the original's type holds raw values, any other must be text: the value's own text, its label at some level,
    a closed interval of numbers that holds it, or "*", which alone covers a missing value as well.
    """
    raw, values = number_values(before)
    shown, labels = number_values(after)
    width = max(len(labels), 1)
    pairs, pair_of = np.unique(raw * width + shown, return_inverse=True)
    covers = _covering(values, labels, form)
    wrong = [not covers(pair // width, pair % width) for pair in pairs.tolist()]
    return np.asarray(wrong, dtype=bool)[pair_of]


def cover_table(values: pa.Array, labels: pa.Array, form: Form) -> NDArray[np.bool_]:
    """Return which labels cover which values, shape (labels, values)."""
    covers = _covering(values, labels, form)
    return np.array([[covers(value, label) for value in range(len(values))] for label in range(len(labels))], dtype=bool).reshape(
        len(labels), len(values)
    )


def _covering(values: pa.Array, labels: pa.Array, form: Form) -> Callable[[int, int], bool]:
    """Return whether a label, by its place, covers a value, by its place (places: value, label)."""
    shown = labels.to_pylist()
    if not _is_text(labels):
        known = values.to_pylist()
        same = values.type == labels.type
        return lambda value, label: same and bool(known[value] == shown[label])
    covers, numbers = _labels_of_each(values, form), _numbers(values, form)
    return lambda value, label: _covers(shown[label], covers[value], numbers[value])


def _covers(shown: str | None, labels: set[str] | None, number: Any) -> bool:
    """Whether what is shown covers a value with these labels (None: it is missing) and this number (None: it is none)."""
    if shown == ANY or labels is None or shown is None:
        return shown == ANY or (labels is None and shown is None)
    if shown in labels:
        return True
    interval = _INTERVAL.fullmatch(shown)
    if number is None or interval is None:
        return False
    low, high = as_number(interval["low"]), as_number(interval["high"])
    return low is not None and high is not None and low <= number <= high


def _labels_of_each(values: pa.Array, form: Form) -> list[set[str] | None]:
    """Return for each value all that its hierarchy may write for it, its own text included; None for a missing one."""
    raw = values.to_pylist()
    labels: list[set[str] | None] = [None if value is None else {word(value)} for value in raw]
    known = values.drop_null()
    places = [place for place, value in enumerate(raw) if value is not None]
    for level in range(1, last_level(form)):
        for place, label in zip(places, labels_of(known, form, level), strict=True):
            found = labels[place]
            assert found is not None
            found.add(label)
    return labels


def _numbers(values: pa.Array, form: Form) -> list[float | None]:
    """Return each value as a number, None where it is missing or the column is not one of ordered numbers."""
    kind = values.type
    if not is_of_numbers(form) or not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return [None] * len(values)
    return [None if value is None else as_number(value) for value in values.to_pylist()]


def _is_text(column: pa.Array) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type))
