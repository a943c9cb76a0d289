"""A table's column together with the same column of its population."""

import pyarrow as pa

from tacit.anonymize.columns import get_column, plain
from tacit.errors import DataError


def with_population(data: pa.Table, name: str, population: pa.Table | None) -> pa.Array:
    """Return a column of the table, followed by the population's where there is one.

    Raises DataError, naming the column, when a table lacks it or the two cannot be compared.
    """
    column = get_column(data, name)
    if population is None:
        return column
    try:
        other = plain(get_column(population, name)).cast(column.type)
    except DataError as error:
        raise DataError(f"the population table: {error}") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            f"column {name!r} of the population table does not hold values of type {column.type}, which the table's has. Classes could "
            "not be matched. Read both alike."
        ) from None
    return pa.concat_arrays([column, other])
