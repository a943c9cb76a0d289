"""Readings of one column: by its name, by the shapes of its values, as free text, by distinctness, by its type."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.columns import is_number, is_text, plain
from tacit.anonymize.identify.column_names import LABEL_NAMES, kind_by_name, words
from tacit.anonymize.identify.finding import Guess
from tacit.anonymize.identify.recognizers import RECOGNIZERS
from tacit.anonymize.identify.recognizers.names import NameList
from tacit.anonymize.identify.recognizers.recognizer import Recognizer
from tacit.tables.schema import Role

SCANNED = 100_000
"""Distinct values per column that are looked at, the first in the order of the table."""

_QUASI = {"date", "postcode", "location", "age"}
_STRONG = {"e-mail", "iban", "card", "ssn", "ip"}
_LEAST = 0.3
_LEAST_SHARE, _LEAST_SHARE_OF_STRONG = 0.6, 0.01
_SHORTEST_NUMBER = 10**8


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What is known of a column before guessing: its type, rows with a value, distinct values and their share."""

    name: str
    type: pa.DataType
    present: int
    values: pa.Array = field(repr=False)
    distinct: int

    @property
    def share(self) -> float:
        return self.distinct / self.present if self.present else 0.0


def look(name: str, column: Any) -> Sight:
    """Return what is known of a column; of its distinct values the first SCANNED."""
    array = plain(column)
    distinct = array.unique().drop_null() if not pa.types.is_nested(array.type) else array.slice(0, 0)
    return Sight(
        name=name, type=array.type, present=len(array) - array.null_count, values=distinct[:SCANNED], distinct=len(distinct)
    )


def by_name(sight: Sight) -> list[Guess]:
    said = words(sight.name)
    if said in LABEL_NAMES and 2 <= sight.distinct <= 20:
        return [Guess(role=Role.LABEL, kind="", confidence=0.7, reason=f"named {said!r}, with {sight.distinct} distinct values")]
    told = kind_by_name(sight.name)
    if told is None:
        return []
    kind, role, phrase = told
    confidence, reason = 0.8, f"its name says {phrase!r}"
    if sight.values.type == pa.bool_() or (role is Role.IDENTIFIER and 0 < sight.distinct <= 2 < sight.present):
        # "has_phone", "email_sent": says something about the person, but names nobody
        return [Guess(role=Role.FEATURE, kind="", confidence=0.6, reason=f"{reason}, but it has at most two values")]
    if kind == "age" and not _within(sight, 0, 130):
        confidence, reason = 0.3, f"{reason}, but it is not all numbers from 0 to 130"
    elif kind == "location" and not _within(sight, -180, 180):
        confidence, reason = 0.3, f"{reason}, but it is not all degrees"
    elif kind in {"name", "address", "free text"} and is_number(sight.type):
        kind, role, confidence, reason = "identifier", Role.IDENTIFIER, 0.3, f"{reason}, but it is a number"
    elif kind == "identifier" and sight.share < 0.5:
        role, confidence, reason = Role.IDENTIFIER, 0.55, f"{reason}, though values repeat"
    return [Guess(role=role, kind=kind, confidence=confidence, reason=reason)]


def by_shape(sight: Sight) -> list[Guess]:
    """Guess from the shapes of distinct values; a whole number of nine digits or more counts as its digits."""
    if pa.types.is_integer(sight.type) and len(sight.values) and pc.min(sight.values).as_py() >= _SHORTEST_NUMBER:
        values = sight.values.cast(pa.string())
    elif is_text(sight.type) and len(sight.values):
        values = pc.utf8_trim_whitespace(sight.values.cast(pa.string()))
    else:
        return []
    free = np.ones(len(values), dtype=bool)
    guesses = []
    for one in RECOGNIZERS:
        if not free.any():
            break
        if not one.whole:
            continue
        mask = free & one.shaped(values)
        if not one.shared:
            free &= ~mask
        if guess := _of_shape(one, sight, values.filter(pa.array(mask)), len(values)):
            guesses.append(guess)
    return guesses


