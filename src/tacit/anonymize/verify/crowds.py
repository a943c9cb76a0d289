"""Who else a class may hold: the rows of the population that a recoding makes equal to it, or that it covers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.verify.columns import Numbers, equal_rows, number_rows, number_values, plain
from tacit.anonymize.verify.covering import cover_table, uncovered
from tacit.anonymize.verify.evidence import Crowds, Evidence
from tacit.anonymize.verify.labels import at_level
from tacit.anonymize.verify.recoding import Recoding
from tacit.errors import PrivacyError


def crowds_of(evidence: Evidence, recoding: Recoding | None, allowed: NDArray[np.bool_] | None) -> Crowds:
    """Return the original rows by what the recoding makes of them: all, those of the subset, those released.

    allowed -- shape (original rows,): the rows of the subset. Raises PrivacyError when what they become is not at hand.
    """
    if recoding is None or allowed is None:
        raise PrivacyError("the recoding is not at hand, so what the people outside the subset become is unknown")
    if recoding.everyone is not None:
        recoded = _everyone(evidence, recoding, recoding.everyone)
    elif recoding.levels is None or recoding.means or recoding.cell_limit is not None:
        raise PrivacyError("what a local recoding makes of the people outside the subset is not at hand")
    else:
        recoded = [_at_its_level(recoding.original, name, recoding) for name in evidence.quasi]
    group_of, count = _number_together(recoded, evidence)
    people, released = group_of[: len(allowed)], group_of[len(allowed) :]
    tallies = (np.bincount(rows, minlength=count).tolist() for rows in (people, people[allowed], released))
    population, subset, left = tallies
    return Crowds(population=population, subset=subset, released=left)


def population_rows(evidence: Evidence, recoding: Recoding | None, population: pa.Table) -> list[int]:
    """Return for each released class how many rows of a population in raw values it may come from.

    At declared levels, those that become equal to it; in a local recoding, those that all its values cover.
    """
    if recoding is None or recoding.means:
        raise PrivacyError("which rows of the population a class stands for is not known without hierarchies, nor for means")
    absent = [name for name in evidence.quasi if population.column_names.count(name) != 1]
    if absent:
        raise PrivacyError(f"the quasi-identifiers {absent} are not in the population")
    if recoding.levels is None or recoding.cell_limit is not None:
        return _covered(evidence, recoding.hierarchies, population)
    recoded = [_at_its_level(population, name, recoding) for name in evidence.quasi]
    group_of, count = _number_together(recoded, evidence)
    rows = np.bincount(group_of[: population.num_rows], minlength=count)
    first = np.unique(evidence.class_of, return_index=True)[1]
    return [int(found) for found in rows[group_of[population.num_rows :][first]]]


def _at_its_level(table: pa.Table, name: str, recoding: Recoding) -> pa.Array:
    assert recoding.levels is not None
    return at_level(_as_original(table, name, recoding), recoding.hierarchies[name], recoding.levels[name])


def _as_original(table: pa.Table, name: str, recoding: Recoding) -> pa.Array:
    """Return a raw column in the type it has in the original, so that 7 and 7.0 are one value."""
    return plain(table.column(name)).cast(plain(recoding.original.column(name)).type)


def _number_together(recoded: Sequence[pa.Array], evidence: Evidence) -> tuple[Numbers, int]:
    released = [plain(evidence.released.column(name)) for name in evidence.quasi]
    if any(one.type != other.type for one, other in zip(recoded, released, strict=True)):
        raise PrivacyError("the released values have other types than the recoding gives, so nobody can be compared with them")
    both = [pa.concat_arrays(pair) for pair in zip(recoded, released, strict=True)]
    return number_rows(both, len(both[0]))


def _everyone(evidence: Evidence, recoding: Recoding, everyone: pa.Table) -> list[pa.Array]:
    """Return the stated recoding of everybody once it has been confirmed: it covers the original, and the release is part of it."""
    if recoding.origins is None or recoding.means or everyone.num_rows != recoding.original.num_rows:
        raise PrivacyError("what the recoding makes of everybody cannot be confirmed")
    rows = pa.array(np.asarray(recoding.origins).astype(np.int64))
    columns = []
    for name in evidence.quasi:
        column = plain(everyone.column(name))
        released = plain(evidence.released.column(name))
        wrong = uncovered(plain(recoding.original.column(name)), column, recoding.hierarchies[name]).any()
        if wrong or column.type != released.type or not equal_rows(column.take(rows), released).all():
            raise PrivacyError(f"what column {name!r} is said to become for everybody is not what it became, or covers nobody")
        columns.append(column)
    return columns


def _covered(evidence: Evidence, hierarchies: Mapping[str, Mapping[str, Any]], population: pa.Table) -> list[int]:
    """Count the population's rows that each class covers in every quasi-identifier."""
    raw = [plain(population.column(name)) for name in evidence.quasi]
    person_of, count = number_rows(raw, population.num_rows)
    weights = np.bincount(person_of, minlength=count)
    first_person = np.unique(person_of, return_index=True)[1]
    first_row = np.unique(evidence.class_of, return_index=True)[1]
    covers, of_person, of_class = [], [], []
    for name, column in zip(evidence.quasi, raw, strict=True):
        values, known = number_values(column)
        shown, labels = number_values(plain(evidence.released.column(name)))
        covers.append(cover_table(known, labels, hierarchies[name]))
        of_person.append(values[first_person])
        of_class.append(shown[first_row])
    found = []
    for one in range(len(first_row)):
        inside = np.ones(count, dtype=bool)
        for table, values, shown in zip(covers, of_person, of_class, strict=True):
            inside &= table[shown[one]][values]
        found.append(int(weights[inside].sum()))
    return found
