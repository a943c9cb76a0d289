"""Models of how the values of a sensitive column are spread inside each class. Missing is a value like any other."""

import itertools
import math
from collections import Counter
from collections.abc import Callable

from tacit.anonymize.verify.evidence import Evidence
from tacit.anonymize.verify.sizes import ALIKE, exactly, failing

EULER = 0.577215664901532860606512090082402431


def distinct(evidence: Evidence, column: str, l: int) -> list[str]:  # noqa: E741 - the model's own letter
    """Each class holds at least l values (Machanavajjhala et al. 2007)."""
    values = evidence.distinct(column)
    return failing(sum(found < l for found in values), len(values), f"hold fewer than {l} values of column {column!r}")


def entropy(evidence: Evidence, column: str, l: float) -> list[str]:  # noqa: E741
    """At least l values, and -sum p ln p >= ln l over their frequencies p (Machanavajjhala et al. 2007, Definition 4.1)."""

    def diverse(counts: Counter[int]) -> bool:
        rows = counts.total()
        spread = -math.fsum(count / rows * math.log(count / rows) for count in counts.values())
        return len(counts) >= l and spread >= math.log(l) - ALIKE

    return _failing(evidence, column, diverse, f"have less entropy in column {{}} than {l} equally frequent values")


def grassberger(evidence: Evidence, column: str, l: float) -> list[str]:  # noqa: E741
    """At least l values, and G(rows) - sum c G(c) / rows >= ln l over their counts c (Grassberger 2003, physics/0307138)."""
    largest = max(evidence.own, default=1)
    steps = itertools.accumulate((2.0 / (2 * i - 1) for i in range(1, largest // 2 + 1)), initial=-EULER - math.log(2))
    even = list(steps)  # G(2j) at j; G(1) at 0

    def diverse(counts: Counter[int]) -> bool:
        rows = counts.total()
        spread = even[rows // 2] - math.fsum(count * even[count // 2] for count in counts.values()) / rows
        return len(counts) >= l and spread >= math.log(l) - ALIKE

    return _failing(evidence, column, diverse, f"have less of Grassberger's entropy in column {{}} than {l} values")


def recursive(evidence: Evidence, column: str, c: float, l: int) -> list[str]:  # noqa: E741
    """r1 < c (r_l + ... + r_m), strictly, counts sorted downwards (Machanavajjhala et al. 2007, Definition 4.2)."""
    factor = exactly(c)

    def diverse(counts: Counter[int]) -> bool:
        ranked = sorted(counts.values(), reverse=True)
        return ranked[0] < factor * sum(ranked[l - 1 :])

    return _failing(evidence, column, diverse, f"are not recursively ({c}, {l})-diverse in column {{}}")


def alpha_k(evidence: Evidence, column: str, alpha: float, k: int) -> list[str]:
    """At least k rows, and no value in more than a share alpha of them (Wong et al. 2006)."""
    most = exactly(alpha)

    def held(counts: Counter[int]) -> bool:
        return counts.total() >= k and max(counts.values()) <= most * counts.total()

    return _failing(evidence, column, held, f"are not ({alpha}, {k})-anonymous in column {{}}")


def _failing(evidence: Evidence, column: str, held: Callable[[Counter[int]], bool], what: str) -> list[str]:
    classes = evidence.counts(column)
    return failing(sum(not held(counts) for counts in classes), len(classes), what.format(repr(column)))
