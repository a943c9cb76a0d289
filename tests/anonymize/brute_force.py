"""Every combination of levels, tried with dictionaries and fractions: slow, obvious, and no code of the search in it.

A test gives `least` a problem and a function `holds`: from the released classes, each a list of row numbers, to a verdict for each.
`searched` asks the real search the same question.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

Classes = list[list[int]]
Holds = Callable[[Classes], list[bool]]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A small table. columns -- per quasi-identifier its values (None: missing); trees -- per quasi-identifier the rows of its
    hierarchy, from value to "*"; sensitive -- a value per row; subset -- per row whether it may be released; limit -- share
    of those rows that may be suppressed."""

    columns: tuple[tuple[str | None, ...], ...]
    trees: tuple[tuple[tuple[str, ...], ...], ...]
    sensitive: tuple[str | None, ...]
    subset: tuple[bool, ...]
    limit: Fraction

    @property
    def rows(self) -> range:
        return range(len(self.sensitive))


def random_problem(seed: int, *, values: int = 3, subset: bool = False) -> Problem:
    """Return a table of 4 to 24 rows, 1 to 3 quasi-identifiers with trees of 2 to 5 leaves, `values` sensitive values."""
    rng = np.random.default_rng(seed)
    trees = tuple(_random_tree(rng) for _ in range(rng.integers(1, 4)))
    rows = int(rng.integers(4, 25))
    columns = tuple(
        tuple(None if rng.random() < 0.1 else str(rng.choice([row[0] for row in tree])) for _ in range(rows)) for tree in trees
    )
    weights = rng.dirichlet([1.0] * values)
    sensitive = tuple(f"s{rng.choice(values, p=weights)}" for _ in range(rows))
    chosen = tuple(bool(rng.random() < 0.6) or not subset for _ in range(rows))
    limit = Fraction(int(rng.choice([0, 4, 10, 29, 50])), 100)
    return Problem(
        columns=columns, trees=trees, sensitive=sensitive, subset=chosen if any(chosen) else (True,) * rows, limit=limit
    )


def _random_tree(rng: Any) -> tuple[tuple[str, ...], ...]:
    """Return a tree of 2 to 5 leaves and 2 to 4 levels; groups of a level merge at random into those of the next."""
    columns = [[f"v{i}" for i in range(rng.integers(2, 6))]]
    for level in range(rng.integers(0, 3)):
        parent: dict[str, str] = {}
        for label in columns[-1]:
            parent.setdefault(label, f"g{level}-{rng.integers(0, 3)}")
        columns.append([parent[label] for label in columns[-1]])
    return tuple((*row, "*") for row in zip(*columns, strict=True))


def generalized(value: str | None, tree: Sequence[Sequence[str]], level: int) -> tuple[str | None, Fraction]:
    """Return the label of a value at a level and the share of the domain it covers, from the definition."""
    if level == len(tree[0]) - 1:
        return "*", Fraction(1)
    if value is None:
        return None, Fraction(1, len(tree))
    label = next(row[level] for row in tree if row[0] == value)
    return label, Fraction(sum(row[level] == label for row in tree), len(tree))


def kept_classes(classes: Classes, holds: Holds) -> Classes:
    """Return the classes that hold, asked again with those left until all of them do."""
    while classes:
        verdicts = holds(classes)
        if all(verdicts):
            break
        classes = [rows for rows, verdict in zip(classes, verdicts, strict=True) if verdict]
    return classes


