"""t-closeness: the earth mover's distance between a class and the whole input, in whole numbers.

With c rows of a value among s in a class, and T among N in the input, its excess is c N - T s: p - q, times s N.
Source: Li, Li & Venkatasubramanian 2007 (ICDE), Definition 2 (the principle) and their Earth Mover's Distances.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from tacit.anonymize.verify.columns import word
from tacit.anonymize.verify.evidence import Evidence, Histogram
from tacit.anonymize.verify.labels import as_number
from tacit.anonymize.verify.sizes import ALIKE, exactly, failing
from tacit.errors import PrivacyError

_Excess = Mapping[int, int]


def t_closeness(evidence: Evidence, column: str, t: float, distance: str, order: Any = None, tree: Any = None) -> list[str]:
    """The distance is at most t in each class; equal: order and tree None; ordered: with order; hierarchical: with tree."""
    wrong = {"equal": (order, tree), "ordered": (tree,), "hierarchical": (order,)}[distance]
    if any(given is not None for given in wrong) or (distance == "ordered" and order is None):
        return [f"t-closeness of column {column!r} by {distance} distance has not the order or tree that belongs to it"]
    if distance == "hierarchical" and tree is None:
        return [f"t-closeness of column {column!r} by hierarchical distance has no tree"]
    histogram = evidence.histogram(column)
    rows = histogram.totals.total()
    most = exactly(t) + Fraction(ALIKE)
    if distance == "ordered":
        ranks = _ordered(histogram, order)
    elif distance == "hierarchical":
        paths = _paths(histogram, tree)
    far = 0
    for counts in histogram.classes:
        size = counts.total()
        if distance == "equal":
            moved = Fraction(_equal(counts, histogram.totals, size, rows), 2)
        elif distance == "ordered":
            steps = max(len(ranks) - 1, 1)
            moved = Fraction(_along(_excess(counts, histogram.totals, size, rows), ranks), steps)
        else:
            moved = _up_and_down(_excess(counts, histogram.totals, size, rows), paths)
        far += moved > most * size * rows
    return failing(far, len(histogram.classes), f"are farther than {t} from the input in column {column!r}")


def _excess(counts: Counter[int], totals: Counter[int], size: int, rows: int) -> dict[int, int]:
    return {value: counts[value] * rows - total * size for value, total in totals.items()}


def _equal(counts: Counter[int], totals: Counter[int], size: int, rows: int) -> int:
    """Sum of |excess| over all values; those absent from the class add what those in it leave of the input."""
    inside = sum(abs(count * rows - totals[value] * size) - totals[value] * size for value, count in counts.items())
    return inside + size * rows


def _along(excess: _Excess, ranks: Sequence[int]) -> int:
    """Sum over the places of an order of what must pass from there to the next."""
    carried = passed = 0
    for value in ranks:
        carried += excess[value]
        passed += abs(carried)
    return passed


def _ordered(histogram: Histogram, order: Any) -> list[int]:
    """Return the input's values from first to last. Raises PrivacyError when one has no place, or two have the same."""
    values = {histogram.labels[value]: value for value in histogram.totals}
    if order == "numeric":
        numbers = {label: None if label is None else as_number(label) for label in values}
        if any(number is None for number in numbers.values()):
            raise PrivacyError("a value of the sensitive column is no number, so it has no place in their order")
        return [values[label] for label in sorted(values, key=lambda label: float(str(numbers[label])))]
    places = [None if label is None else word(label) for label in order]
    if len(set(places)) != len(places) or not set(values) <= set(places):
        raise PrivacyError("the order of the sensitive column leaves out a value of the input, or has one twice")
    return [values[label] for label in places if label in values]


def _paths(histogram: Histogram, tree: Sequence[Sequence[Any]]) -> dict[int, tuple[Any, ...]]:
    """Return for each of the input's values its nodes from the leaf to the root; a missing one hangs from the root."""
    rows = [tuple(word(label) for label in row) for row in tree]
    if not rows or len({len(row) for row in rows}) != 1 or not rows[0]:
        raise PrivacyError("the tree of the sensitive column has no rows, or rows of several lengths")
    if len({row[-1] for row in rows}) > 1 or len(rows[0]) == 1:
        rows = [(*row, "*") for row in rows]
    leaves: dict[str | None, tuple[Any, ...]] = {row[0]: row for row in rows}
    leaves[None] = (*[None] * (len(rows[0]) - 1), rows[0][-1])
    if len(leaves) != len(rows) + 1 or any(histogram.labels[value] not in leaves for value in histogram.totals):
        raise PrivacyError("the tree of the sensitive column leaves out a value of the input, or has one twice")
    return {value: leaves[histogram.labels[value]] for value in histogram.totals}


def _up_and_down(excess: _Excess, paths: Mapping[int, tuple[Any, ...]]) -> Fraction:
    """Sum over the inner nodes of (height / H) times the lesser of what their children have too much and too little."""
    top = len(next(iter(paths.values()))) - 1
    below: dict[Any, int] = defaultdict(int)
    for value, path in paths.items():
        below[path] += excess[value]
    moved = 0
    for height in range(1, top + 1):
        above: dict[Any, list[int]] = defaultdict(list)
        for node, amount in below.items():
            above[node[1:]].append(amount)
        moved += height * sum(
            min(sum(a for a in amounts if a > 0), -sum(a for a in amounts if a < 0)) for amounts in above.values()
        )
        below = {node: sum(amounts) for node, amounts in above.items()}
    return Fraction(moved, top)
