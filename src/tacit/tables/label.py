"""From a column to class numbers, row by row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError
from tacit.tables.schema import Kind, Role
from tacit.tables.table import Table
from tacit.tables.values import first_row, to_text


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelRule:
    """Which class a row belongs to, decided by that row alone.

    column  -- the column the label comes from.
    classes -- the declared classes, at least two, without repeats; class number i is classes[i].
    above   -- None: a row's class is the column's value, as text. A finite number: the column is numeric, and a row belongs to
        classes[1] when its value is greater, else to classes[0].
    Raises ConfigError when these do not fit together.
    """

    column: str
    classes: tuple[str, ...]
    above: float | None = None

    def __post_init__(self) -> None:
        given: Any = self.classes
        if isinstance(given, str) or not all(isinstance(name, str) and name for name in given):
            raise ConfigError(
                f'classes must be a list of texts, got {given!r}. They name what a model predicts. Write ["no", "yes"].'
            )
        object.__setattr__(self, "classes", tuple(given))
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise ConfigError(
                f"classes must be at least two without repeats, got {list(self.classes)}. With one there is nothing to learn. "
                'Write for example classes = ["no", "yes"].'
            )
        if self.above is None:
            return
        if isinstance(self.above, bool) or not isinstance(self.above, int | float) or not math.isfinite(self.above):
            raise ConfigError(
                f"above must be a finite number, got {self.above!r}. Rows above it are the second class. Write above = 0.0."
            )
        object.__setattr__(self, "above", float(self.above))
        if len(self.classes) != 2:
            raise ConfigError(
                f"a threshold makes two classes, got {len(self.classes)}: {list(self.classes)}. "
                "The first is for rows at or below it, the second for rows above. Write two, or leave out `above`."
            )

    def labels(self, table: Table) -> NDArray[np.int64]:
        """Return each row's class number, shape (n_rows,).

        Raises DataError for a missing label, a value that is not a declared class, and when all rows have one class; rows are
        named by number, undeclared values never shown. Raises ConfigError when the column is absent or does not fit `above`.
        """
        values = table.column(self.column)
        missing = pc.is_null(values)
        if pc.any(missing).as_py():
            raise DataError(
                f"label column {self.column!r} has no value in row {first_row(missing)} (counted from 1, without the header). "
                "A row without a label cannot be learned from, and making one up would change a person's record. "
                "Remove such rows before the study, or correct them; if a text for missing is a class, leave it out of `missing`."
            )
        codes = (
            self._from_text(to_text(values)) if self.above is None else self._from_number(values, table.schema[self.column].kind)
        )
        present = [self.classes[int(code)] for code in np.unique(codes)]
        if len(present) < 2:
            raise DataError(
                f"the rows of label column {self.column!r} have, all together, the classes {present}. "
                f"There is nothing to tell apart. The declared classes are {list(self.classes)}. "
                "Check the column, the file and `above`."
            )
        return codes

    def _from_text(self, values: pa.ChunkedArray) -> NDArray[np.int64]:
        found = pc.index_in(values, value_set=pa.array(self.classes, pa.string()))
        unknown = pc.is_null(found)
        if pc.any(unknown).as_py():
            raise DataError(
                f"label column {self.column!r} holds in row {first_row(unknown)} (counted from 1, without the header) a value "
                f"that is not among the declared classes {list(self.classes)}. It is not shown, because it may be private; "
                "a list of classes taken from the data would depend on every row. Declare the class, or correct the row."
            )
        return np.asarray(found.to_numpy(), dtype=np.int64)

    def _from_number(self, values: pa.ChunkedArray, kind: Kind) -> NDArray[np.int64]:
        if kind is not Kind.NUMERIC:
            raise ConfigError(
                f"label column {self.column!r} is {kind}, so it has nothing above {self.above}. "
                'A threshold compares numbers. Declare kind = "numeric", or leave out `above`.'
            )
        return np.asarray(pc.greater(values.cast(pa.float64()), self.above).to_numpy(), dtype=np.int64)


def labels(table: Table, *, classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the class number of each row's value in the column with role "label"; see LabelRule for the errors."""
    names = table.schema.names(Role.LABEL)
    if not names:
        raise ConfigError('no column has role "label". A model needs something to predict. Give one column role = "label".')
    return LabelRule(column=names[0], classes=cast("tuple[str, ...]", classes)).labels(table)