def least(
    problem: Problem,
    holds: Holds,
    *,
    aggregate: str = "arithmetic mean",
    slider: Fraction = Fraction(1, 2),
    weights: Sequence[int] | None = None,
    presence: Holds | None = None,
    population: Holds | None = None,
) -> tuple[Any, int]:
    """Return the least loss of all nodes that meet the models (None: there is none) and how many nodes have it.

    holds      -- sees the rows that may be released.
    presence   -- sees all rows; a class of it without a row that may be released cannot be suppressed.
    population -- sees all rows.
    """
    scores = []
    n = sum(problem.subset)
    for node in itertools.product(*(range(len(tree[0])) for tree in problem.trees)):
        coarse = [
            [
                generalized(column[row], tree, level)
                for column, tree, level in zip(problem.columns, problem.trees, node, strict=True)
            ]
            for row in problem.rows
        ]
        found = defaultdict(list)
        for row in problem.rows:
            found[tuple(label for label, _ in coarse[row])].append(row)
        everyone = list(found.values())
        if presence is not None:
            verdicts = presence(everyone)
            empty = [
                verdict for rows, verdict in zip(everyone, verdicts, strict=True) if not any(problem.subset[r] for r in rows)
            ]
            everyone = [rows for rows, verdict in zip(everyone, verdicts, strict=True) if verdict] if all(empty) else []
        if population is not None:
            everyone = [rows for rows, verdict in zip(everyone, population(everyone), strict=True) if verdict]
        own = [[row for row in rows if problem.subset[row]] for rows in everyone]
        kept = {row for rows in kept_classes([rows for rows in own if rows], holds) for row in rows}
        if n - len(kept) > math.floor(problem.limit * n):
            continue
        scores.append(_loss(problem, coarse, kept, aggregate, slider, weights))
    if not scores:
        return None, 0
    best = min(scores)
    return best, sum(_near(score, best) for score in scores)


def _loss(
    problem: Problem, coarse: Any, kept: set[int], aggregate: str, slider: Fraction, weights: Sequence[int] | None
) -> float | tuple[float, ...]:
    s = 2 * slider if slider < Fraction(1, 2) else Fraction(1)
    g = Fraction(1) if slider <= Fraction(1, 2) else 1 - 2 * (slider - Fraction(1, 2))
    n, values = sum(problem.subset), []
    for i, tree in enumerate(problem.trees):
        total = Fraction(0)
        for row in problem.rows:
            share = coarse[row][i][1]
            if problem.subset[row]:
                total += g * share if row in kept else (1 if s == 1 else share + s * (1 - share))
        base = g * Fraction(n, len(tree))
        values.append(math.floor(max(Fraction(0), (total - base) / (n - base)) * 10**10) / 10**10 if n > base else 0.0)
    if weights is not None:
        values = [value * weight / max(weights) for value, weight in zip(values, weights, strict=True)]
    match aggregate:
        case "sum":
            return sum(values)
        case "arithmetic mean":
            return sum(values) / len(values)
        case "geometric mean":
            return float(math.prod(value + 1 for value in values) ** (1 / len(values)) - 1)
        case "maximum":
            return max(values)
    return tuple(sorted(values, reverse=True))


def _near(left: Any, right: Any) -> bool:
    pairs = zip(left, right, strict=True) if isinstance(left, tuple) else [(left, right)]
    return all(abs(a - b) < 1e-9 for a, b in pairs)


def searched(problem: Problem, models: Sequence[Any], metric: Any = None) -> Any:
    """Return what the real search finds for a problem: a SearchResult, or None where nothing meets the models."""
    from tacit.anonymize.coding import code_sensitive, code_table, distinct_tuples
    from tacit.anonymize.hierarchies import TreeHierarchy
    from tacit.anonymize.search import allowed_suppression, search_levels
    from tacit.anonymize.utility.loss import Loss

    table = pa.table({str(i): pa.array(column, pa.string()) for i, column in enumerate(problem.columns)})
    table = table.append_column("s", pa.array(problem.sensitive, pa.string()))
    coded = code_table(table, {str(i): TreeHierarchy(rows=tree) for i, tree in enumerate(problem.trees)})
    subset = None if all(problem.subset) else np.array(problem.subset)
    tuples = distinct_tuples(coded, sensitive=code_sensitive(table, ["s"]), subset=subset)
    allowed = allowed_suppression(float(problem.limit), tuples.rows)
    return search_levels(coded, tuples, models, allowed=allowed, metric=metric or Loss())
