"""Declared categories: which values a person may have, fixed before anyone is asked."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError

MOST_CATEGORIES = 1 << 20


def checked_categories(categories: Sequence[str]) -> tuple[str, ...]:
    """Return the categories as a tuple. Raises ConfigError unless they are 2 to 2^20 texts without repeats."""
    given: Any = categories
    texts = not isinstance(given, str) and isinstance(given, Sequence) and all(isinstance(one, str) for one in given)
    if not texts or len(set(given)) != len(given) or not 2 <= len(given) <= MOST_CATEGORIES:
        raise ConfigError(
            f"categories must be 2 to {MOST_CATEGORIES} texts without repeats, got {_short(given)}: a person hides among them. "
            "Declare every value that could occur, with one for missing."
        )
    return tuple(given)


def category_numbers(values: Iterable[str], categories: Sequence[str]) -> NDArray[np.int64]:
    """Return each value's place among the categories, shape (n,). Raises DataError for a value that was not declared."""
    places = {name: place for place, name in enumerate(categories)}
    try:
        return np.array([places[one] for one in values], dtype=np.int64)
    except (KeyError, TypeError):
        raise DataError(
            f"a value is not among the {len(places)} declared categories, so nothing was reported: sent as it is, it would be "
            "in the clear. Declare every value that could occur, or map unknown ones to a category of their own."
        ) from None


def _short(given: object) -> str:
    return f"{len(given)} of them" if isinstance(given, tuple | list) and len(given) > 9 else repr(given)
