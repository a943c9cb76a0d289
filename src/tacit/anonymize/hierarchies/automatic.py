"""A hierarchy where none is given: from declared bounds or categories if there are any, otherwise from the data, and it says so.

What is built from the data tells of them: the ends of its range are extreme values, the order in which categories merge is
their order by frequency. Its `origin` is "data"; a private mechanism refuses it.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.columns import as_text, is_number, is_text, plain
from tacit.anonymize.hierarchies.date import DateHierarchy, DateUnit, days_of
from tacit.anonymize.hierarchies.hierarchy import Hierarchy
from tacit.anonymize.hierarchies.interval import IntervalHierarchy, round_width
from tacit.anonymize.hierarchies.redaction import RedactionHierarchy
from tacit.anonymize.hierarchies.tree import TreeHierarchy
from tacit.anonymize.population import with_population
from tacit.errors import DataError
from tacit.tables.schema import Column, Schema

_MERGING_LEVELS = 4
_CODES = r"^[0-9A-Za-z]*[0-9][0-9A-Za-z]*$"
_POSTCODES = r"^[0-9]{4,}$"
_DATES = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?$"


def automatic(values: pa.Array | pa.ChunkedArray, declared: Column | None = None) -> Hierarchy:
    """Return a hierarchy that fits a column.

    declared -- the column's declaration; with bounds or categories the hierarchy comes from them alone, not from `values`.
    Otherwise: numbers get at most 16 intervals of a round width, doubled until one is left; dates (or ISO 8601 texts) their
    day, month, quarter, year and decade as far as these tell days apart; texts of one length their prefixes, if they are four
    or more digits (postcodes), or ten or more different codes that hold digits; other categories merge into "other", the
    rarest first; of other texts than postcodes two values or one go straight to "*".
    Raises DataError, never holding a value, when every value is missing, a number is infinite, or values are lists.
    """
    array = plain(values)
    array = array.cast(pa.large_string()) if is_text(array.type) else array  # one type for what Arrow has three of
    whole = bool(pa.types.is_integer(array.type))
    if declared is not None and (hierarchy := from_declaration(declared, whole=whole)) is not None:
        return hierarchy
    if pa.types.is_nested(array.type) or pa.types.is_null(array.type) or array.null_count == len(array):
        what = "holds lists or structures" if pa.types.is_nested(array.type) else "has no value that is not missing"
        raise DataError(f"it {what}, so no hierarchy can be built for it. Declare bounds or categories, or leave the column out.")
    counted = pc.value_counts(array.drop_null())
    known, counts = counted.field("values"), np.asarray(counted.field("counts"))
    if is_text(known.type) and pc.all(pc.match_substring_regex(known, _POSTCODES)).as_py() and _of_one_length(known):
        return _of_codes(known)
    if len(known) <= 2:
        return _straight(sorted(as_text(value) for value in known.to_pylist()))
    if is_number(known.type):
        return _of_numbers(known)
    if pa.types.is_temporal(known.type) and not pa.types.is_time(known.type) and not pa.types.is_duration(known.type):
        return _of_dates(known)
    if is_text(known.type) and pc.all(pc.match_substring_regex(known, _DATES)).as_py():
        try:
            return _of_dates(known)
        except DataError:  # looks like dates, but one has a 31 June
            pass
    if (
        len(known) >= 10
        and is_text(known.type)
        and pc.all(pc.match_substring_regex(known, _CODES)).as_py()
        and _of_one_length(known)
    ):
        return _of_codes(known)
    return _rarest_first([as_text(value) for value in known.to_pylist()], counts)


def automatic_hierarchies(
    data: pa.Table, names: Sequence[str], schema: Schema | None = None, *, population: pa.Table | None = None
) -> dict[str, Hierarchy]:
    """Return an automatic hierarchy for each named column. Raises DataError naming the column for which none can be built.

    schema     -- declarations: a column with bounds or categories gets its hierarchy from them alone.
    population -- a table of the same columns, as of k-map: its values have their place in the hierarchies too.
    """
    built: dict[str, Hierarchy] = {}
    for name in names:
        values = with_population(data, name, population)
        try:
            built[name] = automatic(values, schema[name] if schema is not None and name in schema else None)
        except DataError as error:
            raise DataError(f"column {name!r}: {error}") from None
    return built


def from_declaration(column: Column, *, whole: bool = False) -> Hierarchy | None:
    """Return the hierarchy of declared bounds (intervals of doubling width) or categories (straight to "*"), else None.

    whole -- whether the column's type is whole numbers: then no interval is narrower than two of them.
    """
    if column.bounds is not None:
        return IntervalHierarchy.doubling(column.bounds.low, column.bounds.high, at_least=2.0 if whole else 0.0)
    if column.categories is not None:
        return TreeHierarchy(rows=tuple((value,) for value in column.categories.values))
    return None


def _straight(values: Sequence[str]) -> TreeHierarchy:
    return TreeHierarchy(rows=tuple((value,) for value in values), origin="data")


def _of_one_length(texts: pa.Array) -> bool:
    lengths = pc.min_max(pc.utf8_length(texts)).as_py()
    return bool(lengths["min"] == lengths["max"] >= 3)


def _of_codes(codes: pa.Array) -> RedactionHierarchy:
    """Return the prefixes of codes of one length."""
    length = len(codes[0].as_py())
    seen = set("".join(codes.to_pylist()))
    alphabet = 10 if seen.issubset("0123456789") else len(seen)
    return RedactionHierarchy(length=length, redact=tuple(range(1, length)), alphabet=alphabet, origin="data")


def _of_numbers(known: pa.Array) -> Hierarchy:
    numbers = np.asarray(known.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    least, most = float(numbers.min()), float(numbers.max())
    if not math.isfinite(most - least):
        raise DataError("it holds infinite values, so it has no range to cut into intervals. Mark or correct such values.")
    digits = 10.0 ** (math.floor(math.log10(max(abs(least), abs(most), 1e-290))) - 10)  # edges keep 12 significant digits
    at_least = max(digits, 2.0 if pa.types.is_integer(known.type) else 0.0)
    width = round_width(max(most - least, digits), at_least)
    low, high = math.floor(least / width) * width, math.ceil(most / width) * width
    low, high = (low - width if low > least else low), (high + width if high < most else high)  # the quotients underflowed
    return IntervalHierarchy.doubling(low, max(high, low + width), at_least=at_least, origin="data")


def _of_dates(known: pa.Array) -> DateHierarchy:
    days = days_of(known).astype("datetime64[D]")
    first = days.min().astype("datetime64[Y]").astype("datetime64[D]").item()
    last = ((days.max().astype("datetime64[Y]") + 1).astype("datetime64[D]") - 1).item()
    finest: tuple[DateUnit, ...] = ("day",) if pa.types.is_timestamp(known.type) else ()
    whole = DateHierarchy(first=first, last=last, units=(*finest, "month", "quarter", "year", "decade"), origin="data")
    distinct = [len(known), *(len(set(whole.generalize(known, level)[0])) for level in range(1, whole.levels - 1))]
    units = tuple(unit for unit, (finer, count) in zip(whole.units, pairwise(distinct), strict=True) if 1 < count < finer)
    return DateHierarchy(first=first, last=last, units=units or ("year",), origin="data")


def _rarest_first(values: Sequence[str], counts: np.ndarray) -> TreeHierarchy:
    """Return the hierarchy that keeps the most frequent values and writes the rest as "other", keeping fewer on each level."""
    order = sorted(range(len(values)), key=lambda i: (-int(counts[i]), values[i]))
    shrink = max(2.0, (len(values) / 2) ** (1 / _MERGING_LEVELS))
    kept: list[int] = []
    keep = len(values) / shrink
    while keep >= 1 and len(kept) < _MERGING_LEVELS:
        kept.append(min(int(keep), len(values) - 2))
        keep /= shrink
    rest = "other"
    while rest in set(values):
        rest = f"({rest})"
    return TreeHierarchy(
        rows=tuple(
            (values[i], *(values[i] if rank < count else rest for count in dict.fromkeys(kept))) for rank, i in enumerate(order)
        ),
        origin="data",
    )
