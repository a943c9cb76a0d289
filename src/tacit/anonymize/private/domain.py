"""From rows to small codes and back, by maps fixed before anyone looked at the data.

A row's codes depend on that row and on declared bins and categories alone (SOUNDNESS 1 and 2). Nothing is refused or reported for
what a row holds: every value has a code.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError
from tacit.noise.source import Source
from tacit.tables.schema import Categories, Column, Kind, Role, Schema, nearest
from tacit.tables.table import Table

_MOST_CELLS = 10_000
_NOT_RELEASED = (Role.IDENTIFIER, Role.UNIT, Role.IGNORE)

Bins = int | Sequence[float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribute:
    """One column as codes 0 .. size - 1, the last of which stands for whatever has no other: missing, or not declared.

    name       -- of the column.
    categories -- of a categorical column: one code each. edges -- of a numeric one: (b + 1,) ascending bin ends; a value beyond the
                  first or last counts in the first or last bin. A bin holds its lower end, the last one both. One of the two.
    whole      -- whether a numeric column holds whole numbers: synthetic values then are whole too.
    """

    name: str
    categories: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    whole: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", tuple(float(edge) for edge in self.edges))
        if bool(self.categories) == bool(self.edges):
            raise ConfigError(f"column {self.name!r} needs either categories or bins: its codes are made from one of them.")
        ascending = all(math.isfinite(b - a) and a < b for a, b in pairwise(self.edges))
        if self.edges and (len(self.edges) < 2 or not ascending):
            raise ConfigError(
                f"the bins of column {self.name!r} must be finite and ascend, at least two ends, got {list(self.edges)[:20]}. "
                "Write for example [0, 18, 30, 65, 120]."
            )
        if self.size > _MOST_CELLS:
            raise ConfigError(
                f"column {self.name!r} would have {self.size} cells; noise would drown them. Declare at most {_MOST_CELLS} bins or categories."
            )

    @property
    def size(self) -> int:
        return max(len(self.categories), len(self.edges) - 1) + 1

    @property
    def labels(self) -> tuple[str | None, ...]:
        """What each code stands for; None for the last."""
        if self.categories:
            return (*self.categories, None)
        last = len(self.edges) - 2
        named = (f"[{a:g}, {b:g}{']' if i == last else ')'}" for i, (a, b) in enumerate(pairwise(self.edges)))
        return (*named, None)

    def encode(self, values: pa.ChunkedArray) -> NDArray[np.int64]:
        """Return each value's code, shape (n,)."""
        if self.categories:
            found = pc.index_in(values, value_set=pa.array(self.categories, pa.string()))
            return np.asarray(pc.fill_null(found, self.size - 1).to_numpy(), dtype=np.int64)
        numbers = np.asarray(pc.fill_null(values.cast(pa.float64(), safe=False), math.nan).to_numpy())
        bins = np.searchsorted(np.asarray(self.edges[1:-1]), numbers, side="right")
        return np.where(np.isnan(numbers), self.size - 1, bins).astype(np.int64)

    def decode(self, codes: NDArray[np.int64], source: Source) -> pa.Array:
        """Return a value for each code, shape (n,): the category, or a number uniform in its bin; null for the last code."""
        missing = codes == self.size - 1
        if self.categories:
            return pa.array([*self.categories, None], pa.string()).take(pa.array(codes))
        low, high = np.asarray([*self.edges[:-1], 0.0]), np.asarray([*self.edges[1:], 1.0])
        share = source.uniform_words(len(codes)).astype(np.float64) * 2.0**-64
        if not self.whole:
            return pa.array(np.minimum(low[codes] + share * (high - low)[codes], high[codes]), pa.float64(), mask=missing)
        first = np.ceil(low)
        last = np.maximum(np.ceil(high) - 1, first)
        last[-2] = max(math.floor(high[-2]), first[-2])  # the last bin holds its upper end
        whole = np.minimum(first[codes] + np.floor(share * (last - first + 1)[codes]), last[codes])
        return pa.array(whole.astype(np.int64), pa.int64(), mask=missing)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; only declared ones are in it."""
        values = {"categories": list(self.categories)} if self.categories else {"edges": list(self.edges), "whole": self.whole}
        return {"name": self.name, **values}


@dataclass(frozen=True, slots=True)
class Domain:
    """The attributes of a table, in order; at least one, with different names."""

    attributes: tuple[Attribute, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", tuple(self.attributes))
        if not self.attributes or len(set(self.names)) != len(self.names):
            raise ConfigError(
                f"a domain needs columns with different names, got {list(self.names)[:20]}. A column is known by its name."
            )

    @classmethod
    def of(
        cls,
        schema: Schema,
        columns: Sequence[str],
        *,
        bins: Bins | Mapping[str, Bins] = 16,
        whole: Sequence[str] = (),
    ) -> "Domain":
        """Return the codes of these columns of a schema, from their declared bounds and categories.

        bins  -- of numeric columns: a number of equal bins between the declared bounds, or the bins' ends; one for all, or by name
                 (16 for those not named).
        whole -- numeric columns of whole numbers.
        Raises ConfigError for a column without declared bounds or categories, free text, an identifier, and unknown names.
        """
        named: Mapping[str, Bins] = bins if isinstance(bins, Mapping) else dict.fromkeys(columns, bins)
        for name in (*(named if isinstance(bins, Mapping) else ()), *whole):
            if name not in columns:
                raise ConfigError(
                    f"column {name!r} has bins or is said to hold whole numbers, but is not among the columns.{nearest(name, columns)} "
                    "What is not used would be forgotten. Correct the name."
                )
        return cls(tuple(_attribute(schema[name], named.get(name, 16), name in whole) for name in columns))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.attributes)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(one.size for one in self.attributes)

    def places(self, names: Sequence[str]) -> tuple[int, ...]:
        """Return the places of these attributes, ascending. Raises ConfigError for an unknown or doubled name."""
        for name in names:
            if name not in self.names:
                raise ConfigError(f"there is no column {name!r} in the domain.{nearest(name, self.names)} Correct the name.")
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"a marginal is of one column or several different ones, got {list(names)}. Name each once.")
        return tuple(sorted(self.names.index(name) for name in names))

    def encode(self, table: Table) -> NDArray[np.int64]:
        """Return the codes, shape (n_rows, attributes). Raises DataError when the table lacks a column or holds it as another kind."""
        return np.stack([one.encode(_values(table, one)) for one in self.attributes], axis=1)

    def decode(self, codes: NDArray[np.int64], source: Source) -> pa.Table:
        """Return rows with these codes, (n, attributes), as a table."""
        return pa.table({one.name: one.decode(column, source) for one, column in zip(self.attributes, codes.T, strict=True)})


def _attribute(column: Column, bins: Bins, whole: bool) -> Attribute:
    if column.role in _NOT_RELEASED or column.kind is Kind.TEXT:
        raise ConfigError(
            f"column {column.name!r} is {column.kind} with role {column.role}, so no counts of it are released: its values name people, "
            "or cannot be listed beforehand. Leave it out, or declare its categories."
        )
    if column.categories is not None:
        return Attribute(name=column.name, categories=_declared(column.categories, column.name, whole))
    if column.bounds is None:
        lacking, example = ("bounds", "[0, 100]") if column.kind is Kind.NUMERIC else ("categories", '["yes", "no"]')
        raise ConfigError(
            f"column {column.name!r} is {column.kind} and has no declared {lacking}. Taken from the data they would depend on every "
            f"row, and the guarantee would not hold. Write what is publicly known: {lacking} = {example}."
        )
    if isinstance(bins, int):
        if isinstance(bins, bool) or bins < 1:
            raise ConfigError(f"the bins of column {column.name!r} must be a number >= 1 or their ends, got {bins!r}. Try 16.")
        bins = tuple(np.linspace(column.bounds.low, column.bounds.high, bins + 1).tolist())
    return Attribute(name=column.name, edges=tuple(bins), whole=whole)


def _declared(categories: Categories, name: str, whole: bool) -> tuple[str, ...]:
    if whole:
        raise ConfigError(f"column {name!r} is categorical, so it holds no whole numbers. Leave it out of `whole`.")
    return categories.values


def _values(table: Table, attribute: Attribute) -> pa.ChunkedArray:
    kind = Kind.CATEGORICAL if attribute.categories else Kind.NUMERIC
    if attribute.name not in table.schema or table.schema[attribute.name].kind is not kind:
        raise DataError(
            f"the table has no {kind} column {attribute.name!r}.{nearest(attribute.name, table.schema.names())} "
            "Its rows could not be counted. Read the table with the schema that the domain was made from."
        )
    return table.column(attribute.name)
