"""A table: Arrow data that fits its schema."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.tables.read import read_table
from tacit.tables.schema import Column, Kind, Role, Schema, nearest
from tacit.tables.values import GUESSED, MISSING, plain, to_number, to_text


@dataclass(frozen=True)
class Table:
    """Rows of private data whose columns are those of the schema, in its order.

    Numeric columns are int64 or float64, all others string; missing values are null. Make one with `read` or `from_arrow`.
    """

    data: pa.Table
    schema: Schema

    def __post_init__(self) -> None:
        if self.data.column_names != self.schema.names():
            raise ConfigError(
                "a table's columns must be its schema's, in the same order. Use Table.from_arrow, which makes them so."
            )
        for column in self.schema:
            kind = self.data.schema.field(column.name).type
            numeric = pa.types.is_int64(kind) or pa.types.is_float64(kind)
            if numeric != (column.kind is Kind.NUMERIC) or not (numeric or pa.types.is_string(kind)):
                raise ConfigError(
                    f"column {column.name!r} is {column.kind}, but its data are {kind}. Use Table.from_arrow, which converts."
                )

    @classmethod
    def from_arrow(cls, data: pa.Table, schema: Schema) -> "Table":
        """Return the columns the schema describes, each read as its kind says; what it ignores or lacks is left out.

        Raises DataError when a column of the schema is not in `data`, holds text though declared numeric, or was turned into
        fractions by a guess though declared categorical or text (read it with `kinds`, or use Table.read).
        """
        for name in schema.names():
            if name not in data.column_names:
                raise DataError(
                    f"the study names column {name!r}, which the table lacks.{nearest(name, data.column_names)} "
                    "Every stage would miss it. Correct the name in the study, or remove it there."
                )
        kept = Schema.of(column for column in schema if column.role is not Role.IGNORE)
        columns = [_as_declared(data, column) for column in kept]
        return cls(pa.table(columns, names=kept.names()), kept)

    @classmethod
    def read(
        cls,
        source: Any,
        schema: Schema,
        *,
        missing: Sequence[str] = MISSING,
        encoding: str | None = None,
        delimiter: str | None = None,
    ) -> "Table":
        """Return the table at `source`, each column read as the schema says, never guessed. See `read_table`."""
        kinds = {column.name: column.kind for column in schema if column.role is not Role.IGNORE}
        return cls.from_arrow(read_table(source, missing=missing, kinds=kinds, encoding=encoding, delimiter=delimiter), schema)

    @property
    def n_rows(self) -> int:
        return int(self.data.num_rows)

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column's values. Raises ConfigError, with the closest name, when there is none."""
        return self.data.column(self.schema[name].name)

    def select(self, names: Sequence[str]) -> "Table":
        """Return the table of these columns, in this order. Raises ConfigError when one is missing."""
        schema = Schema.of([self.schema[name] for name in names])
        return Table(self.data.select(schema.names()), schema)

    def select_roles(self, *roles: Role) -> "Table":
        """Return the table of the columns with any of these roles, in order."""
        return self.select(self.schema.names(*roles) if roles else [])

    def drop(self, names: Sequence[str]) -> "Table":
        """Return the table without these columns. Raises ConfigError when one is missing."""
        dropped = {self.schema[name].name for name in names}
        return self.select([name for name in self.schema.names() if name not in dropped])

    def filter(self, keep: ArrayLike) -> "Table":
        """Return the rows for which `keep`, shape (n_rows,) of truth values, is true. Raises ShapeError for another shape."""
        mask = np.asarray(keep)
        if mask.shape != (self.n_rows,) or mask.dtype != np.bool_:
            raise ShapeError(
                f"keep must have shape ({self.n_rows},) and hold truth values, got shape {mask.shape} of {mask.dtype}. "
                "It says for each row whether it stays. Give one True or False per row."
            )
        return Table(self.data.filter(pa.array(mask)), self.schema)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, as hex, of the schema and the content; the same however Arrow cuts the columns into chunks.

        It changes with every private value, so it is for the custodian only: published, it would confirm guesses.
        """
        digest = hashlib.sha256(json.dumps([self.schema.to_json(), self.n_rows], sort_keys=True).encode())
        for column in self.data.columns:
            digest.update(f"\n{column.type}\n".encode())
            digest.update(np.packbits(pc.is_valid(column).to_numpy()).tobytes())
            (_add_text if pa.types.is_string(column.type) else _add_numbers)(digest, column)
        return digest.hexdigest()


def _as_declared(data: pa.Table, column: Column) -> pa.ChunkedArray:
    values = plain(data.column(column.name), column.name)
    if column.kind is Kind.NUMERIC:
        return to_number(values, column.name)
    if (data.schema.field(column.name).metadata or {}).items() >= GUESSED.items():
        raise DataError(
            f"column {column.name!r} is declared {column.kind}, but was read as numbers because its text looked like them. "
            'The text as written ("1.50") is lost, and what a row says would depend on the other rows. '
            f'Read it with kinds={{"{column.name}": "{column.kind}"}}, or use Table.read.'
        )
    return to_text(values)


def _add_numbers(digest: Any, column: pa.ChunkedArray) -> None:
    for chunk in column.chunks:
        values = pc.fill_null(chunk, 0).to_numpy(zero_copy_only=False)
        digest.update(np.ascontiguousarray(values + 0).astype(values.dtype.newbyteorder("<"), copy=False))  # + 0: no minus zero


def _add_text(digest: Any, column: pa.ChunkedArray) -> None:
    chunks = [pc.fill_null(chunk, "") for chunk in column.chunks]
    for chunk in chunks:
        digest.update(pc.binary_length(chunk).to_numpy(zero_copy_only=False).astype("<i4"))
    for chunk in chunks:
        offsets = np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk) + 1] if len(chunk) else [0]
        if offsets[-1] > offsets[0]:
            digest.update(chunk.buffers()[2].slice(int(offsets[0]), int(offsets[-1] - offsets[0])))
