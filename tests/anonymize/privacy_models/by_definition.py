"""Each privacy model restated on raw rows, one class at a time: loops, fractions and 50 digits. Shares no code with the models.

A row is (tuple of quasi-identifier values, sensitive value). A table is a list of rows.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from tacit.anonymize.classes import Classes, Histogram

Row = tuple[tuple[Any, ...], Any]
Counts = Callable[[list[Any], list[Any]], Classes]
mpmath.mp.dps = 50
_NOTHING = mpmath.mpf(10) ** -30


def classes_of(rows: Sequence[Row]) -> tuple[list[tuple[Any, ...]], Classes]:
    """Return the classes of a table in order of their quasi-identifiers, and what a model sees of them; the column is "s"."""
    names = sorted({quasi for quasi, _ in rows}, key=repr)
    labels = sorted({value for _, value in rows}, key=repr)
    cells = Counter((names.index(quasi), labels.index(value)) for quasi, value in rows)
    found = sorted(cells)
    totals = Counter(labels.index(value) for _, value in rows)
    histogram = Histogram(
        class_of=np.array([c for c, _ in found], dtype=np.int64),
        values=np.array([v for _, v in found], dtype=np.int64),
        counts=np.array([cells[cell] for cell in found], dtype=np.int64),
        totals=np.array([totals[i] for i in range(len(labels))], dtype=np.int64),
        labels=tuple(labels),
    )
    sizes = Counter(quasi for quasi, _ in rows)
    width = len(names[0]) if names else 0
    codes = tuple(np.array([sorted({n[i] for n in names}, key=repr).index(name[i]) for name in names]) for i in range(width))
    return names, Classes(
        sizes=np.array([sizes[name] for name in names], dtype=np.int64), rows=len(rows), sensitive={"s": histogram}, codes=codes
    )


def with_subset(population: list[Any], sample: list[Any]) -> Classes:
    """Return the classes of a population, and how many of a sample of it are in each."""
    names = sorted(set(population))
    people, inside = Counter(population), Counter(sample)
    return Classes(
        sizes=np.array([people[name] for name in names]), rows=len(population), subset=np.array([inside[name] for name in names])
    )


def with_population(population: list[Any], sample: list[Any]) -> Classes:
    """Return the classes of a sample, and how many of a population are in each."""
    names = sorted(set(sample))
    people, inside = Counter(population), Counter(sample)
    return Classes(
        sizes=np.array([inside[name] for name in names]), rows=len(sample), population=np.array([people[name] for name in names])
    )


def held_by_definition(form: Mapping[str, Any], rows: Sequence[Row]) -> list[bool]:
    """Return for each class of a table, in the order of `classes_of`, whether the model of a JSON form lets it go."""
    names = sorted({quasi for quasi, _ in rows}, key=repr)
    if form["model"] in _TOGETHER:
        left = _TOGETHER[form["model"]](form, list(rows))
        return [any(quasi == name for quasi, _ in left) for name in names]
    everything = [value for _, value in rows]
    return [_ALONE[form["model"]](form, [v for quasi, v in rows if quasi == name], everything) for name in names]


def number(value: float) -> Fraction:
    return Fraction(str(value))


def shares(values: Sequence[Any]) -> dict[Any, Fraction]:
    return {value: Fraction(count, len(values)) for value, count in Counter(values).items()}


def distinct(form: Any, inside: Any, _: Any) -> bool:
    return bool(len(set(inside)) >= form["l"])


def entropy(form: Any, inside: Any, _: Any) -> bool:
    spread = -sum(
        mpmath.mpf(p.numerator) / p.denominator * mpmath.log(mpmath.mpf(p.numerator) / p.denominator)
        for p in shares(inside).values()
    )
    return bool(len(set(inside)) >= form["l"] and spread >= mpmath.log(form["l"]) - _NOTHING)


def grassberger(form: Any, inside: Any, _: Any) -> bool:
    def corrected(count: int) -> Any:
        total = -mpmath.euler - mpmath.log(2)
        for i in range(1, count // 2 + 1):
            total += mpmath.mpf(2) / (2 * i - 1)
        return total

    spread = corrected(len(inside))
    for count in Counter(inside).values():
        spread -= mpmath.mpf(count) * corrected(count) / len(inside)
    return bool(len(set(inside)) >= form["l"] and spread >= mpmath.log(form["l"]) - mpmath.mpf(10) ** -12)


def recursive(form: Any, inside: Any, _: Any) -> bool:
    counts = sorted(Counter(inside).values(), reverse=True)
    return bool(len(counts) >= form["l"] and counts[0] < number(form["c"]) * sum(counts[form["l"] - 1 :]))


def alpha_k(form: Any, inside: Any, _: Any) -> bool:
    return bool(len(inside) >= form["k"] and max(shares(inside).values()) <= number(form["alpha"]))


def basic_beta(form: Any, inside: Any, everything: Any) -> bool:
    q = shares(everything)
    return all((p - q[value]) / q[value] <= number(form["beta"]) for value, p in shares(inside).items())


def enhanced_beta(form: Any, inside: Any, everything: Any) -> bool:
    q = shares(everything)
    return basic_beta(form, inside, everything) and all(
        mpmath.mpf((p - q[v]).numerator) / (p - q[v]).denominator * q[v].denominator / q[v].numerator
        <= -mpmath.log(mpmath.mpf(q[v].numerator) / q[v].denominator) + _NOTHING
        for v, p in shares(inside).items()
    )


def delta_disclosure(form: Any, inside: Any, everything: Any) -> bool:
    q = shares(everything)
    for value, p in shares(inside).items():
        ratio = p / q[value]
        distance = abs(mpmath.log(mpmath.mpf(ratio.numerator) / ratio.denominator, 2 if form["base"] == 2 else mpmath.e))
        if not distance < mpmath.mpf(str(form["delta"])) - _NOTHING:
            return False
    return True


def t_closeness(form: Any, inside: Any, everything: Any) -> bool:
    p, q = shares(inside), shares(everything)
    excess = {value: p.get(value, Fraction(0)) - q[value] for value in q}
    if form["distance"] == "equal":
        return sum(abs(part) for part in excess.values()) / 2 <= number(form["t"])
    if form["distance"] == "ordered":
        order = [value for value in form["order"] if value in q]
        total = sum((abs(sum((excess[value] for value in order[: i + 1]), Fraction(0))) for i in range(len(order))), Fraction(0))
        return total <= number(form["t"]) * (len(order) - 1)
    return _moved(excess, form["tree"]) <= number(form["t"])


def _moved(excess: Mapping[Any, Fraction], tree: Sequence[Sequence[str]]) -> Fraction:
    """Sum over the inner nodes of a tree of (h / H) min(positive excesses of the children, negative ones)."""
    tops = len(tree[0]) - 1
    rows = [*tree, *([[None] * tops + [tree[0][-1]]] if None in excess else [])]
    total = Fraction(0)
    for height in range(1, tops + 1):
        for node in {row[height] for row in rows}:
            children = {row[height - 1] for row in rows if row[height] == node}
            parts = [sum(excess.get(row[0], Fraction(0)) for row in rows if row[height - 1] == child) for child in children]
            positive, negative = sum(x for x in parts if x > 0), -sum(x for x in parts if x < 0)
            if node is not None:
                total += Fraction(height, tops) * min(positive, negative)
    return total


def average_risk(form: Any, rows: list[Row]) -> list[Row]:
    for least in range(1, len(rows) + 1):
        sizes = Counter(quasi for quasi, _ in rows)
        left = [row for row in rows if sizes[row[0]] >= least]
        if left and sum(Fraction(1, sizes[quasi]) for quasi, _ in left) / len(left) <= number(form["threshold"]):
            return left
    return []


def sample_uniqueness(form: Any, rows: list[Row]) -> list[Row]:
    sizes = Counter(quasi for quasi, _ in rows)
    if Fraction(sum(sizes[quasi] == 1 for quasi, _ in rows), len(rows)) <= number(form["threshold"]):
        return rows
    return [row for row in rows if sizes[row[0]] > 1]


def lkc(form: Any, rows: list[Row]) -> list[Row]:
    """One pass: rows in a bad group of rows equal in l quasi-identifiers (or all, if fewer) are taken out."""
    if not rows:
        return rows
    size = min(form["l"], len(rows[0][0]))
    bad = {quasi for group in _groups(rows, size) if _is_bad(form, group) for quasi, _ in group}
    return [row for row in rows if row[0] not in bad]


def lkc_holds(form: Any, rows: list[Row]) -> bool:
    """The whole definition, on a released table: 1, 2, ... l quasi-identifiers."""
    return not any(_is_bad(form, group) for size in range(1, form["l"] + 1) for group in _groups(rows, size))


def _groups(rows: list[Row], size: int) -> list[list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for known in itertools.combinations(range(len(rows[0][0]) if rows else 0), size):
        for row in rows:
            groups.setdefault((known, tuple(row[0][i] for i in known)), []).append(row)
    return list(groups.values())


def _is_bad(form: Any, group: list[Row]) -> bool:
    return bool(len(group) < form["k"] or max(shares([value for _, value in group]).values()) > number(form["c"]))


_ALONE = {
    "no-profitable-attack": lambda form, inside, _: number(form["gain"]) / len(inside) <= number(form["cost"]),
    "k-anonymity": lambda form, inside, _: len(inside) >= form["k"],
    "distinct-l-diversity": distinct,
    "entropy-l-diversity": entropy,
    "grassberger-l-diversity": grassberger,
    "recursive-l-diversity": recursive,
    "alpha-k": alpha_k,
    "basic-beta-likeness": basic_beta,
    "enhanced-beta-likeness": enhanced_beta,
    "delta-disclosure": delta_disclosure,
    "t-closeness": t_closeness,
}
_TOGETHER = {"average-risk": average_risk, "sample-uniqueness": sample_uniqueness, "lkc": lkc}
