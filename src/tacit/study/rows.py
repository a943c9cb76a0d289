"""From the table to what a model sees: declared row-wise maps and a keyed split, fixed without looking at the data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize import Hierarchy, hierarchy_for
from tacit.study.loading import Study
from tacit.study.run import Run
from tacit.tables import Encoding, LabelRule, Role, in_training


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Encoded rows. features -- (n, d); labels -- (n,), class numbers; training -- (n,), which rows train."""

    features: NDArray[np.float64]
    labels: NDArray[np.int64]
    training: NDArray[np.bool_]


def encoding_of(study: Study) -> Encoding:
    """Return the declared map from a row to features."""
    return Encoding.from_schema(study.settings.table_schema, study.settings.features)


def label_rule(study: Study) -> LabelRule:
    """Return the declared map from a row to its class."""
    name, column = next((name, c) for name, c in study.settings.columns.items() if c.role == "label")
    return LabelRule(column=name, classes=tuple(str(value) for value in column.categories or ()), above=column.above)


def hierarchies_of(study: Study) -> dict[str, Hierarchy]:
    """Return the hierarchies of the quasi-identifiers that declare one, bounds or categories, by column name.

    Nothing is read but hierarchy files. The others get theirs from the data, see `undeclared_hierarchies`.
    Raises ConfigError naming the column when one cannot be built.
    """
    schema, columns, undeclared = study.settings.table_schema, study.settings.columns, undeclared_hierarchies(study)
    return {
        name: hierarchy_for(schema[name], columns[name].hierarchy, folder=study.path.parent)
        for name in schema.names(Role.QUASI)
        if name not in undeclared
    }


def undeclared_hierarchies(study: Study) -> list[str]:
    """Return the quasi-identifiers whose hierarchy is built from the data: those without hierarchy, bounds or categories."""
    columns = study.settings.columns
    return [
        name
        for name in study.settings.table_schema.names(Role.QUASI)
        if (columns[name].hierarchy, columns[name].bounds, columns[name].categories) == (None, None, None)
    ]


UNPROTECTED = "no model limits what a class tells of it; k-anonymity does not"
"""Said of a sensitive column that is released and that no privacy model of the study names."""


def protection_of(study: Study) -> dict[str, str]:
    """Return for each sensitive column of the released table which privacy models limit what its classes tell of it, in words."""
    settings = study.settings
    assert settings.anonymize is not None
    models = settings.anonymize.models
    return {
        name: ", ".join(str(model) for model in models if name in model.columns) or UNPROTECTED for name in settings.sensitive
    }


def rows_of(run: Run) -> Rows:
    """Return the original rows, encoded, with the keyed split into training and test rows.

    Without an id column a row's number names it.
    """
    settings = run.study.settings
    assert settings.train is not None
    table = run.table
    ids = table.column(settings.data.id) if settings.data.id is not None else np.arange(table.n_rows)
    return Rows(
        features=encoding_of(run.study).encode(table),
        labels=label_rule(run.study).labels(table),
        training=in_training(ids, key=run.key("split.key").secret, fraction=settings.train.training_share),
    )
