"""What `tacit risk` measures: the risk of each table, attacks on each, and what a release lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from tacit.anonymize import (
    Hierarchy,
    automatic_hierarchies,
    downstream_accuracy,
    measure_population_risk,
    measure_risk,
    measure_uniqueness,
)
from tacit.anonymize.columns import get_column
from tacit.anonymize.risk import attack_release
from tacit.anonymize.utility import measure_utility, pair_tables, unchanged
from tacit.errors import ConfigError, DataError
from tacit.models.finding import Basis, Finding
from tacit.tables import read_table

Moved = Callable[[str, int, int], None]
"""Hears what is being measured, how many parts are done, of how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What is asked. The names are those of the options of `tacit risk`; hierarchies -- those given; secrets -- sensitive columns."""

    data: Path
    after: Path | None
    quasi: tuple[str, ...]
    hierarchies: Mapping[str, Hierarchy]
    secrets: tuple[str, ...]
    control: Path | None
    attacks: int | None
    target: str | None
    threshold: float
    population: Path | None
    population_size: int | None
    encoding: str | None

    def __post_init__(self) -> None:
        doubled = sorted({name for name in (*self.secrets, self.target) if name in self.quasi})
        if doubled:
            raise ConfigError(
                f"the columns {doubled} are quasi-identifiers, which an attacker knows, and also --sensitive or --target, which is learned "
                "from them. Choose one for each."
            )


def measure(asked: Measurement, moved: Moved) -> dict[str, list[Finding]]:
    """Return the findings of each table: "before", and "after" where a release is named.

    Raises DataError, naming file and column, when a file cannot be read, is empty, lacks a column or holds no value in it.
    """
    table = _read(asked.data, (*asked.quasi, *asked.secrets, *([asked.target] if asked.target else [])), asked)
    people = None if asked.population is None else _read(asked.population, asked.quasi, asked)
    measured = {"before": _risks(table, people, "before", asked, {})}
    if asked.after is None:
        return measured
    released = _read(asked.after, (*asked.quasi, *asked.secrets), asked)
    if released.num_rows > table.num_rows:
        raise DataError(
            f"{asked.after} has {released.num_rows} rows, more than the {table.num_rows} of {asked.data}: it is no release of that table. "
            "Name the table it was made of, or exchange the two."
        )
    hierarchies = _hierarchies(table, asked)
    measured["after"] = _risks(released, people, "after", asked, hierarchies)
    control = None if asked.control is None else _read(asked.control, (*asked.quasi, *asked.secrets), asked)
    for when, shown, known in (("before", table, {}), ("after", released, hierarchies)):
        tried = attack_release(
            table,
            shown,
            control,
            quasi=asked.quasi,
            secrets=asked.secrets,
            hierarchies=known,
            attacks=asked.attacks,
            on_progress=partial(moved, f"attacks, {when}"),
        )
        measured[when] += [finding for attack in tried for finding in attack.findings(when)]
    moved("utility", 0, 1)
    for finding in _utility(table, released, asked, hierarchies):
        measured[finding.details["when"]].append(finding)
    return measured


def _read(file: Path, columns: Sequence[str], asked: Measurement) -> pa.Table:
    """Return a table in which each column to be measured holds something."""
    table = read_table(file, encoding=asked.encoding)
    for name in columns:
        try:
            column = get_column(table, name)
        except DataError as error:
            raise DataError(f"{file}: {error}") from None
        if column.null_count == len(column):
            raise DataError(f"{file}: column {name!r} has no value in any row, so it tells nobody apart. Leave it out.")
    return table


def _hierarchies(table: pa.Table, asked: Measurement) -> dict[str, Hierarchy]:
    """Return a hierarchy for each quasi-identifier: the one given, else the automatic one, which the release would have had."""
    built = automatic_hierarchies(table, [name for name in asked.quasi if name not in asked.hierarchies])
    return {name: asked.hierarchies.get(name) or built[name] for name in asked.quasi}


def _risks(
    table: pa.Table, people: pa.Table | None, when: str, asked: Measurement, hierarchies: Mapping[str, Hierarchy]
) -> list[Finding]:
    found = [*measure_risk(table, asked.quasi, threshold=asked.threshold).findings(when)]
    if people is not None:
        within = measure_population_risk(table, people, asked.quasi, threshold=asked.threshold, hierarchies=hierarchies)
        found += within.findings(when)
    if asked.population_size is not None:
        found += measure_uniqueness(table, asked.quasi, population_size=asked.population_size).findings(when)
    return found


def _utility(table: pa.Table, released: pa.Table, asked: Measurement, hierarchies: Mapping[str, Hierarchy]) -> list[Finding]:
    """Return what was lost, or one finding without a value that says why it cannot be told."""
    try:
        pairing = pair_tables(table, released, hierarchies)
    except DataError as error:
        return [
            Finding(
                kind="anonymization-utility",
                name="utility, after",
                value=None,
                basis=Basis.EXACT,
                method=str(error),
                details={"when": "after"},
            )
        ]
    found = [*measure_utility(unchanged(pairing.recoded)).findings("before"), *measure_utility(pairing.recoded).findings("after")]
    if asked.target is not None:
        origins, features = pairing.origins, asked.quasi
        found += downstream_accuracy(table, released, origin=origins, features=features, target=asked.target).findings()
    return found