def _of_shape(one: Recognizer, sight: Sight, shaped: pa.Array, scanned: int) -> Guess | None:
    share = len(shaped) / scanned
    if share < (_LEAST_SHARE_OF_STRONG if one.kind in _STRONG else _LEAST_SHARE):
        return None
    if one.kind == "name" and sight.share < 0.5 and sight.distinct < 200:
        return None
    passed = int(one.passed(shaped).sum())
    confidence = one.confidence(len(shaped), passed) * max(share, 0.5)
    if confidence < _LEAST:
        return None
    what = one.name or one.kind
    checked = f", {passed / len(shaped):.0%} of these with the right {one.check}" if one.valid else ""
    role = Role.QUASI if one.kind in _QUASI else Role.IDENTIFIER
    return Guess(
        role=role, kind=one.kind, confidence=confidence, reason=f"{share:.0%} of distinct values look like {what}{checked}"
    )


def by_list(sight: Sight, names: NameList | None) -> list[Guess]:
    """Guess from names that the user listed."""
    if names is None or not is_text(sight.type) or not len(sight.values):
        return []
    share = float(names.hold(sight.values).mean())
    if share < 0.1:
        return []
    reason = f"{share:.0%} of distinct values are names of the list given"
    return [Guess(role=Role.IDENTIFIER, kind="name", confidence=0.6 + 0.35 * share, reason=reason)]


def is_free_text(sight: Sight) -> bool:
    """Whether the values are sentences rather than names or categories."""
    if not is_text(sight.type) or not len(sight.values):
        return False
    spaces, length = _spaces(sight), pc.mean(pc.utf8_length(sight.values)).as_py()
    return not (spaces < 3 or length < 25 or (sight.share < 0.2 and sight.distinct < 100))


def by_text(sight: Sight, inside: dict[str, float]) -> list[Guess]:
    """Guess that a column of free text is that. inside -- kind -> share of its texts that hold it, the most frequent first."""
    spaces = _spaces(sight)
    found = ", ".join(f"{kind} in {share:.0%}" for kind, share in inside.items())
    reason = (
        f"{spaces + 1:.0f} words per value on average: free text may say anything about anyone; drop it, or redact what is found "
        f"in it and read the rest. Found in its texts: {found or 'nothing'}"
    )
    confidence = 0.9 if spaces >= 5 else 0.7
    return [Guess(role=Role.IDENTIFIER, kind="free text", confidence=confidence, reason=reason, inside=tuple(inside))]


def _spaces(sight: Sight) -> float:
    return float(pc.mean(pc.count_substring(pc.utf8_trim_whitespace(sight.values), " ")).as_py())


def by_distinctness(sight: Sight) -> list[Guess]:
    if sight.present < 20 or sight.share < 0.95:
        return []
    reason = f"{sight.share:.0%} of its values are distinct"
    if pa.types.is_integer(sight.type):
        span = pc.max(sight.values).as_py() - pc.min(sight.values).as_py() + 1
        if span == sight.distinct == sight.present:
            return [Guess(role=Role.IDENTIFIER, kind="identifier", confidence=0.7, reason=f"{reason} and number the rows")]
        return [Guess(role=Role.QUASI, kind="nearly unique", confidence=0.35, reason=f"{reason}: it singles rows out")]
    if is_text(sight.type):
        return [Guess(role=Role.IDENTIFIER, kind="identifier", confidence=0.5, reason=reason)]
    return []


def by_type(sight: Sight) -> list[Guess]:
    if pa.types.is_temporal(sight.type) and not pa.types.is_duration(sight.type):
        return [Guess(role=Role.QUASI, kind="date", confidence=0.7, reason=f"its type is {sight.type}")]
    if pa.types.is_nested(sight.type):
        return [Guess(role=Role.IGNORE, kind="", confidence=0.6, reason=f"its type, {sight.type}, is not looked into")]
    return []


def _within(sight: Sight, low: float, high: float) -> bool:
    if not is_number(sight.type):
        return is_text(sight.type)  # age groups as text are ages too
    values = np.asarray(sight.values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return bool(len(values)) and bool(values.min() >= low and values.max() <= high)
