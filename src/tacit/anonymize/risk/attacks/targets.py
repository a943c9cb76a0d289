"""Whom an attack is tried on: people of the original table, and as a control people who are not in the release."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column, plain
from tacit.errors import ConfigError, DataError


def together(original: pa.Table, control: pa.Table | None, columns: Sequence[str]) -> pa.Table:
    """Return the columns of both tables, the original's rows first. Raises DataError when their types differ."""
    both = {}
    for name in columns:
        sides = [get_column(table, name) for table in (original, control) if table is not None]
        if sides[0].type != sides[-1].type:
            raise DataError(
                f"column {name!r} is {sides[0].type} in the original and {sides[1].type} in the control, which must be people like "
                "those of the original. Read both tables alike."
            )
        both[name] = plain(pa.chunked_array(sides))
    return pa.table(both)


def draw(
    original: pa.Table, control: pa.Table | None, attacks: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return up to `attacks` rows of each table to attack, drawn without replacement, as rows of `together`.

    control -- None: nobody is known who is not in the release, and the second array is empty.
    """
    check_tries(attacks)
    if not original.num_rows or (control is not None and not control.num_rows):
        raise DataError(
            "the original or the control has no rows. Hold back some rows before the release: they show what is learned about anyone."
        )
    first = generator.permutation(original.num_rows)[:attacks]
    if control is None:
        return first, np.zeros(0, dtype=np.int64)
    return first, generator.permutation(control.num_rows)[:attacks] + original.num_rows


def check_tries(attacks: int) -> None:
    """Raise ConfigError unless at least one attack is asked for."""
    if attacks < 1:
        raise ConfigError(f"the number of attacks must be >= 1, got {attacks}: a rate needs tries. Use 1000.")
