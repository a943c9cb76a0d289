"""What the columns of a table look like: types, missing values, ranges and frequent values.

A profile is exact statistics of private rows: for the custodian's eyes, never for release. Bounds and categories of a
study are not copied from it (`tacit init` writes what it saw as comments).
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.errors import ConfigError
from tacit.tables.schema import Kind, nearest
from tacit.tables.values import plain

Value = int | float | str

_FEW = 100  # more distinct texts than this are not categories


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnProfile:
    """What one column looks like.

    arrow_type  -- its type in the table profiled. kind -- a guess for the study's author to check.
    n           -- rows. missing -- rows without a value. distinct -- different values, missing not counted.
    minimum, maximum -- of a numeric column; None for text and where every value is missing.
    top         -- the most frequent values with their number of rows, most frequent first, then in order of appearance.
    mean_length -- mean number of characters of a text column's values; None for numbers and where every value is missing.
    """

    name: str
    arrow_type: str
    kind: Kind
    n: int
    missing: int
    distinct: int
    minimum: int | float | None
    maximum: int | float | None
    top: tuple[tuple[Value, int], ...]
    mean_length: float | None


@dataclass(frozen=True, slots=True)
class Profile:
    """The profiles of a table's columns, in order."""

    columns: tuple[ColumnProfile, ...]

    def __iter__(self) -> Iterator[ColumnProfile]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> ColumnProfile:
        """Return the profile of the column of this name. Raises ConfigError, with the closest name, when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ConfigError(
            f"there is no profile of column {name!r}.{nearest(name, [column.name for column in self.columns])} "
            "Only columns of the table are profiled. Correct the name."
        )

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain JSON values; exact statistics of private rows, not for release."""
        return [asdict(column) for column in self.columns]


def profile(data: pa.Table, *, top: int = 10) -> Profile:
    """Return what each column of `data` looks like. It reads every row and releases nothing.

    top -- how many frequent values to keep per column; >= 0.
    Raises DataError for columns that are not one value a row, ConfigError when `top` is negative.
    """
    if isinstance(top, bool) or not isinstance(top, int) or top < 0:
        raise ConfigError(
            f"top must be a whole number >= 0, got {top!r}. It is how many frequent values to keep. Write for example 10."
        )
    with ThreadPoolExecutor(max(1, pa.cpu_count())) as pool:  # Arrow's kernels run outside the interpreter's lock
        return Profile(tuple(pool.map(lambda name: _profile_column(name, data.column(name), top), data.column_names)))


def _profile_column(name: str, given: pa.ChunkedArray, top: int) -> ColumnProfile:
    column = plain(given, name)
    text = pa.types.is_string(column.type)
    counted = pc.value_counts(column.drop_null())
    values, counts = counted.field("values"), counted.field("counts").to_numpy(zero_copy_only=False)
    most = np.argsort(-counts, kind="stable")[:top]
    ends = {"min": None, "max": None} if text else pc.min_max(column).as_py()
    return ColumnProfile(
        name=name,
        arrow_type=str(given.type),
        kind=_guess(column, len(values)),
        n=len(column),
        missing=column.null_count,
        distinct=len(values),
        minimum=ends["min"],
        maximum=ends["max"],
        top=tuple((values[int(place)].as_py(), int(counts[place])) for place in most),
        mean_length=pc.mean(pc.utf8_length(column)).as_py() if text else None,
    )


def _guess(column: pa.ChunkedArray, distinct: int) -> Kind:
    """Return the likely kind: numbers are numeric, but two whole numbers are a code; texts that repeat are categories."""
    if not pa.types.is_string(column.type):
        return Kind.CATEGORICAL if pa.types.is_int64(column.type) and distinct <= 2 else Kind.NUMERIC
    return Kind.CATEGORICAL if 0 < distinct <= _FEW and distinct < len(column) - column.null_count else Kind.TEXT
