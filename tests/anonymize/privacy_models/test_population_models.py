"""Models that know or estimate a population, against loops over its people; planted defects are seen."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from anonymize.privacy_models.by_definition import with_population, with_subset
from anonymize.privacy_models.planted import faulty
from tacit.anonymize.privacy_models import DeltaPresence, EstimatedKMap, KMap, NoProfitableAttack, PopulationUniqueness

BUILD: dict[str, Callable[[Any], Any]] = {
    "k_map": lambda module: module.KMap(4),
    "no_profitable_attack": lambda module: module.NoProfitableAttack(9, 2, "journalist"),
    "delta_presence": lambda module: module.DeltaPresence(0.25, 0.5),
    "estimated_k_map": lambda module: module.EstimatedKMap(5, population_size=60, significance=0.2, estimator="poisson"),
    "population_uniqueness": lambda module: module.PopulationUniqueness(0.1, population_size=60, estimator="zayatz"),
}


def by_looping(name: str, population: list[int], sample: list[int]) -> list[bool]:
    """Return the verdicts on the classes in order of their names: of the population for presence, else of the sample."""
    people = {one: population.count(one) for one in sorted(set(population))}
    rows = {one: sample.count(one) for one in sorted(set(sample))}
    if name == "k_map":
        return [people[one] >= 4 for one in rows]
    if name == "no_profitable_attack":
        return [Fraction(9, people[one]) <= 2 for one in rows]
    if name == "delta_presence":
        return [Fraction(1, 4) <= Fraction(rows.get(one, 0), people[one]) <= Fraction(1, 2) for one in people]
    if name == "estimated_k_map":
        mean, total, least = 5 * len(sample) / 60, 0.0, 0
        while total < 0.8:
            total += math.exp(-mean) * mean**least / math.factorial(least)
            least += 1
        return [count >= min(least, 5) for count in rows.values()]
    n, alone = len(sample), list(rows.values()).count(1)
    h = {i: Fraction(i * math.comb(60 - i, n - 1), math.comb(60, n)) for i in rows.values()}
    uniques = alone * alone * h[1] / sum(h[i] for i in rows.values()) * Fraction(60, n) if alone else Fraction(0)
    return [uniques <= 6 or count > 1 for count in rows.values()]


def disagreements(name: str, model: Any) -> int:
    rng, differ = np.random.default_rng(9), 0
    for _ in range(120):
        population = rng.integers(0, int(rng.integers(2, 14)), int(rng.integers(5, 60))).tolist()
        sample = [one for one in population if rng.random() < 0.45] or population[:1]
        classes = (with_subset if name == "delta_presence" else with_population)(population, sample)
        differ += model.holds(classes).tolist() != by_looping(name, population, sample)
    return differ


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("k_map", KMap(4)),
        ("no_profitable_attack", NoProfitableAttack(9, 2, "journalist")),
        ("delta_presence", DeltaPresence(0.25, 0.5)),
        ("estimated_k_map", EstimatedKMap(5, population_size=60, significance=0.2, estimator="poisson")),
        ("population_uniqueness", PopulationUniqueness(0.1, population_size=60, estimator="zayatz")),
    ],
)
def test_a_model_of_a_population_says_what_its_definition_says(name: str, model: Any) -> None:
    assert disagreements(name, model) == 0


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("k_map", "classes.population >= self.k", "classes.sizes >= self.k"),
        ("k_map", "classes.population >= self.k", "classes.population > self.k"),
        ("no_profitable_attack", "return classes.population", "return classes.sizes"),
        ("no_profitable_attack", 'attacker == "prosecutor"', 'attacker == "journalist"'),
        ("delta_presence", "at_most(classes.subset, self.d_max, classes.sizes)", "(classes.subset < self.d_max * classes.sizes)"),
        ("delta_presence", "at_least(classes.subset, self.d_min, classes.sizes) & ", ""),
        ("estimated_k_map", "return value + 1", "return value + 2"),  # ARX's
        ("estimated_k_map", "1.0 - self.significance", "self.significance"),
        ("estimated_k_map", "(0, 1.0) if self.estimator ==", "(0, 1.0) if self.estimator !="),
        ("population_uniqueness", "uniques / self.population_size", "uniques / classes.rows"),
        ("population_uniqueness", "classes.sizes > 1", "classes.sizes > 2"),
    ],
)
def test_a_planted_defect_is_seen(name: str, old: str, new: str) -> None:
    assert disagreements(name, BUILD[name](faulty(name, name, old, new))) > 0
