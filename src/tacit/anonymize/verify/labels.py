"""What each level of a hierarchy writes for a value, from the hierarchy's JSON form.

    {"low", "high", "cuts"}                                     the interval that holds a number
    {"rows"}                                                    the entry of the value's row
    {"redact", "length", "side", "align", "pad", "alphabet"}    the text with characters replaced by "*"
    {"first", "last", "units"}                                  the period that holds a date

Level 0 is the value, the last level "*". A missing value stays missing below the last level. "origin" may stand beside each.
"""

import datetime
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.verify.columns import word
from tacit.errors import PrivacyError

ANY = "*"
Form = Mapping[str, Any]
Label = Callable[[Any], str | None]
_KEYS = {
    "cuts": {"low", "high", "cuts"},
    "rows": {"rows"},
    "redact": {"redact", "length", "side", "align", "pad", "alphabet"},
    "units": {"first", "last", "units"},
}


def last_level(form: Form) -> int:
    """Return the number of the level that is "*". Raises PrivacyError for a form that this check does not know."""
    kind = _kind(form)
    if kind == "rows":
        rows = form["rows"]
        if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2 or any(row[-1] != ANY for row in rows):
            raise PrivacyError('a hierarchy of rows does not end in "*"')
        return len(rows[0]) - 1
    return len(form[kind]) + 1


def at_level(column: pa.Array, form: Form, level: int) -> pa.Array:
    """Return a column at a level; missing stays missing below the last one.

    Raises PrivacyError when a value has no place in the hierarchy, or the level does not exist.
    """
    last = last_level(form)
    if isinstance(level, bool) or not 0 <= level <= last:
        raise PrivacyError(f"a hierarchy with {last + 1} levels has no level {level}")
    if level == 0:
        return column
    if level == last:
        return pa.array([ANY] * len(column), pa.string())
    coded = column.dictionary_encode()
    labels = labels_of(coded.dictionary, form, level)
    return pa.array(labels, pa.string()).take(coded.indices)


def labels_of(values: pa.Array, form: Form, level: int) -> list[str]:
    """Return the labels of values, none missing, at a level between the first and the last."""
    make = {"rows": _of_rows, "cuts": _of_cuts, "redact": _of_redaction, "units": _of_dates}[_kind(form)](form, level)
    labels = [make(value) for value in plain_values(values, dates=_kind(form) == "units")]
    outside = sum(label is None for label in labels)
    if outside:
        raise PrivacyError(f"{outside} of {len(labels)} distinct values have no place in their hierarchy")
    return [label for label in labels if label is not None]


def plain_values(values: pa.Array, *, dates: bool = False) -> list[Any]:
    """Return an array as Python values; times as their local day where dates are asked for."""
    if dates and pa.types.is_timestamp(values.type):
        values = (pc.local_timestamp(values) if values.type.tz else values).cast(pa.date32(), safe=False)
    return list(values.to_pylist())


def is_of_numbers(form: Form) -> bool:
    """Whether a hierarchy orders its values by size, so that an interval of them means something."""
    return _kind(form) == "cuts" or (_kind(form) == "rows" and all(as_number(row[0]) is not None for row in form["rows"]))


def as_number(value: Any) -> float | None:
    """Return what a value or text is as a number, None when it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _kind(form: Form) -> str:
    kinds = [kind for kind, keys in _KEYS.items() if set(form) - {"origin"} == keys]
    if len(kinds) != 1:
        raise PrivacyError(f"a hierarchy with the keys {sorted(form)} is not one this check knows")
    return kinds[0]


def _of_rows(form: Form, level: int) -> Label:
    """A value's label is the entry of its row at the level; numbers match by number, everything else by its text."""
    rows: Sequence[Sequence[str]] = form["rows"]
    by_text = {row[0]: row[level] for row in rows}
    by_number = {number: row[level] for row in rows if (number := as_number(row[0])) is not None}

    def label(value: Any) -> str | None:
        number = None if isinstance(value, str | bool) else as_number(value)
        return by_text.get(word(value)) if number is None else by_number.get(number)

    return label


def _of_cuts(form: Form, level: int) -> Label:
    """A value's label is the interval that holds it: lower end in, upper end out, the last interval closed."""
    low, high, cuts = float(form["low"]), float(form["high"]), [float(cut) for cut in form["cuts"][level - 1]]
    edges = [low, *cuts, high]

    def label(value: Any) -> str | None:
        number = as_number(value)
        if number is None or isinstance(value, str | bool) or not low <= number <= high:
            return None
        place = bisect_right(cuts, number)
        end = "]" if place == len(cuts) else ")"
        return f"[{word(edges[place])}, {word(edges[place + 1])}{end}"

    return label


def _of_redaction(form: Form, level: int) -> Label:
    """A value's label is its text, filled to the length, with as many characters of one side replaced as the level says."""
    count, length, pad = int(form["redact"][level - 1]), int(form["length"]), str(form["pad"])

    def label(value: Any) -> str | None:
        text = word(value)
        filled = text + pad * (length - len(text)) if form["align"] == "left" else pad * (length - len(text)) + text
        if len(text) > length:
            return None
        return filled[: length - count] + ANY * count if form["side"] == "right" else ANY * count + filled[count:]

    return label


def _of_dates(form: Form, level: int) -> Label:
    """A date's label is the period that holds it; weeks as ISO 8601 counts them."""
    first, last = (datetime.date.fromisoformat(form[end]) for end in ("first", "last"))
    unit = form["units"][level - 1]

    def label(value: Any) -> str | None:
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value)
        day = value.date() if isinstance(value, datetime.datetime) else value
        if not isinstance(day, datetime.date) or not first <= day <= last:
            return None
        week = day.isocalendar()
        names: dict[str, str] = {
            "day": day.isoformat(),
            "week": f"{week.year:04d}-W{week.week:02d}",
            "month": f"{day.year:04d}-{day.month:02d}",
            "quarter": f"{day.year:04d}-Q{(day.month + 2) // 3}",
            "year": f"{day.year:04d}",
            "decade": f"{day.year // 10 * 10:04d}s",
        }
        return names.get(unit)

    return label
