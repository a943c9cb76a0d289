"""Rounding to multiples of a base: to the nearest, or up or down at random so that no total is biased."""

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column
from tacit.anonymize.perturb.columns import Numbers, as_array, check_names, numbers, with_columns
from tacit.anonymize.perturb.draws import fractions
from tacit.anonymize.perturb.linkage import Linkage
from tacit.anonymize.perturb.perturbed import Perturbed, check_attacker, check_whole, finish
from tacit.errors import ConfigError, DataError
from tacit.noise.source import Source

_LARGEST = 2**53


def round_values(
    table: pa.Table,
    bases: Mapping[str, float],
    *,
    random: bool = False,
    source: Source,
    attacker: Linkage | None = None,
) -> Perturbed:
    """Return the table with numeric columns rounded to multiples of a base; missing stays missing.

    bases    -- of each column, by name; > 0; a whole number for a column of whole numbers, which stays one.
    random   -- False: to the nearest multiple, a tie to the even one. True: up with the chance of the remainder / base, else down, so
                that the expected value is the value; a multiple stays.
    attacker -- whose linkage is measured; by default one who knows the columns.
    Source: Hundepool et al. 2012, Statistical Disclosure Control (unbiased random rounding).
    Raises DataError for columns that are not numbers, ConfigError for a base that is not > 0.
    """
    names = check_names(table, list(bases))
    check_whole(table)
    check_attacker(table, attacker, table.column_names)
    made = {}
    for name in names:
        column, base = numbers(table, name), bases[name]
        _check(name, base, column)
        chances = fractions(table.num_rows, source) if random else None
        made[name] = (
            _whole(table, name, int(base), chances) if column.whole else as_array(_rounded(column, base, chances), column)
        )
    return finish(
        table,
        with_columns(table, made),
        names,
        method="random rounding" if random else "rounding",
        parameters={"bases": {name: bases[name] for name in names}, "random": random},
        source=source,
        attacker=attacker,
    )


def _check(name: str, base: float, column: Numbers) -> None:
    fine = not isinstance(base, bool) and isinstance(base, int | float) and 0 < base < math.inf
    if not fine or (column.whole and not float(base).is_integer()):
        kind = "a whole number > 0, as the column's values are" if column.whole else "a finite number > 0"
        raise ConfigError(
            f"the base of column {name!r} must be {kind}, got {base!r}: values become multiples of it. Write 5 or 10."
        )


def _whole(table: pa.Table, name: str, base: int, chances: NDArray[np.float64] | None) -> pa.Array:
    """Return a column of whole numbers rounded in whole numbers, in its own type."""
    array = get_column(table, name)
    ends = pc.min_max(array).as_py()
    if max(abs(ends["min"]), abs(ends["max"])) + base > _LARGEST:
        raise DataError(
            f"column {name!r} holds whole numbers beyond 2^53, which are keys rather than amounts. Pseudonymize it instead."
        )
    values = pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    low, rest = np.divmod(values, base)
    up = (2 * rest > base) | ((2 * rest == base) & (low % 2 == 1)) if chances is None else chances * base < rest
    made = pa.array((low + up) * base, pa.int64(), mask=~np.asarray(array.is_valid()))
    try:
        return made.cast(array.type)
    except pa.ArrowInvalid:
        return made


def _rounded(column: Numbers, base: float, chances: NDArray[np.float64] | None) -> NDArray[np.float64]:
    quotient = column.values / base
    if chances is None:
        return np.rint(quotient) * base
    low = np.floor(quotient)
    return (low + (chances < quotient - low)) * base
