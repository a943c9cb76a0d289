"""Safe k-anonymization: a secret sample, generalized by a scheme fixed without the data, with small classes left out.

This is differentially private, where k-anonymity found by a search is not: each row's class is a function of that row alone, and
whether its class is released depends on others only through a count that secret sampling blurs. Every released column takes part
in the class; a column carried along beside it would be released as it is.

Neighbours: a zeroed row has no class and adds to no count, just as if it were removed: the coins of all others are their own, so
zero-out and remove-one have the same two output laws, and put-in-its-place and add-one. n plays no part. One row is in one
class, and classes are independent given the rows, so the guarantee of one class's count (tacit.anonymize.private.class_size)
is that of the table.

What the ledger is told is an EpsilonDelta event, not a Gaussian one: there is no epsilon below this delta. Releases add up.

Source: Li, Qardaji & Su 2011, arXiv:1101.2604: strongly safe k-anonymization after sampling is
differentially private.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.columns import as_text, get_column
from tacit.anonymize.hierarchies.hierarchy import ANY
from tacit.anonymize.private.class_size import rate_words, smallest_class
from tacit.errors import ConfigError, DataError
from tacit.noise.source import OsSource, Source
from tacit.privacy.block import Block
from tacit.privacy.events import EpsilonDelta
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger import Ledger
from tacit.privacy.local.words import ALL_WORDS


class Levels(Protocol):
    """What is needed of a hierarchy: level 0 is the value as it is, the last one "*"; and that it was declared, not built from rows."""

    @property
    def origin(self) -> str: ...

    @property
    def levels(self) -> int: ...

    def generalize(self, values: pa.Array, level: int) -> tuple[list[str], NDArray[np.float64]]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class SafeRelease:
    """A safely k-anonymous table. All of it was paid for and may be released.

    table     -- sampled rows whose class has at least k of them: text, null where missing; sorted, so that no order of rows is told.
    k         -- the smallest that the guarantee needs. rate -- each row's chance to be sampled.
    levels    -- the scheme: the level of each column.
    guarantee -- for one row of the original table. private -- whether the sample is secret (False for seeded test draws).
    """

    table: pa.Table = field(repr=False)
    k: int
    rate: float
    levels: Mapping[str, int]
    guarantee: Guarantee
    private: bool

    def to_json(self) -> dict[str, Any]:
        """Return the record of the release without its rows."""
        return {
            "k": self.k,
            "rate": self.rate,
            "levels": dict(self.levels),
            "guarantee": self.guarantee.to_json(),
            "private": self.private,
            "claim": "differential privacy for a row of the original table",
        }


def safe_k_anonymize(
    data: pa.Table,
    scheme: Mapping[str, tuple[Levels, int]],
    *,
    epsilon: float,
    delta: float,
    ledger: Ledger,
    budget: str,
    rate: float | None = None,
    request_id: str | None = None,
    source: Source | None = None,
) -> SafeRelease:
    """Pay, then sample rows secretly, generalize them by the scheme and release the classes that are large enough.

    scheme -- for each column to release, a hierarchy and its level, both fixed without looking at the data. A value that the
              hierarchy does not know, or that has no name (a date beyond the calendar), becomes "*": an error would tell
              that it is there.
    epsilon, delta -- of the release, for one row, zero-out neighbours; charged to `budget` in the ledger.
    rate   -- each row's chance to be sampled; the largest that epsilon allows, 1 - e^-epsilon, by default. Less needs a smaller k.
    request_id -- unique in the ledger; drawn at random when None. source -- of the secret coins; the operating system by default.
    Raises ConfigError, DataError or BudgetExceeded before a row is sampled.
    """
    words = rate_words(epsilon, rate)
    k = smallest_class(epsilon, delta, words)
    _check_scheme(data, scheme)
    chance = OsSource.from_os() if source is None else source
    guarantee = Guarantee(epsilon=epsilon, delta=delta)
    event = EpsilonDelta(epsilon=epsilon, delta=delta)
    block = Block(event=event, steps=1, spare_steps=0, checkpoint_every=1, guarantee=guarantee)
    request = f"private-{uuid.uuid4()}" if request_id is None else request_id
    purpose = f"safe k-anonymization of {len(scheme)} columns, k = {k}"
    with ledger.reserve(block, dataset=budget, request_id=request, purpose=purpose) as reservation:
        reservation.count_step()
        sampled = data.filter(pa.array(chance.uniform_words(data.num_rows) < np.uint64(words)))
        coded = {name: _coded(sampled, name, *chosen) for name, chosen in scheme.items()}
        table = _large_classes(coded, k)
    levels = {name: level for name, (_, level) in scheme.items()}
    return SafeRelease(table=table, k=k, rate=words / ALL_WORDS, levels=levels, guarantee=guarantee, private=chance.private)


def _check_scheme(data: pa.Table, scheme: Mapping[str, tuple[Levels, int]]) -> None:
    """Raise for a level out of range and for a column that is not there or of a type its hierarchy does not take; no value is read."""
    if not scheme:
        raise ConfigError(
            "the scheme names no column, so there is nothing to release. Give a hierarchy and a level for each column."
        )
    for name, (hierarchy, level) in scheme.items():
        if hierarchy.origin != "declared":
            raise ConfigError(
                f"the hierarchy of column {name!r} was built from the rows, so its groups tell of them and no guarantee would hold. "
                "Declare it: widths between declared bounds, or groups of declared categories."
            )
        if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level < hierarchy.levels:
            raise ConfigError(f"column {name!r} has levels 0 to {hierarchy.levels - 1}, got {level!r}. Choose one of them.")
        empty = get_column(data.slice(0, 0), name)
        try:
            if level < hierarchy.levels - 1:
                empty.dictionary_encode()
            if 0 < level < hierarchy.levels - 1:
                hierarchy.generalize(empty, level)
        except DataError as error:
            raise DataError(f"column {name!r}: {error}") from None
        except pa.ArrowNotImplementedError:
            raise DataError(
                f"column {name!r} is {empty.type}, whose values cannot be told apart here. Flatten it, or leave it out."
            ) from None


def _coded(data: pa.Table, name: str, hierarchy: Levels, level: int) -> tuple[NDArray[np.int64], list[str | None]]:
    """Return each row's code, shape (n,), and what each code is released as."""
    if level == hierarchy.levels - 1:
        return np.zeros(data.num_rows, dtype=np.int64), [ANY]
    encoded = get_column(data, name).dictionary_encode(null_encoding="encode")
    labels: list[str | None] = [None] * len(encoded.dictionary)
    known = np.flatnonzero(np.asarray(encoded.dictionary.is_valid()))
    values = encoded.dictionary.take(pa.array(known, pa.int64()))
    for place, label in zip(known.tolist(), _named(values, hierarchy, level), strict=True):
        labels[place] = label
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64), labels


