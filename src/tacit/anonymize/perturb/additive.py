"""Additive noise: every number gets a normal error in proportion to its column's spread. Not differential privacy."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.perturb.columns import Numbers, as_array, check_names, varying, with_columns
from tacit.anonymize.perturb.linkage import Linkage
from tacit.anonymize.perturb.perturbed import Perturbed, check_attacker, check_whole, finish
from tacit.errors import ConfigError, DataError
from tacit.noise.source import Source


def add_noise(
    table: pa.Table,
    columns: Sequence[str],
    *,
    scale: float,
    source: Source,
    correlated: bool = False,
    attacker: Linkage | None = None,
) -> Perturbed:
    """Return the table with normal noise on numeric columns, as float64; missing stays missing.

    scale      -- standard deviation of the noise / that of the column; > 0 and finite. 0.1 to 0.5 is common.
    correlated -- whether the noise has the columns' own covariance, times scale^2, so that correlations stay in expectation; else
                  columns get independent noise, and every correlation shrinks by 1 / (1 + scale^2).
    attacker   -- whose linkage is measured; by default one who knows the columns perturbed.

    Means stay in expectation, variances grow by 1 + scale^2. The scale comes from the data and values are not bounded, so no
    epsilon holds: for one use `add_private_noise`.
    Source: Kim 1986 (correlated noise); Brand 2002, doi:10.1007/3-540-47804-3_8 (both).
    Raises DataError for columns that are not numbers, are all missing or have one value, ConfigError for a wrong scale.
    """
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
        raise ConfigError(f"scale must be finite and > 0, got {scale!r}: without noise nothing is hidden. 0.25 is a start.")
    names = check_names(table, columns)
    check_whole(table)
    check_attacker(table, attacker, table.column_names)
    found = [varying(table, name) for name in names]
    noise = source.normal(table.num_rows * len(names)).reshape(table.num_rows, len(names)) @ _root(found, names, correlated)
    made = {
        name: as_array(column.values + scale * noise[:, at], column)
        for at, (name, column) in enumerate(zip(names, found, strict=True))
    }
    return finish(
        table,
        with_columns(table, made),
        names,
        method="additive normal noise" + (", correlated" if correlated else ""),
        parameters={"columns": list(names), "scale": float(scale), "correlated": correlated},
        source=source,
        attacker=attacker,
    )


def _root(columns: Sequence[Numbers], names: Sequence[str], correlated: bool) -> NDArray[np.float64]:
    """Return R, shape (d, d), such that standard normal rows times R have the columns' covariance, or its diagonal."""
    deviations = np.array([column.values[column.present].std() for column in columns])
    if not correlated:
        return np.diag(deviations)
    complete = np.logical_and.reduce([column.present for column in columns])
    if complete.sum() < 2:
        raise DataError(
            f"fewer than two rows have values in all of {list(names)}, so they have no covariance to copy. "
            "Use correlated=False, or columns with fewer gaps."
        )
    rows = np.column_stack([column.values[complete] for column in columns])
    values, vectors = np.linalg.eigh(np.cov(rows, rowvar=False, bias=True).reshape(len(columns), len(columns)))
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
