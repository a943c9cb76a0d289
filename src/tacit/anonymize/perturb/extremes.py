"""Top and bottom coding: what lies beyond a threshold becomes the threshold, or the mean of all that lies beyond."""

import math
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.perturb.columns import Numbers, as_array, numbers, with_columns
from tacit.anonymize.perturb.linkage import Linkage
from tacit.anonymize.perturb.perturbed import Perturbed, check_attacker, check_whole, finish
from tacit.errors import ConfigError, PrivacyError
from tacit.noise.source import Source

FEWEST = 3
"""Rows that a mean must stand for: of one row it is the row's value, of two each knows the other's."""


def code_extremes(
    table: pa.Table,
    column: str,
    *,
    bottom: float | None = None,
    top: float | None = None,
    replace: Literal["threshold", "mean"] = "threshold",
    source: Source,
    attacker: Linkage | None = None,
) -> Perturbed:
    """Return the table with a numeric column's values below `bottom` and above `top` replaced; missing stays missing.

    bottom, top -- thresholds, at least one; bottom < top. Write down what is known; a quantile of the rows tells of the rows.
    replace     -- "threshold": by the threshold; "mean": by the mean of the values beyond it, so that the total stays.
    source      -- draws the targets of the linkage; nothing else here is random.
    attacker    -- whose linkage is measured; by default one who knows the column.
    Whole numbers stay whole when they are replaced by whole thresholds; else the column becomes float64.
    Source: Hundepool et al. 2012, Statistical Disclosure Control (top and bottom coding).
    Raises PrivacyError when a mean would stand for fewer than 3 rows, ConfigError for wrong thresholds.
    """
    _check(bottom, top, replace)
    check_whole(table)
    found = numbers(table, column)
    check_attacker(table, attacker, table.column_names)
    values = found.values.copy()
    replaced = found.whole and replace == "threshold"
    for threshold, beyond in ((bottom, _below(found, bottom)), (top, _above(found, top))):
        if threshold is not None and beyond.any():
            values[beyond] = threshold if replace == "threshold" else _mean(found.values[beyond], column)
            replaced = replaced and float(threshold).is_integer()
    made = as_array(values, found)
    made = made.cast(table.schema.field(column).type) if replaced else made
    return finish(
        table,
        with_columns(table, {column: made}),
        [column],
        method="top and bottom coding",
        parameters={"column": column, "bottom": bottom, "top": top, "replace": replace},
        source=source,
        attacker=attacker,
    )


def _check(bottom: float | None, top: float | None, replace: str) -> None:
    for end in (bottom, top):
        if end is not None and (isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end)):
            raise ConfigError(f"thresholds must be finite numbers, got {bottom!r} and {top!r}. Write for example top=90.")
    if (bottom is None and top is None) or (bottom is not None and top is not None and bottom >= top):
        raise ConfigError(
            f"give bottom, top or both, with bottom < top; got {bottom!r} and {top!r}: otherwise nothing or everything is replaced."
        )
    if replace not in ("threshold", "mean"):
        raise ConfigError(f'replace must be "threshold" or "mean", got {replace!r}: it says what extreme values become.')


def _below(column: Numbers, bottom: float | None) -> NDArray[np.bool_]:
    return column.present & (column.values < (-math.inf if bottom is None else bottom))


def _above(column: Numbers, top: float | None) -> NDArray[np.bool_]:
    return column.present & (column.values > (math.inf if top is None else top))


def _mean(values: NDArray[np.float64], column: str) -> float:
    if len(values) < FEWEST:
        raise PrivacyError(
            f"fewer than {FEWEST} rows lie beyond a threshold of column {column!r}, so their mean would give values away. "
            'Move the threshold inwards, or use replace="threshold".'
        )
    return float(values.mean())
