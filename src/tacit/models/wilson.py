"""The interval that every measured share gets, of attacks as of models."""

import math
from statistics import NormalDist

from tacit.errors import ConfigError

Interval = tuple[float, float]


def wilson(share: float, n: float, confidence: float) -> Interval:
    """Return the two-sided score interval of a share seen in n trials: the p with |share - p| <= z sqrt(p (1 - p) / n).

    share -- 0..1. n -- > 0; may be an effective sample size. confidence -- 0 < confidence < 1, else ConfigError.
    Source: Wilson 1927, J. Amer. Stat. Assoc. 22, 209: the two roots of that quadratic; an end at a share of 0 or 1 is exact.
    Close to its confidence on average over the true share, and never empty.
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence must lie between 0 and 1, got {confidence}: no interval is certain. Use for example 0.95.")
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    middle, root = 2 * n * share + z2, math.sqrt(z2 * (z2 + 4 * n * share * (1 - share)))
    low, high = (middle - root) / (2 * (n + z2)), (middle + root) / (2 * (n + z2))
    return (0.0 if share <= 0 else max(0.0, low)), (1.0 if share >= 1 else min(1.0, high))
