"""What the columns of a table are: their role, kind, and public bounds or categories with their origin."""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, TypeVar

from tacit.errors import ConfigError


class Role(StrEnum):
    """What a column is for."""

    IDENTIFIER = "identifier"  # names one person: dropped or pseudonymized
    QUASI = "quasi"  # singles people out in combination: generalized
    SENSITIVE = "sensitive"  # what must not be learned about one person
    LABEL = "label"  # what a model predicts
    UNIT = "unit"  # whose rows belong together
    FEATURE = "feature"  # an ordinary attribute
    IGNORE = "ignore"  # never read by any stage


class Kind(StrEnum):
    """How a column's values are read."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    TEXT = "text"


class OriginKind(StrEnum):
    """Where a value that a mechanism takes as public comes from."""

    DECLARED = "declared"  # written in the study by someone who did not look at these rows
    PUBLIC = "public"  # from a public source, named
    CHARGED = "charged"  # estimated privately and charged, ledger request id named


def nearest(name: str, names: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the name closest to `name`, or "" when none is close."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


_Choice = TypeVar("_Choice", bound=StrEnum)


def member(family: type[_Choice], text: str, what: str) -> _Choice:
    """Return the member of `family` written as `text`. Raises ConfigError, with the closest one, when there is none."""
    try:
        return family(text)
    except ValueError:
        known = [member.value for member in family]
        raise ConfigError(
            f"{what} must be one of {', '.join(known)}, got {text!r}.{nearest(str(text), known)} "
            "Nothing was read: a column that is misunderstood would be protected wrongly."
        ) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a public value comes from.

    source -- the public source's name, or the ledger request id of the charge; free text for declared values.
    Raises ConfigError when a public or charged origin names no source.
    """

    kind: OriginKind = OriginKind.DECLARED
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", member(OriginKind, self.kind, "the origin of a public value"))
        if self.kind is not OriginKind.DECLARED and not self.source:
            raise ConfigError(
                f'an origin of kind "{self.kind}" must name its source, got "". A reader of the report must be able to '
                f'look it up. Write for example origin = "{self.kind}: census table B01001".'
            )

    @classmethod
    def parse(cls, text: str) -> "Origin":
        """Return the origin written as "declared", "public: source" or "charged: request id"."""
        kind, _, source = text.partition(":")
        return cls(kind=member(OriginKind, kind.strip(), "the origin of a public value"), source=source.strip())

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.source}" if self.source else self.kind.value


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Public lower and upper bound of a numeric column, in the column's unit; low < high, both finite, as floats."""

    low: float
    high: float
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        for end in (self.low, self.high):
            if isinstance(end, bool) or not isinstance(end, int | float):
                raise ConfigError(f"bounds must be two numbers, got {self.low!r} and {self.high!r}. Write for example [17, 90].")
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if not (math.isfinite(self.low) and math.isfinite(self.high) and 0 < self.high - self.low < math.inf):
            raise ConfigError(
                f"bounds must be finite with low < high, got [{self.low}, {self.high}]. Values are clipped to them, "
                "so they decide how far one row can move a sum. Write for example [17, 90]."
            )

    def to_json(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "origin": str(self.origin)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Categories:
    """Public list of the values a categorical column may take, as text; at least one, none empty, no repeats.

    Whole numbers are taken as their digits (1 is "1"). Fractions and truth values are refused: write the text that
    stands in the data ("0.5", "True"), so that nothing depends on how a number is printed.
    """

    values: tuple[str, ...]
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        given: Any = self.values
        if isinstance(given, str) or not all(isinstance(value, str | int) and not isinstance(value, bool) for value in given):
            raise ConfigError(
                f"categories must be a list of texts, got {given if isinstance(given, str) else list(given)[:10]!r}. "
                'They are compared with the data as text. Write for example ["yes", "no"].'
            )
        object.__setattr__(self, "values", tuple(str(value) for value in given))
        if not self.values or len(set(self.values)) != len(self.values) or "" in self.values:
            raise ConfigError(
                f"categories must be at least one value without repeats, none of them empty, got {list(self.values)[:10]}. "
                "Each becomes a feature, and an empty field means missing. Remove the repeat or the empty text."
            )

    def to_json(self) -> dict[str, Any]:
        return {"values": list(self.values), "origin": str(self.origin)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column: name, role, kind, and for a mechanism its public bounds (numeric) or categories (categorical)."""

    name: str
    role: Role
    kind: Kind
    bounds: Bounds | None = None
    categories: Categories | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError(
                f"a column must have a name, got {self.name!r}. Columns are found by name; write the one in the header."
            )
        object.__setattr__(self, "role", member(Role, self.role, f"the role of column {self.name!r}"))
        object.__setattr__(self, "kind", member(Kind, self.kind, f"the kind of column {self.name!r}"))
        if self.bounds is not None and self.kind is not Kind.NUMERIC:
            raise ConfigError(
                f'column {self.name!r} is {self.kind}, so it cannot have bounds. Give categories, or kind = "numeric".'
            )
        if self.categories is not None and self.kind is not Kind.CATEGORICAL:
            raise ConfigError(
                f'column {self.name!r} is {self.kind}, so it cannot have categories. Give bounds, or kind = "categorical".'
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `from_json` reads them back."""
        data: dict[str, Any] = {"name": self.name, "role": self.role.value, "kind": self.kind.value}
        if self.bounds is not None:
            data["bounds"] = self.bounds.to_json()
        if self.categories is not None:
            data["categories"] = self.categories.to_json()
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the column a JSON form describes. Raises ConfigError for a missing or an unknown key or a wrong value."""
        try:
            fields = dict(data)
            for key, build in (("bounds", Bounds), ("categories", Categories)):
                if key in fields:
                    inner = dict(fields[key])
                    fields[key] = build(**{**inner, "origin": Origin.parse(inner["origin"])})
            return cls(**fields)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"this is not a column tacit knows: {str(data)[:200]} ({error}). "
                "The record was written by another version or was altered; run the study again."
            ) from None


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a table, in order, by name. At most one label and one unit column."""

    columns: Mapping[str, Column]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", dict(self.columns))  # a copy: later changes of the given one change nothing
        for name, column in self.columns.items():
            if name != column.name:
                raise ConfigError(
                    f"the schema lists column {column.name!r} under {name!r}. Use Schema.of(columns), which cannot differ."
                )
        for role in (Role.LABEL, Role.UNIT):
            names = self.names(role)
            if len(names) > 1:
                raise ConfigError(
                    f'at most one column may have role "{role}", got {names}. Keep one and make the others "ignore".'
                )

    @classmethod
    def of(cls, columns: Iterable[Column]) -> Self:
        """Return the schema of these columns, in this order. Raises ConfigError when two have one name."""
        listed = list(columns)
        by_name = {column.name: column for column in listed}
        if len(by_name) != len(listed):
            repeated = sorted({column.name for column in listed if [other.name for other in listed].count(column.name) > 1})
            raise ConfigError(f"columns must have different names, got {repeated} more than once. Remove one of each.")
        return cls(by_name)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns.values())

    def __len__(self) -> int:
        return len(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> Column:
        """Return the column of this name. Raises ConfigError, with the closest name, when there is none."""
        if name not in self.columns:
            raise ConfigError(
                f"the schema has no column {name!r}.{nearest(name, self.columns)} "
                f"A stage cannot work on a column nobody described. Add [columns.{name}] to the study, or correct the name."
            )
        return self.columns[name]

    def names(self, *roles: Role) -> list[str]:
        """Return the names of the columns with any of these roles, in order; all names when none is given."""
        return [column.name for column in self.columns.values() if not roles or column.role in roles]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the columns as plain JSON values, in order."""
        return [column.to_json() for column in self]
