"""Whether the released rows are the original rows made coarser, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.verify.columns import equal_rows, number_rows, plain, word
from tacit.anonymize.verify.covering import uncovered
from tacit.anonymize.verify.labels import ANY, at_level
from tacit.errors import PrivacyError


@dataclass(frozen=True, kw_only=True)
class Recoding:
    """What the release is meant to have done to the original rows.

    original    -- the table before.
    hierarchies -- per quasi-identifier its JSON form, as `labels` lists them.
    levels      -- per quasi-identifier the level released: 0 is the raw value, the last is "*". None: a local recoding, in which
                   each released value must cover its row's original one.
    origins     -- shape (released rows,): original row of each released row; for the custodian, never for release. A local
                   recoding and single cells cannot be checked without.
    means       -- quasi-identifiers released as the mean of their class (microaggregation); they have no level.
    cell_limit  -- with levels: share of the cells of quasi-identifiers that may be "*" instead; None: no such cell.
    everyone    -- what a local recoding makes of the quasi-identifiers of every original row, released or not, in the original's
                   order; delta-presence under a local recoding cannot be checked without.
    """

    original: pa.Table
    hierarchies: Mapping[str, Mapping[str, Any]]
    levels: Mapping[str, int] | None = None
    origins: NDArray[np.integer[Any]] | Sequence[int] | None = None
    means: Sequence[str] = ()
    cell_limit: float | None = None
    everyone: pa.Table | None = field(default=None, repr=False)


def recoding_problems(released: pa.Table, quasi: Sequence[str], recoding: Recoding, allowed: NDArray[np.bool_]) -> list[str]:
    """Return what is wrong with a release in plain columns as a recoding of the original; nothing when it is one.

    allowed -- shape (original rows,): the rows that could be released.
    """
    invented = [name for name in released.column_names if recoding.original.column_names.count(name) != 1]
    if invented:
        return [f"column {name!r} is released but is not in the original" for name in invented]
    if recoding.origins is not None:
        return _row_by_row(released, quasi, recoding, allowed)
    if recoding.levels is None or recoding.means or recoding.cell_limit is not None:
        return ["the original row of each released row is not at hand, so a local recoding cannot be confirmed"]
    return _as_a_whole(released, quasi, recoding, allowed)


def _as_a_whole(released: pa.Table, quasi: Sequence[str], recoding: Recoding, allowed: NDArray[np.bool_]) -> list[str]:
    """Every released row is an original row at the declared levels, no row more often than there."""
    assert recoding.levels is not None
    expected, problems = {}, []
    for name in released.column_names:
        column = plain(recoding.original.column(name)).filter(pa.array(allowed))
        if name in quasi:
            column = at_level(column, recoding.hierarchies[name], recoding.levels[name])
        if column.type != released.column(name).type:
            return [f"column {name!r} is {released.column(name).type}, where its level gives {column.type}"]
        if not pc.all(pc.is_in(released.column(name), value_set=pc.unique(column))).as_py() and released.num_rows:
            problems.append(f"column {name!r} holds values that its declared level does not give")
        expected[name] = column
    if problems:
        return problems
    more = _rows_beyond(released, pa.table(expected))
    return [f"{more} released rows are not original rows at the declared levels"] if more else []


def _rows_beyond(released: pa.Table, expected: pa.Table) -> int:
    """Return how many released rows occur more often than among the expected ones (a difference of multisets)."""
    both = pa.concat_tables([released, expected])
    numbers, count = number_rows([plain(column) for column in both.columns], both.num_rows)
    there = np.bincount(numbers[: released.num_rows], minlength=count)
    most = np.bincount(numbers[released.num_rows :], minlength=count)
    return int(np.maximum(there - most, 0).sum())


def _row_by_row(released: pa.Table, quasi: Sequence[str], recoding: Recoding, allowed: NDArray[np.bool_]) -> list[str]:
    """Every released row is what the recoding makes of its own original row, and no original row is used twice."""
    origins = np.asarray(recoding.origins)
    problems = _origin_problems(origins, released.num_rows, allowed)
    if problems:
        return problems
    rows = pa.array(origins.astype(np.int64))
    cells = 0
    for name in released.column_names:
        before, after = plain(recoding.original.column(name)).take(rows), plain(released.column(name))
        if name not in quasi:
            problems += _kept_problems(name, before, after)
        elif name in recoding.means:
            problems += _mean_problems(name, before, after, released, quasi)
        elif recoding.levels is None:
            wrong = int(uncovered(before, after, recoding.hierarchies[name]).sum())
            problems += [f"in {wrong} rows column {name!r} does not cover the original value"] if wrong else []
        else:
            expected = at_level(before, recoding.hierarchies[name], recoding.levels[name])
            if recoding.cell_limit is not None and pa.types.is_string(after.type):
                expected = _as_text(expected)
            wrong, starred = _misplaced(expected, after)
            cells += starred
            problems += [f"in {wrong} rows column {name!r} is not the original value at its declared level"] if wrong else []
    most = int(Decimal(str(recoding.cell_limit or 0)) * int(allowed.sum()) * len(quasi))
    if cells > most:
        problems.append(f'{cells} cells are "*" beyond their declared levels, where {most} may be')
    return problems


def _origin_problems(origins: NDArray[Any], rows: int, allowed: NDArray[np.bool_]) -> list[str]:
    if origins.shape != (rows,) or (rows and not np.issubdtype(origins.dtype, np.integer)):
        return [f"{origins.shape} original row numbers were stated for {rows} released rows"]
    outside = int(((origins < 0) | (origins >= len(allowed))).sum())
    if outside:
        return [f"{outside} released rows come from no original row"]
    again = rows - len(np.unique(origins))
    barred = int((~allowed[origins.astype(np.int64)]).sum())
    problems = [f"{again} released rows come from an original row that another one comes from"] if again else []
    return [*problems, *([f"{barred} released rows are not of the research subset"] if barred else [])]


def _kept_problems(name: str, before: pa.Array, after: pa.Array) -> list[str]:
    if before.type != after.type:
        return [f"column {name!r} is {after.type}, where the original is {before.type}"]
    wrong = int((~equal_rows(before, after)).sum())
    return [f"in {wrong} rows column {name!r} is not as in the original"] if wrong else []


def _misplaced(expected: pa.Array, after: pa.Array) -> tuple[int, int]:
    """Return how many values are neither as expected nor "*", and how many are "*" where that is not expected."""
    if expected.type != after.type:
        return len(after), 0
    wrong = ~equal_rows(expected, after)
    if not pa.types.is_string(after.type):
        return int(wrong.sum()), 0
    starred = wrong & np.asarray(pc.fill_null(pc.equal(after, ANY), False))
    return int((wrong & ~starred).sum()), int(starred.sum())


def _as_text(column: pa.Array) -> pa.Array:
    """Return raw values as the text that names them, which they are where some cells of their column are "*"."""
    if pa.types.is_string(column.type):
        return column
    coded = column.dictionary_encode()
    return pa.array([word(value) for value in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)


def _mean_problems(name: str, before: pa.Array, after: pa.Array, released: pa.Table, quasi: Sequence[str]) -> list[str]:
    """The released number is the mean of the original ones over all rows equal in the quasi-identifiers, to 1e-9 of the largest."""
    if not pa.types.is_floating(after.type) or after.null_count or before.null_count:
        return [f"column {name!r} is not a mean of numbers in every row"]
    try:
        values = np.asarray(before.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        raise PrivacyError(f"column {name!r} holds no numbers, so it has no mean") from None
    class_of, count = number_rows([plain(released.column(one)) for one in quasi], len(after))
    means = np.bincount(class_of, weights=values, minlength=count) / np.bincount(class_of, minlength=count)
    slack = 1e-9 * max(1.0, float(np.abs(values).max(initial=0)))
    wrong = int((np.abs(np.asarray(after.to_numpy(zero_copy_only=False)) - means[class_of]) > slack).sum())
    return [f"in {wrong} rows column {name!r} is not the mean of its class"] if wrong else []
