"""The mean of bounded numbers or vectors, from one-bit reports or reports of unit vectors."""

import math

import numpy as np

from tacit.errors import ConfigError
from tacit.privacy.local.bounded_vector import BoundedVector
from tacit.privacy.local.one_bit import OneBit
from tacit.privacy.local.priv_unit import PrivUnit2
from tacit.privacy.local.reports import Reports
from tacit.train.local.estimate import Estimate


def mean(reports: Reports) -> Estimate:
    """Return the mean of what people's values are after clipping: shape () from OneBit, (d,) from BoundedVector or PrivUnit2.

    The average of the unbiased reports. Standard errors are the reports' standard deviation / sqrt(n): the people's own
    spread is in them, so they are on average a little too large for these very people, and right for people drawn at random.
    Raises ConfigError for reports of another mechanism and for fewer than two, which have no spread.
    """
    mechanism, n = reports.mechanism, len(reports)
    if not isinstance(mechanism, OneBit | BoundedVector | PrivUnit2):
        raise ConfigError(
            f"a mean is estimated from OneBit, BoundedVector or PrivUnit2, got reports of {type(mechanism).__name__}: "
            "those name categories. Use `frequencies` for them."
        )
    if n < 2:
        raise ConfigError("a mean needs two reports or more, got one: how far off it is could not be told. Collect more.")
    single = mechanism.unbiased(reports)
    errors = single.std(axis=0, ddof=1) / math.sqrt(n)
    return Estimate(values=np.asarray(single.mean(axis=0)), standard_errors=errors, people=n, guarantee=reports.guarantee)
