"""What every perturbation hands back: the table, how it was made, and what that did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.perturb.columns import check_names
from tacit.anonymize.perturb.effect import Effect, measure_effect
from tacit.anonymize.perturb.linkage import Linkage
from tacit.errors import ConfigError, DataError
from tacit.noise.source import Source
from tacit.privacy.guarantee import Guarantee


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Perturbed:
    """A perturbed table. Everything but `table` is for the custodian.

    table      -- rows in the original's order. Released, their order alone would link them: sort or shuffle them first.
    method     -- what was done; parameters -- how, as JSON values.
    effect     -- risk and utility, before and after.
    randomness -- name of the source; protects -- whether its draws can protect anyone (False for a seeded one).
    guarantee  -- of differential privacy, for these columns released alone; None for every method but private noise.
    """

    table: pa.Table = field(repr=False)
    method: str
    parameters: Mapping[str, Any]
    effect: Effect = field(repr=False)
    randomness: str
    protects: bool
    guarantee: Guarantee | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record without the rows, for the custodian."""
        claim = "perturbed values; not differential privacy"
        if self.guarantee is not None:
            claim = f"differential privacy of these columns, released alone: {self.guarantee}"
        return {
            "method": self.method,
            "parameters": dict(self.parameters),
            "randomness": {"source": self.randomness, "protects": self.protects},
            "claim": claim,
            "guarantee": None if self.guarantee is None else self.guarantee.to_json(),
            "effect": self.effect.to_json(),
        }


def finish(
    before: pa.Table,
    after: pa.Table,
    changed: Sequence[str],
    *,
    method: str,
    parameters: Mapping[str, Any],
    source: Source,
    attacker: Linkage | None,
    rows: NDArray[np.int64] | None = None,
    guarantee: Guarantee | None = None,
) -> Perturbed:
    """Return the result of a perturbation with its effect measured.

    changed -- the columns perturbed; rows -- shape (rows after,): the original row of each, the same rows in order by default.
    """
    attacker = attacker or Linkage()
    places = np.arange(before.num_rows, dtype=np.int64) if rows is None else rows
    effect = measure_effect(before, after, changed, rows=places, attacker=attacker, source=source)
    return Perturbed(
        table=after,
        method=method,
        parameters=parameters,
        effect=effect,
        randomness=source.name,
        protects=source.private,
        guarantee=guarantee,
    )


def check_attacker(table: pa.Table, attacker: Linkage | None, released: Sequence[str]) -> None:
    """Raise unless the attacker knows columns that are in the table and in what will be released."""
    if attacker is None or not attacker.known:
        return
    check_names(table, attacker.known)
    absent = [name for name in attacker.known if name not in released]
    if absent:
        raise ConfigError(
            f"the attacker knows {absent}, which will not be released, so nothing can be compared with it. Name released columns."
        )


def check_whole(table: pa.Table) -> None:
    """Raise DataError when the table has two columns of one name, or a nested one."""
    for name in table.column_names:
        if table.column_names.count(name) > 1:
            raise DataError(
                f"the table has {table.column_names.count(name)} columns named {name!r}. Rename one: names tell them apart."
            )
        if pa.types.is_nested(table.schema.field(name).type):
            raise DataError(f"column {name!r} holds lists or structures, which cannot be compared. Flatten it or leave it out.")
