"""How frequent each category is, from randomized responses or unary encodings."""

import numpy as np

from tacit.errors import ConfigError
from tacit.privacy.local.randomized_response import RandomizedResponse
from tacit.privacy.local.reports import Reports
from tacit.privacy.local.unary import UnaryEncoding
from tacit.train.local.estimate import Estimate


def frequencies(reports: Reports) -> Estimate:
    """Return the share of people in each category, in the order of the mechanism's categories, shape (k,).

    With C_v of n reports for category v: f_v = (C_v / n - q) / (p - q), unbiased. It may be below 0 or above 1; so may the
    sum differ from 1 for unary encodings. Round to shares only what is shown: sums of rounded ones are biased.
    Standard errors: C_v is a sum of n f_v Bernoulli(p) and n (1 - f_v) Bernoulli(q), all independent, so
    Var f_v = (f_v p (1 - p) + (1 - f_v) q (1 - q)) / (n (p - q)^2); linear in f_v, hence unbiased with the estimate put in.
    Source: Wang et al. 2017, arXiv:1705.04421, Theorems 1 and 2 (pure protocols).
    Raises ConfigError for reports of another mechanism.
    """
    mechanism, n = reports.mechanism, len(reports)
    match mechanism:
        case RandomizedResponse(categories=categories):
            counts = np.bincount(reports.values, minlength=len(categories))
        case UnaryEncoding():
            counts = reports.values.sum(axis=0)
        case _:
            raise ConfigError(
                f"frequencies are estimated from RandomizedResponse or UnaryEncoding, got reports of {type(mechanism).__name__}: "
                "those say nothing about categories. Use `mean` for numbers and vectors."
            )
    p, q = mechanism.truth_probability, mechanism.lie_probability
    shares = (counts / n - q) / (p - q)
    variances = (shares * p * (1 - p) + (1 - shares) * q * (1 - q)) / (n * (p - q) ** 2)
    errors = np.sqrt(np.maximum(variances, 0.0))
    return Estimate(values=shares, standard_errors=errors, people=n, guarantee=reports.guarantee)
