"""Models of class sizes alone."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

from tacit.anonymize.verify.evidence import Evidence

ALIKE = 1.5e-9
"""How far a rounded measure may miss its threshold here: more than the 1e-9 that a search allows itself, less than 2e-9."""


def exactly(number: float | int) -> Fraction:
    """Return a parameter as the decimal number it is written as."""
    return Fraction(str(number))


def failing(bad: int, classes: int, what: str) -> list[str]:
    """Return the problem that `bad` of some classes do not have a property; nothing when none is bad."""
    return [f"{bad} of {classes} classes {what}"] if bad else []


def k_anonymity(evidence: Evidence, k: int) -> list[str]:
    """Each sequence of quasi-identifier values occurs at least k times (Sweeney 2002, Definition 3)."""
    small = sum(size < k for size in evidence.sizes)
    return failing(small, len(evidence.own), f"have fewer than {k} rows")


def average_risk(evidence: Evidence, threshold: float) -> list[str]:
    """The mean over the released rows of 1 / (rows that the person may be) is at most the threshold (El Emam 2013)."""
    kept = sum(evidence.own)
    risk: dict[int, int] = {}
    for own, size in zip(evidence.own, evidence.sizes, strict=True):
        risk[size] = risk.get(size, 0) + own
    total = sum((Fraction(rows, size) for size, rows in risk.items()), Fraction(0))
    return ["the average risk of the released rows is above its threshold"] if total > exactly(threshold) * kept else []


def sample_uniqueness(evidence: Evidence, threshold: float) -> list[str]:
    """The share of the released rows that are alone in their class is at most the threshold (Skinner & Elliot 2002)."""
    alone = sum(own for own, size in zip(evidence.own, evidence.sizes, strict=True) if size == 1)
    above = Fraction(alone) > exactly(threshold) * sum(evidence.own)
    return [f"{alone} of {sum(evidence.own)} released rows are alone in their class, more than the threshold"] if above else []


def estimated_k_map(evidence: Evidence, k: int, population_size: int, significance: float, estimator: str) -> list[str]:
    """Each class has the rows below which a class of k people stays with probability >= 1 - significance, or k rows.

    Source: Pannekoek 1999; El Emam & Dankar 2008 (JAMIA 15(5)), estimators D3 and D4.
    """
    if population_size < evidence.rows:
        return [f"the population of {population_size} is smaller than the input of {evidence.rows} rows"]
    least = least_rows(k, Fraction(k * evidence.rows, population_size), significance, truncated=estimator != "poisson")
    small = sum(size < least for size in evidence.sizes)
    return failing(small, len(evidence.own), f"have fewer than {least} rows, as estimated {k}-map asks for")


def least_rows(k: int, mean: Fraction, significance: float, *, truncated: bool) -> int:
    """Return the smallest s with P(X <= s - 1) >= 1 - significance, at most k, for X Poisson of this mean.

    truncated -- X is known not to be zero. Summed in 40 digits; a sum that misses by 1e-12 counts as equal.
    """
    with localcontext() as context:
        context.prec = 40
        rate = Decimal(mean.numerator) / Decimal(mean.denominator)
        term = (-rate).exp()
        whole = 1 - term if truncated else Decimal(1)
        total = Decimal(0) if truncated else term
        wanted = (1 - Decimal(str(significance)) - Decimal("1e-12")) * whole
        for rows in range(1, k):
            if total >= wanted:
                return rows
            term *= rate / rows
            total += term
        return k


def natural_log(ratio: Fraction) -> float:
    """Return ln of a ratio of whole numbers > 0, without dividing large ones first."""
    return math.log(ratio.numerator) - math.log(ratio.denominator)