def _named(values: pa.Array, hierarchy: Levels, level: int) -> list[str]:
    """Return each non-missing value's label, "*" for one that cannot be named; none depends on another value.

    Whatever goes wrong with a value stays with that value: once paid, an error or its absence would be one more thing released.
    """
    try:
        if level:
            return hierarchy.generalize(values, level)[0] if len(values) else []
        return [as_text(value) for value in values.to_pylist()]
    except Exception:  # noqa: BLE001 (whatever a value provokes)
        return [ANY] if len(values) == 1 else [_named(values[i : i + 1], hierarchy, level)[0] for i in range(len(values))]


def _large_classes(coded: Mapping[str, tuple[NDArray[np.int64], list[str | None]]], k: int) -> pa.Table:
    """Return the rows of every class of at least k of them, sorted."""
    columns = {name: pa.array(labels, pa.string()).take(pa.array(codes)) for name, (codes, labels) in coded.items()}
    table = pa.table(columns)
    names = list(columns)
    counted = table.group_by(names).aggregate([([], "count_all")])
    large = counted.filter(pc.greater_equal(counted["count_all"], k)).sort_by([(name, "ascending") for name in names])
    places = np.repeat(np.arange(large.num_rows), large["count_all"].to_numpy())
    return large.select(names).take(pa.array(places))
