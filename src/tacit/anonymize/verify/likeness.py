"""Models of how much more, or less, frequent a value is in a class than in the whole input (left-out rows included)."""

import math
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from tacit.anonymize.verify.evidence import Evidence
from tacit.anonymize.verify.sizes import ALIKE, exactly, failing, natural_log

_STRICT = 0.5e-9
"""How far below its bound a strict one must stay: less than the 1e-9 that a search keeps away, more than rounding."""


def basic_beta(evidence: Evidence, column: str, beta: float) -> list[str]:
    """(p - q) / q <= beta for each value of a class (Cao & Karras 2012, basic beta-likeness)."""
    most = 1 + exactly(beta)
    return _failing(evidence, column, lambda ratio, q: ratio <= most, f"are not {beta}-like the input in column {{}}")


def enhanced_beta(evidence: Evidence, column: str, beta: float) -> list[str]:
    """(p - q) / q <= min(beta, -ln q) for each value of a class (Cao & Karras 2012, enhanced beta-likeness)."""
    most = 1 + exactly(beta)

    def like(ratio: Fraction, q: Fraction) -> bool:
        return ratio <= most and float(ratio - 1) <= -natural_log(q) + ALIKE

    return _failing(evidence, column, like, f"are not enhanced {beta}-like the input in column {{}}")


def delta_disclosure(evidence: Evidence, column: str, delta: float, base: int | str) -> list[str]:
    """|log(p / q)| < delta, strictly, for each value that occurs in a class (Brickell & Shmatikov 2008)."""
    unit = math.log(2) if base == 2 else 1.0

    def near(ratio: Fraction, q: Fraction) -> bool:
        return abs(natural_log(ratio)) / unit < delta - _STRICT

    return _failing(evidence, column, near, f"tell values of column {{}} by {delta} or more (base {base})")


def _failing(evidence: Evidence, column: str, like: Callable[[Fraction, Fraction], bool], what: str) -> list[str]:
    """Count the classes with a value for which `like` does not hold of p / q and q; a value the input lacks is never like."""
    histogram = evidence.histogram(column)
    rows = histogram.totals.total()

    def held(counts: Counter[int]) -> bool:
        size = counts.total()
        return all(
            total > 0 and like(Fraction(count * rows, total * size), Fraction(total, rows))
            for value, count in counts.items()
            for total in [histogram.totals[value]]
        )

    bad = sum(not held(counts) for counts in histogram.classes)
    return failing(bad, len(histogram.classes), what.format(repr(column)))
