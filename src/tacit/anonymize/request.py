"""What an anonymization is asked for, and whether it makes sense: every wrong request is refused here, by column and never by value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn, Tuples, code_sensitive, code_table, distinct_tuples
from tacit.anonymize.columns import get_column
from tacit.anonymize.hierarchies import Hierarchy
from tacit.anonymize.population import with_population
from tacit.anonymize.privacy_models import PrivacyModel
from tacit.anonymize.privacy_models.model import looks_at_population
from tacit.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, checked. The names are those of `anonymize`; sensitive columns are those named and those of the models."""

    data: pa.Table
    hierarchies: Mapping[str, Hierarchy]
    require: tuple[PrivacyModel, ...]
    sensitive: tuple[str, ...]
    keep: tuple[str, ...]
    suppression_limit: float
    subset: NDArray[np.bool_] | None
    population: pa.Table | None

    def __post_init__(self) -> None:
        if not self.hierarchies:
            raise ConfigError(
                "name at least one quasi-identifier with its hierarchy; got none, so there is nothing to generalize."
            )
        if not self.require:
            raise ConfigError("name at least one privacy model; got none, so nothing would be promised. Try [KAnonymity(5)].")
        limit = self.suppression_limit
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit < 1:
            raise ConfigError(f"suppression_limit must be >= 0 and < 1, got {limit!r}. It is a share of rows: 0.05 for 5%.")
        if self.data.num_rows == 0:
            raise DataError("the table has no rows. Check the file and its filters.")
        self._check_names()
        self._check_population()
        for name in (*self.hierarchies, *self.sensitive, *self.keep):
            _check_type(name, get_column(self.data, name).type)
        for name in (*self.hierarchies, *self.sensitive):
            _check_present(name, get_column(self.data, name))
        self._check_subset()
        for name in self.sensitive:
            _check_varied(name, get_column(self.data, name), self.subset)

    def _check_names(self) -> None:
        both = sorted(name for name in self.sensitive if name in self.hierarchies)
        if both:
            raise ConfigError(
                f"the columns {both} are named as quasi-identifiers and as sensitive: generalizing what must stay exact, or "
                "publishing what must be generalized. Choose one for each."
            )
        check_once([*self.hierarchies, *self.sensitive, *self.keep])

    def _check_population(self) -> None:
        if self.population is None:
            return
        if not isinstance(self.population, pa.Table):
            raise ConfigError(f"population must be an Arrow table, got {type(self.population).__name__}. Use pa.table(...).")
        if not any(looks_at_population(model) for model in self.require):
            raise ConfigError(
                f"a population table is given, and none of {', '.join(map(str, self.require))} looks at it: the release would be the same "
                "without. Add KMap(k) or a model with a journalist, which do; for delta-presence the table itself is the population and "
                "`subset` says which rows are released; EstimatedKMap and PopulationUniqueness take a population_size. Or leave `population` out."
            )

    def _check_subset(self) -> None:
        if self.subset is None:
            return
        if self.subset.dtype != np.bool_ or self.subset.shape != (self.data.num_rows,):
            raise ConfigError(
                f"subset must hold one truth value per row, shape ({self.data.num_rows},), got shape {self.subset.shape} of "
                f"{self.subset.dtype}. It says which rows may be released. Give one True or False per row."
            )
        if not self.subset.any():
            raise ConfigError("the research subset has no rows, so there is nothing to release. Check how it was chosen.")

    def coded(self) -> tuple[list[CodedColumn], Tuples]:
        """Return the quasi-identifiers of table and population coded, and their distinct tuples."""
        columns = {name: with_population(self.data, name, self.population) for name in self.hierarchies}
        extra = 0 if self.population is None else self.population.num_rows
        coded = code_table(pa.table(columns), self.hierarchies)
        sensitive = code_sensitive(self.data, self.sensitive)
        return coded, distinct_tuples(coded, sensitive=sensitive, subset=self.subset, extra=extra)


