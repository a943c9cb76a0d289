"""Dates moved by a secret number of days per person: order and gaps within a person stay, the calendar is lost."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.columns import is_text
from tacit.anonymize.pseudonymize.digests import keyed_digests
from tacit.anonymize.pseudonymize.keys import Key
from tacit.anonymize.pseudonymize.naming import arrow_column, name_values, scope_prefix
from tacit.anonymize.pseudonymize.replaced import Replaced
from tacit.errors import ConfigError, DataError, ShapeError

_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = 1 - _EPOCH, date.max.toordinal() - _EPOCH  # years 1 to 9999, in days since 1970
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


@dataclass(frozen=True, kw_only=True, slots=True)
class DateShift:
    """Moves all dates of one person by the same number of whole days, drawn by the key.

    key        -- who holds it, and knows the person, can undo the shift.
    window     -- (least, most) days, least < most: offsets are uniform in it, both ends included.
    allow_zero -- whether a person's dates may stay as they are; by default the offset is never 0.

    One date of a person known from elsewhere gives the offset, and with it all others: dates are still quasi-identifiers.
    """

    key: Key
    window: tuple[int, int] = (-365, 365)
    allow_zero: bool = False

    def __post_init__(self) -> None:
        whole = all(isinstance(end, int) and not isinstance(end, bool) and abs(end) <= _LAST_DAY for end in self.window)
        if len(self.window) != 2 or not whole or self._possible < 2:
            raise ConfigError(
                f"window must be two whole numbers of days, least < most, with at least two offsets in between, got {self.window!r}. "
                "With a single one everybody's dates would move alike. Write for example (-365, 365)."
            )

    def shift(self, dates: Any, subjects: Any, *, scope: str) -> Replaced:
        """Return the dates moved, in the type they came in; missing stays missing.

        dates    -- shape (n,): dates, timestamps, or texts written 2024-01-31.
        subjects -- shape (n,): whose date it is; texts or numbers, named as for tokens, so one person has one offset everywhere.
        scope    -- what the subjects are, for example "person": equal scopes give equal offsets in every table and run.
        Raises DataError when a date has no subject, is no date, or would leave the years 1 to 9999; ShapeError for other lengths.
        """
        return self._moved(dates, subjects, scope, back=False)

    def restore(self, dates: Any, subjects: Any, *, scope: str) -> pa.Array:
        """Return the dates as they were before `shift`, under the same key, window and scope."""
        return self._moved(dates, subjects, scope, back=True).values

    @property
    def _skips_zero(self) -> bool:
        return not self.allow_zero and self.window[0] <= 0 <= self.window[1]

    @property
    def _possible(self) -> int:
        """How many offsets can be drawn."""
        return self.window[1] - self.window[0] + 1 - self._skips_zero

    def _offset(self, digest: bytes) -> int:
        """Return the offset of a subject's digest: uniform up to 2^-200."""
        offset = self.window[0] + int.from_bytes(digest, "big") % self._possible
        return offset + (self._skips_zero and offset >= 0)

    def _moved(self, dates: Any, subjects: Any, scope: str, *, back: bool) -> Replaced:
        prefix, secret = scope_prefix(scope), self.key.derive("date shift")
        column, named = arrow_column(dates), name_values(subjects)
        _check(column, named.array)
        drawn = [self._offset(digest) for digest in keyed_digests(secret, prefix, named.texts)]
        days = np.array(drawn or [0], dtype=np.int64)
        of_row = pc.fill_null(named.indices, 0).to_numpy(zero_copy_only=False)
        values = _add_days(column, -days[of_row] if back else days[of_row])
        return Replaced(
            values=values,
            method="date shift: one keyed offset per subject",
            scope=scope,
            settings={"window": list(self.window), "allow_zero": self.allow_zero, "unit": "days"},
            rows=len(column),
            missing=column.null_count,
            distinct=len(set(named.texts)),
        )


def _check(dates: pa.Array, subjects: pa.Array) -> None:
    if len(dates) != len(subjects):
        raise ShapeError(f"{len(dates)} dates and {len(subjects)} subjects: every date belongs to one. Give one subject per row.")
    if not (is_text(dates.type) or pa.types.is_date(dates.type) or pa.types.is_timestamp(dates.type)):
        raise DataError(f"a column of type {dates.type} holds no dates. Give dates, timestamps, or texts written 2024-01-31.")
    if len(dates) and dates.null_count == len(dates):
        raise DataError(f"every one of the {len(dates)} dates is missing, so there is nothing to shift. Leave the column out.")
    lone = pc.and_(pc.is_valid(dates), pc.is_null(subjects))
    if pc.any(lone).as_py():
        raise DataError(
            f"row {pc.index(lone, True).as_py() + 1} (counted from 1) has a date and no subject. Without one it has no offset of its "
            "person, and unshifted it would tell. Fill in the subject, or leave the row out."
        )


def _add_days(dates: pa.Array, days: NDArray[np.int64]) -> pa.Array:
    """Return the dates plus so many days, in their own type. Raises DataError outside the years 1 to 9999."""
    kind = dates.type
    if is_text(kind):
        return _add_days(_parsed(dates), days).cast(pa.string()).cast(kind)
    unit = 1 if pa.types.is_date32(kind) else _PER_DAY["ms" if pa.types.is_date64(kind) else kind.unit]
    storage = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    valid = np.asarray(dates.is_valid())
    counts = np.where(valid, pc.fill_null(dates.cast(storage), 0).to_numpy(zero_copy_only=False), 0).astype(np.int64)
    day, within = np.divmod(counts, unit)
    day = np.where(valid, day + days, 0)
    room = np.iinfo(np.int64).max // unit - 1  # nanoseconds reach only from 1677 to 2262
    wrong = (day < max(_FIRST_DAY, -room)) | (day > min(_LAST_DAY, room))
    if wrong.any():
        raise DataError(
            f"row {int(np.argmax(wrong)) + 1} (counted from 1) would be shifted out of the years that a {kind} holds. It could not "
            "be written. Choose a smaller window, or correct the date."
        )
    return pa.array(day * unit + within, pa.int64(), mask=~valid).cast(storage).cast(kind)


def _parsed(texts: pa.Array) -> pa.Array:
    """Return texts written 2024-01-31 as dates. Raises DataError, with the row, for another form."""
    wrong = pc.invert(pc.match_substring_regex(texts, _ISO))
    if not pc.any(wrong).as_py():
        try:
            return texts.cast(pa.date32())
        except pa.ArrowInvalid:
            wrong = pa.array([not (text is None or _is_date(text)) for text in texts.to_pylist()])
    raise DataError(
        f"row {pc.index(wrong, True).as_py() + 1} (counted from 1) holds no date written 2024-01-31. A date that is read wrongly is "
        "shifted wrongly. Turn the column into dates first. The value is not shown."
    )


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
