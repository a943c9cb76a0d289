"""Find personal data: for each column a suggested role, the kind of personal data, a confidence and the reasons.

Looks at column names, types, the shapes and checksums of distinct values, and how well a column tells rows apart. It uses no
network and no list of names, and it suggests: a person confirms. Columns of free text are detected as a whole and are to be
dropped; this version does not search inside texts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.column_names import LABEL_NAMES, kind_by_name, words
from tacit.anonymize.columns import is_number, is_text, plain
from tacit.anonymize.patterns import SHAPES, shape_masks
from tacit.tables.schema import Role

SCANNED = 100_000
"""Distinct values per column that are looked at, the first in the order of the table."""

_ROLE_OF_SHAPE = {"date": Role.QUASI, "postcode": Role.QUASI}
_STRONG = {"e-mail", "iban", "card", "ssn", "ip"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnFinding:
    """What one column seems to be.

    column     -- its name; role -- the suggested role.
    kind       -- the kind of personal data ("e-mail", "name", "free text", "age", ...), "" for none.
    confidence -- 0..1: how sure the suggestion is; an ordering, not a probability.
    reasons    -- why, in words and shares, without values of the data. Still an exact statistic of private rows.
    """

    column: str
    role: Role
    kind: str
    confidence: float
    reasons: tuple[str, ...]

    @property
    def remedy(self) -> str:
        """What to do with it before a release: "drop", "pseudonymize", "generalize" or "keep"."""
        if self.role is Role.IDENTIFIER:
            return "drop" if self.kind == "free text" else "pseudonymize"
        return "generalize" if self.role is Role.QUASI else "keep"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Guess:
    """One reading of a column, with its confidence; the best guess becomes the finding."""

    role: Role
    kind: str
    confidence: float
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sight:
    """What is known of a column before guessing: its type, rows with a value, distinct values and their share."""

    name: str
    type: pa.DataType
    present: int
    values: pa.Array = field(repr=False)
    distinct: int

    @property
    def share(self) -> float:
        return self.distinct / self.present if self.present else 0.0


def identify_columns(data: pa.Table, *, on_progress: Callable[[int, int], None] | None = None) -> tuple[ColumnFinding, ...]:
    """Return one finding per column, in the order of the table; the same table gives the same findings.

    on_progress -- called with (columns done, columns in all).
    """
    findings = []
    for done, (name, column) in enumerate(zip(data.column_names, data.columns, strict=True), start=1):
        findings.append(_finding(_look(name, column)))
        if on_progress:
            on_progress(done, data.num_columns)
    labels = [finding.column for finding in findings if finding.role is Role.LABEL]
    return tuple(_several_labels(one) if len(labels) > 1 and one.role is Role.LABEL else one for one in findings)


def _look(name: str, column: Any) -> _Sight:
    array = plain(column)
    distinct = array.unique().drop_null() if not pa.types.is_nested(array.type) else array.slice(0, 0)
    return _Sight(
        name=name, type=array.type, present=len(array) - array.null_count, values=distinct[:SCANNED], distinct=len(distinct)
    )


def _finding(sight: _Sight) -> ColumnFinding:
    guesses = [guess for look in (_by_name, _by_shape, _by_text, _by_distinctness, _by_type) for guess in look(sight)]
    if not guesses:
        return ColumnFinding(
            column=sight.name, role=Role.FEATURE, kind="", confidence=0.5, reasons=("nothing points to personal data",)
        )
    best = max(guesses, key=lambda guess: guess.confidence)  # the first of equals: names before shapes before distinctness
    same = [guess for guess in guesses if guess.kind == best.kind]
    doubt = 1.0
    for guess in same:
        doubt *= 1.0 - guess.confidence
    others = [f"also possible: {guess.kind} ({guess.reason})" for guess in guesses if guess.kind != best.kind]
    return ColumnFinding(
        column=sight.name,
        role=best.role,
        kind=best.kind,
        confidence=round(min(1.0 - doubt, 0.99), 2),
        reasons=(*(guess.reason for guess in same), *dict.fromkeys(others)),
    )


def _by_name(sight: _Sight) -> list[_Guess]:
    said = words(sight.name)
    if said in LABEL_NAMES and 2 <= sight.distinct <= 20:
        return [_Guess(role=Role.LABEL, kind="", confidence=0.7, reason=f"named {said!r}, with {sight.distinct} distinct values")]
    told = kind_by_name(sight.name)
    if told is None:
        return []
    kind, role, phrase = told
    confidence, reason = 0.8, f"its name says {phrase!r}"
    if sight.values.type == pa.bool_() or (role is Role.IDENTIFIER and 0 < sight.distinct <= 2 < sight.present):
        # "has_phone", "email_sent": says something about the person, but names nobody
        return [_Guess(role=Role.FEATURE, kind="", confidence=0.6, reason=f"{reason}, but it has at most two values")]
    if kind == "age" and not _within(sight, 0, 130):
        confidence, reason = 0.3, f"{reason}, but it is not all numbers from 0 to 130"
    elif kind in {"name", "address", "free text"} and is_number(sight.type):
        kind, role, confidence, reason = "identifier", Role.IDENTIFIER, 0.3, f"{reason}, but it is a number"
    elif kind == "identifier" and sight.share < 0.5:
        role, confidence, reason = Role.IDENTIFIER, 0.55, f"{reason}, though values repeat"
    return [_Guess(role=role, kind=kind, confidence=confidence, reason=reason)]


def _by_shape(sight: _Sight) -> list[_Guess]:
    """Guess from the shapes of distinct values; a number counts as its digits."""
    if pa.types.is_integer(sight.type) and len(sight.values) and pc.min(sight.values).as_py() >= 10**12:
        values = sight.values.cast(pa.string())
    elif is_text(sight.type) and len(sight.values):
        values = sight.values
    else:
        return []
    guesses = []
    for shape, mask in zip(SHAPES, shape_masks(values), strict=True):
        share = float(mask.mean())
        if share < (0.01 if shape.kind in _STRONG else 0.6) or (
            shape.kind == "name" and sight.share < 0.5 and sight.distinct < 200
        ):
            continue
        passed = float(shape.valid(values.filter(pa.array(mask))).mean()) if shape.valid else 0.0
        confidence = (shape.alone + (shape.checked - shape.alone) * passed if shape.valid else shape.alone) * max(share, 0.5)
        checked = f", {passed:.0%} of these with the right {shape.check}" if shape.valid else ""
        reason = f"{share:.0%} of distinct values look like {shape.kind}{checked}"
        role = _ROLE_OF_SHAPE.get(shape.kind, Role.IDENTIFIER)
        guesses.append(_Guess(role=role, kind=shape.kind, confidence=confidence, reason=reason))
    return guesses


def _by_text(sight: _Sight) -> list[_Guess]:
    if not is_text(sight.type) or not len(sight.values):
        return []
    spaces = pc.mean(pc.count_substring(pc.utf8_trim_whitespace(sight.values), " ")).as_py()
    length = pc.mean(pc.utf8_length(sight.values)).as_py()
    if spaces < 3 or length < 25 or (sight.share < 0.2 and sight.distinct < 100):
        return []
    confidence = 0.9 if spaces >= 5 else 0.7
    reason = (
        f"{spaces + 1:.0f} words per value on average: free text may say anything about anyone; drop it, its "
        "inside is not searched"
    )
    return [_Guess(role=Role.IDENTIFIER, kind="free text", confidence=confidence, reason=reason)]


def _by_distinctness(sight: _Sight) -> list[_Guess]:
    if sight.present < 20 or sight.share < 0.95:
        return []
    reason = f"{sight.share:.0%} of its values are distinct"
    if pa.types.is_integer(sight.type):
        span = pc.max(sight.values).as_py() - pc.min(sight.values).as_py() + 1
        if span == sight.distinct == sight.present:
            return [_Guess(role=Role.IDENTIFIER, kind="identifier", confidence=0.7, reason=f"{reason} and number the rows")]
        return [_Guess(role=Role.QUASI, kind="nearly unique", confidence=0.35, reason=f"{reason}: it singles rows out")]
    if is_text(sight.type):
        return [_Guess(role=Role.IDENTIFIER, kind="identifier", confidence=0.5, reason=reason)]
    return []


def _by_type(sight: _Sight) -> list[_Guess]:
    if pa.types.is_temporal(sight.type) and not pa.types.is_duration(sight.type):
        return [_Guess(role=Role.QUASI, kind="date", confidence=0.7, reason=f"its type is {sight.type}")]
    if pa.types.is_nested(sight.type):
        return [_Guess(role=Role.IGNORE, kind="", confidence=0.6, reason=f"its type, {sight.type}, is not looked into")]
    return []


def _within(sight: _Sight, low: float, high: float) -> bool:
    if not is_number(sight.type):
        return is_text(sight.type)  # age groups as text are ages too
    values = np.asarray(sight.values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return bool(len(values)) and bool(values.min() >= low and values.max() <= high)


def _several_labels(finding: ColumnFinding) -> ColumnFinding:
    reasons = (*finding.reasons, "more than one column has such a name, so none is taken for the label")
    return ColumnFinding(column=finding.column, role=Role.FEATURE, kind="", confidence=0.3, reasons=reasons)
