"""What an estimator takes as public, and on whose word: declared by the user, or read off the data because it is public already.

A bound or a label set taken silently from the data would depend on every row, and no noise covers it. So there are two ways:
the values themselves, or a text "public: source", by which the user states that the values that will be read off the data
are public knowledge, and where that can be looked up. The statement is kept in `origins_` and in the ledger's purpose.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.tables.schema import Origin, OriginKind
from tacit.train.sklearn.refusals import InputRefused, SettingRefused

Floats = NDArray[np.float64]

DECLARED = "declared"


def bounds_of(bounds: tuple[ArrayLike, ArrayLike] | str | None, values: Floats, what: str) -> tuple[Floats, Floats, str]:
    """Return (low, high, origin): two arrays of shape values.shape[1:].

    values -- shape (n, ...); looked at only when `bounds` is a text "public: source"; what -- the parameter's name.
    Raises SettingRefused when they are missing, not finite, or low is not below high.
    """
    if bounds is None:
        raise SettingRefused(
            f"{what} is not given. A row can move a sum only as far as its bounds allow, and bounds taken silently from the data "
            f'would depend on every row. Declare them, {what}=(0, 100), or say that they are public: {what}="public: the codebook".'
        )
    if isinstance(bounds, str):
        origin = _public(bounds, what)
        low, high = values.min(axis=0), values.max(axis=0)
        level = low == high
        return np.where(level, low - 1, low), np.where(level, high + 1, high), origin
    try:
        low, high = (np.broadcast_to(np.asarray(bound, dtype=np.float64), values.shape[1:]) for bound in bounds)
    except (TypeError, ValueError):
        raise SettingRefused(
            f"{what} must be two numbers (low, high), or two arrays of one number per feature (here {values.shape[1:]}), got {bounds!r}."
        ) from None
    if not ((low < high) & np.isfinite(high - low)).all():
        raise SettingRefused(
            f"{what} must be finite with low < high for every feature, got {bounds!r}. Values are clipped to them, so they decide "
            "how far one row can move a sum."
        )
    return low, high, DECLARED


def classes_of(classes: Sequence[Any] | str | None, labels: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Return (the sorted classes, origin). labels -- shape (n,); looked at only when `classes` is a text "public: source".

    Raises SettingRefused when classes are missing or fewer than two.
    """
    if classes is None:
        raise SettingRefused(
            "classes is not given. A label that only one person has would be revealed by the list alone. Declare every label that "
            'could occur, classes=["no", "yes"], or say that the list is public: classes="public: the form\'s codebook".'
        )
    origin = _public(classes, "classes") if isinstance(classes, str) else DECLARED
    found = np.unique(labels if isinstance(classes, str) else np.asarray(classes))
    if len(found) < 2:
        raise SettingRefused(
            f"classes must name at least two labels, got {len(found)} class. There is nothing to tell apart. "
            "Declare every label that could occur."
        )
    return found, origin


def class_numbers(classes: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return for each label its place among the sorted classes, shape (n,). Raises InputRefused for a label not declared."""
    numbers = {label: number for number, label in enumerate(classes.tolist())}
    try:
        return np.array([numbers[label] for label in labels.tolist()], dtype=np.int64)
    except (KeyError, TypeError):
        raise InputRefused(
            f"y holds a label (or a missing value) that is not among the declared classes {classes.tolist()[:20]}. "
            "A class made up for it would tell that it occurs. Declare every label that could occur."
        ) from None


def scaled(values: Floats, low: Floats, high: Floats) -> Floats:
    """Clip to the bounds and scale to [-1, 1]: a map of one row at a time, fixed beforehand.

    Rounding is monotone, so a clipped value never leaves [-1, 1].
    """
    return np.asarray((np.clip(values, low, high) - low) / (high - low) * 2 - 1)


def _public(text: str, what: str) -> str:
    """Return the origin that a text "public: source" states; refuse any other text."""
    if not text.startswith("public:") or not text.removeprefix("public:").strip():
        raise SettingRefused(
            f'{what} must be values, or a text "public: source" naming where anyone can look them up, got {text!r}. '
            "The reader of the ledger must be able to judge it."
        )
    origin = Origin.parse(text)
    assert origin.kind is OriginKind.PUBLIC
    return str(origin)
