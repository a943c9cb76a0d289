"""The columns to perturb: numbers with their gaps, and one clear error for what cannot be perturbed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column, is_number
from tacit.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Numbers:
    """A numeric column.

    values  -- shape (n,), float64, 0 where missing; present -- shape (n,): whether a value is there. At least one is.
    whole   -- whether the column's type is of whole numbers.
    """

    values: NDArray[np.float64]
    present: NDArray[np.bool_]
    whole: bool


def check_names(table: pa.Table, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names as a tuple. Raises ConfigError when there is none or one occurs twice, DataError for an empty table."""
    if isinstance(names, str) or not names or len(set(names)) != len(names):
        raise ConfigError(f"columns must be a list of different column names, got {names!r}. Name what is to be perturbed.")
    if table.num_rows == 0:
        raise DataError("the table has no rows, so nothing can be perturbed. Check the file and its filters.")
    for name in names:
        array = get_column(table, name)
        if array.null_count == len(array):
            raise DataError(f"every value of column {name!r} is missing, so there is nothing to perturb. Leave it out.")
    return tuple(names)


def numbers(table: pa.Table, name: str) -> Numbers:
    """Return a numeric column. Raises DataError when it holds no numbers, none but missing ones, or an infinite one."""
    array = get_column(table, name)
    if not is_number(array.type):
        raise DataError(
            f"column {name!r} is of type {array.type}, and this is done with numbers. Turn it into numbers (mixed text and "
            "numbers included), or leave it out."
        )
    check_names(table, [name])
    values = pc.fill_null(array.cast(pa.float64(), safe=False), 0.0).to_numpy(zero_copy_only=False)
    if not np.isfinite(values).all():
        raise DataError(f"column {name!r} holds an infinite number, which breaks every average. Replace it, or make it missing.")
    present = np.asarray(array.is_valid())
    return Numbers(values=np.where(present, values, 0.0), present=present, whole=pa.types.is_integer(array.type))


def varying(table: pa.Table, name: str) -> Numbers:
    """Return a numeric column of at least two different values. Raises DataError as `numbers`, or when all values are one."""
    column = numbers(table, name)
    known = column.values[column.present]
    if known.min() == known.max():
        raise DataError(
            f"column {name!r} has one value in all rows, so there is nothing to hide or to scale by. Leave it out of the release."
        )
    return column


def as_array(values: NDArray[np.float64], column: Numbers) -> pa.Array:
    """Return values as Arrow float64, missing where the column misses them."""
    return pa.array(values, pa.float64(), mask=~column.present)


def with_columns(table: pa.Table, made: dict[str, pa.Array]) -> pa.Table:
    """Return the table with these columns in place of those of the same names."""
    for name, array in made.items():
        table = table.set_column(table.schema.get_field_index(name), name, array)
    return table
