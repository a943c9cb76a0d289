"""From a table to a matrix of features by maps fixed before anyone looked at the data.

Each row's features depend on that row and on declared bounds and categories alone (SOUNDNESS 1 and 2), so a guarantee for
a row of the matrix is a guarantee for a row of the original table. Nothing is estimated, imputed or scaled from data.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError
from tacit.tables.schema import Bounds, Categories, Column, Kind, Role, Schema, nearest
from tacit.tables.table import Table

_FORM = "row-wise 1"
_NOT_FEATURES = (Role.IDENTIFIER, Role.LABEL, Role.UNIT, Role.IGNORE)


@dataclass(frozen=True, slots=True)
class Encoding:
    """Which columns become which features.

    A numeric column becomes two features: the value clipped to its declared bounds and scaled to [-1, 1] (0 where missing),
    and a missing indicator. A categorical column becomes one indicator per declared category, one for any other value and
    one for missing; exactly one of them is 1.
    Raises ConfigError when a column has no declared bounds or categories, is text, or has a role that no model may see.
    """

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        if not self.columns:
            raise ConfigError(
                "an encoding needs at least one feature column, got none. A model would see nothing. Name features in the study."
            )
        for column in self.columns:
            _check_feature(column)
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise ConfigError(
                f"two features would be called {twice[0]!r}. Reports could not tell them apart. Rename a column or a category."
            )

    @classmethod
    def from_schema(cls, schema: Schema, features: Sequence[str]) -> "Encoding":
        """Return the encoding of these columns of the schema, in this order."""
        if isinstance(features, str):
            raise ConfigError(f"features must be a list of column names, got {features!r}. Write [{features!r}].")
        return cls(tuple(schema[name] for name in features))

    @property
    def schema(self) -> Schema:
        """The columns a table must have: Table.read(source, encoding.schema) fits."""
        return Schema.of(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names, in order: "age", "age:missing", "sex=Female", "sex=Male", "sex:other", "sex:missing"."""
        return tuple(name for column in self.columns for name in _feature_names(column))

    @property
    def dimension(self) -> int:
        """Number of features d."""
        return sum(_width(column) for column in self.columns)

    @property
    def norm_bound(self) -> float:
        """Largest possible L2 length of a row: each column contributes at most 1 to its square."""
        return math.sqrt(len(self.columns))

    def encode(self, table: Table) -> NDArray[np.float64]:
        """Return the features, shape (n_rows, dimension), C-contiguous, each in [-1, 1].

        Raises DataError when the table lacks a column or holds it as another kind.
        """
        self._check_table(table)
        features = np.zeros((table.n_rows, self.dimension))
        start = 0
        for column in self.columns:
            values = table.column(column.name)
            if column.bounds is not None:
                features[:, start : start + 2] = _scaled(values, column.bounds)
            elif column.categories is not None:
                features[np.arange(table.n_rows), start + _places(values, column.categories)] = 1.0
            start += _width(column)
        return features

    def outside(self, table: Table) -> dict[str, int]:
        """Return per column how many rows lie outside the declared bounds or categories: clipped, or encoded as other.

        An exact statistic of private rows: for the custodian, to notice a declaration that does not fit, not for release.
        """
        self._check_table(table)
        return {column.name: _count_outside(column, table.column(column.name)) for column in self.columns}

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `from_json` reads them back. Only declared or charged values are in it."""
        return {"encoding": _FORM, "columns": [column.to_json() for column in self.columns]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Encoding":
        """Return the encoding a JSON form describes. Raises ConfigError for an unknown form, key or value."""
        known = isinstance(data, Mapping) and set(data) == {"encoding", "columns"} and data["encoding"] == _FORM
        if not known or not isinstance(data["columns"], list):
            raise ConfigError(
                f"this is not an encoding of the form {_FORM!r}: {str(data)[:200]}. "
                "Rows would be encoded differently from those the model learned from. "
                "Use the version of tacit that wrote it, or train again."
            )
        return cls(tuple(Column.from_json(column) for column in data["columns"]))

    def _check_table(self, table: Table) -> None:
        for column in self.columns:
            if column.name not in table.schema:
                raise DataError(
                    f"the table lacks column {column.name!r}, which the model needs.{nearest(column.name, table.schema.names())} "
                    "A feature cannot be made up. Give a table with all of the encoding's columns (encoding.schema)."
                )
            kind = table.schema[column.name].kind
            if kind is not column.kind:
                raise DataError(
                    f"column {column.name!r} is {kind} in the table and {column.kind} in the encoding. "
                    "Its values would be misread. Read the table with Table.read(source, encoding.schema)."
                )


def _check_feature(column: Column) -> None:
    if column.role in _NOT_FEATURES:
        raise ConfigError(
            f"column {column.name!r} has role {column.role}, so it cannot be a feature. A model could repeat what it saw there. "
            'Take it out of the features, or give it role "feature" or "quasi".'
        )
    if column.kind is Kind.TEXT:
        raise ConfigError(
            f"column {column.name!r} is free text, so it cannot be a feature. "
            "A vocabulary taken from the rows would itself need a budget. "
            'Take it out of the features, or declare kind = "categorical" with its categories.'
        )
    lacking, example = ("bounds", "[0, 100]") if column.kind is Kind.NUMERIC else ("categories", '["yes", "no"]')
    if getattr(column, lacking) is None:
        raise ConfigError(
            f"feature {column.name!r} is {column.kind} and has no declared {lacking}. "
            "Taken from the data they would depend on every row, and the guarantee would not hold. "
            f"Write in the study what is publicly known: under [columns.{column.name}], "
            f"{lacking} = {example}."
        )


def _width(column: Column) -> int:
    return 2 if column.categories is None else len(column.categories.values) + 2


def _feature_names(column: Column) -> list[str]:
    if column.categories is None:
        return [column.name, f"{column.name}:missing"]
    return [*(f"{column.name}={value}" for value in column.categories.values), f"{column.name}:other", f"{column.name}:missing"]


def _numbers(values: pa.ChunkedArray, bounds: Bounds) -> NDArray[np.float64]:
    """Return the numbers, the lower bound where missing; shape (n,)."""
    return np.asarray(pc.fill_null(values.cast(pa.float64()), bounds.low).to_numpy())


def _scaled(values: pa.ChunkedArray, bounds: Bounds) -> NDArray[np.float64]:
    """Return the two features of a numeric column, shape (n, 2)."""
    missing = pc.is_null(values).to_numpy()
    # Rounding is monotone, so a clipped value never leaves [-1, 1].
    scaled = (np.clip(_numbers(values, bounds), bounds.low, bounds.high) - bounds.low) / (bounds.high - bounds.low) * 2 - 1
    return np.column_stack([np.where(missing, 0.0, scaled), missing])


def _places(values: pa.ChunkedArray, categories: Categories) -> NDArray[np.int64]:
    """Return each value's place among the features of its column: known ones, then other, then missing; shape (n,)."""
    known = len(categories.values)
    found = pc.index_in(values, value_set=pa.array(categories.values, pa.string()))
    return np.where(pc.is_null(values).to_numpy(), known + 1, pc.fill_null(found, known).to_numpy())


def _count_outside(column: Column, values: pa.ChunkedArray) -> int:
    if column.bounds is not None:
        numbers = _numbers(values, column.bounds)
        return int(np.count_nonzero((numbers < column.bounds.low) | (numbers > column.bounds.high)))
    if column.categories is not None:
        return int(np.count_nonzero(_places(values, column.categories) == len(column.categories.values)))
    return 0