def request_of(
    data: pa.Table,
    quasi: Mapping[str, Hierarchy] | Sequence[str],
    require: Sequence[PrivacyModel],
    *,
    sensitive: Sequence[str],
    keep: Sequence[str],
    suppression_limit: float,
    subset: Any,
    population: pa.Table | None,
) -> Request:
    """Return the request; quasi-identifiers given by name alone get automatic hierarchies.

    Raises ConfigError for wrong settings, DataError for data that do not fit.
    """
    if not isinstance(data, pa.Table):
        raise ConfigError(
            f"the table must be an Arrow table, got {type(data).__name__}. Use tacit.tables.read_table(file), pa.table(...) or "
            "pa.Table.from_pandas(frame, preserve_index=False)."
        )
    if isinstance(quasi, str) or isinstance(sensitive, str) or isinstance(keep, str):
        raise ConfigError("quasi, sensitive and keep are lists of column names, got a text. Write [name] for a single column.")
    if not isinstance(require, Sequence):
        raise ConfigError(f"require is a list of privacy models, got {type(require).__name__}. Write [KAnonymity(5)].")
    if not isinstance(quasi, Mapping):
        from tacit.anonymize.hierarchies.automatic import automatic_hierarchies

        names = list(quasi)
        check_once(names)
        quasi = automatic_hierarchies(data, names, population=population if isinstance(population, pa.Table) else None)
    _check_kinds(quasi, require)
    of_models = [name for model in require for name in model.columns if name not in sensitive]
    return Request(
        data=data,
        hierarchies=dict(quasi),
        require=tuple(require),
        sensitive=(*sensitive, *dict.fromkeys(of_models)),
        keep=tuple(keep),
        suppression_limit=suppression_limit,
        subset=None if subset is None else np.asarray(subset),
        population=population,
    )


def check_once(named: Sequence[str]) -> None:
    """Raise ConfigError when a column is named twice."""
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise ConfigError(
            f"the columns {twice} are named twice: a column is a quasi-identifier, sensitive or kept as it is, once. Choose one."
        )


def _check_kinds(quasi: Mapping[str, Any], require: Sequence[Any]) -> None:
    strangers = [type(model).__name__ for model in require if not callable(getattr(model, "holds", None))]
    if strangers:
        raise ConfigError(
            f"require holds {strangers}, which are no privacy models: nothing could be promised by them. Write [KAnonymity(5)]."
        )
    wrong = [name for name, hierarchy in quasi.items() if not callable(getattr(hierarchy, "generalize", None))]
    if wrong:
        raise ConfigError(
            f"the quasi-identifiers {wrong} are given something that is no hierarchy, so their levels are unknown. Give one such as "
            "IntervalHierarchy or TreeHierarchy, or the list of names alone for automatic ones."
        )


def _check_type(name: str, column_type: pa.DataType) -> None:
    if pa.types.is_union(column_type):
        raise DataError(
            f"column {name!r} holds values of several types, so equal values cannot be told. Read it as text or as numbers alone."
        )
    if pa.types.is_nested(column_type):
        raise DataError(
            f"column {name!r} holds lists or structures, which a release cannot be sorted by. Flatten it or leave it out."
        )


def _check_present(name: str, column: pa.Array) -> None:
    if column.null_count == len(column):
        raise DataError(
            f"column {name!r} is missing in every row: it tells nothing and protects nothing. Leave it out, or check how it was read."
        )


def _check_varied(name: str, column: pa.Array, subset: NDArray[np.bool_] | None) -> None:
    """Raise DataError when the rows that may be released hold one value. subset -- shape (rows,): which they are; None: all."""
    where = "rows" if subset is None else "rows of the research subset"
    values = column if subset is None else column.filter(pa.array(subset))
    if pc.count_distinct(values, mode="all").as_py() < 2:
        raise DataError(
            f"the sensitive column {name!r} has one value in all {where}: whoever is in the release has it, and no release hides that. "
            "Leave it out of `sensitive`, or do not release it."
        )
