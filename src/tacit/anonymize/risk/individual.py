"""Individual risk of a survey whose rows stand for so many people each, as their design weights say."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column, is_number
from tacit.anonymize.risk.coverage import crowd
from tacit.anonymize.risk.prosecutor import check_quasi
from tacit.errors import DataError

_FEW, _TERMS = 20, 64


def individual_risk(data: pa.Table, quasi: Sequence[str], *, weights: str) -> NDArray[np.float64]:
    """Return for each row, shape (n,), the expected chance to link it to its person, in (0, 1]; the mean is the table's global risk.

    weights -- the column of design weights: people of the population that a row stands for, each >= 1.

    A class of f rows and weights W in all was drawn at the rate p = f / W; the people F in the population whom its
    quasi-identifiers fit are taken to be negative binomial, F = f, f + 1, ... with P(F) = C(F - 1, f - 1) p^f (1 - p)^(F - f), and

        risk = E[1 / F] = (p^f / f) 2F1(f, f; f + 1; 1 - p) = (p / f) 2F1(1, 1; f + 1; 1 - p)

    by Euler's transformation, whose right side neither overflows nor cancels. Exact statistics of private rows: for the custodian.
    Source: Benedetti & Franconi 1998; Franconi & Polettini 2004, doi:10.1007/978-3-540-25955-8_20; so does sdcMicro.
    Raises ConfigError when quasi is empty, DataError for a table without rows or without such weights.
    """
    check_quasi(quasi)
    column = get_column(data, weights)
    given = np.zeros(0)
    if is_number(column.type):
        given = pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy(zero_copy_only=False)
    if not len(given) or not (np.isfinite(given) & (given >= 1)).all():
        raise DataError(
            f"column {weights!r} does not give each row a weight: a number >= 1 in every row, and at least one row. A weight says how many "
            "people of the population a row stands for, itself included. Correct the column, or name the one that holds the weights."
        )
    classes = crowd(data, quasi)
    people = np.bincount(classes.of_row, weights=given, minlength=len(classes.rows))
    rate = np.minimum(classes.rows / people, 1.0)
    return (rate / classes.rows * _gauss(classes.rows, 1.0 - rate))[classes.of_row]


def _gauss(rows: NDArray[np.int64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 2F1(1, 1; f + 1; z), shape (c,), for f rows and 0 <= z < 1: above 20 rows by its series, n! / (f + 1)_n z^n.

    All terms are positive, and from the 64th on fall below 1 / C(84, 20) < 10^-18; the library's function overflows there.
    """
    from scipy.special import hyp2f1

    term = total = np.ones(len(rows))
    for n in range(_TERMS):
        term = term * z * ((n + 1) / (rows + 1.0 + n))
        total = total + term
    return np.where(rows > _FEW, total, hyp2f1(1.0, 1.0, np.minimum(rows, _FEW) + 1.0, z))
