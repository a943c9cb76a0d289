"""The check and the privacy models, which share no code, say the same of 200 random small releases each."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.classes import information_lost
from tacit.anonymize.coding import CodedColumn, Tuples, code_sensitive, code_table, distinct_tuples
from tacit.anonymize.hierarchies import IntervalHierarchy, TreeHierarchy
from tacit.anonymize.privacy_models import PrivacyModel, model_from_json
from tacit.anonymize.recoding import classes_of, full_domain, released_table
from tacit.anonymize.verify import Recoding, Verification, verify_release

AGES = IntervalHierarchy(low=0, high=8, cuts=((2, 4, 6), (4,)))
JOBS = TreeHierarchy(rows=(("a", "x", "*"), ("b", "x", "*"), ("c", "y", "*"), ("d", "y", "*")))
HIERARCHIES: dict[str, Any] = {"age": AGES, "job": JOBS}
ILLS = ["flu", "cold", "cough", "gout"]
TREE = [["flu", "lung", "*"], ["cold", "lung", "*"], ["cough", "lung", "*"], ["gout", "joint", "*"]]

Draw = Callable[[random.Random], dict[str, Any]]
FORMS: dict[str, Draw] = {
    "k-anonymity": lambda r: {"k": r.randint(2, 4)},
    "distinct-l-diversity": lambda r: {"column": "ill", "l": r.randint(2, 3)},
    "entropy-l-diversity": lambda r: {"column": "ill", "l": r.choice([1.2, 1.5, 1.8, 2, 2.5])},
    "grassberger-l-diversity": lambda r: {"column": "ill", "l": r.choice([1.5, 2, 3])},
    "recursive-l-diversity": lambda r: {"column": "ill", "c": r.choice([0.5, 1, 1.5, 2, 3]), "l": 2},
    "alpha-k": lambda r: {"column": "ill", "alpha": r.choice([0.5, 0.6, 0.75, 0.9]), "k": 2},
    "t-closeness": lambda r: {"column": "ill", "t": r.choice([0.2, 0.35, 0.5, 0.7]), **r.choice(_DISTANCES)},
    "basic-beta-likeness": lambda r: {"column": "ill", "beta": r.choice([0.5, 1, 2, 4])},
    "enhanced-beta-likeness": lambda r: {"column": "ill", "beta": r.choice([0.5, 1, 2, 4])},
    "delta-disclosure": lambda r: {"column": "ill", "delta": r.choice([0.5, 1, 2]), "base": r.choice([2, "e"])},
    "lkc": lambda r: {"column": "ill", "l": r.randint(1, 2), "k": 2, "c": r.choice([0.5, 0.75, 1])},
    "average-risk": lambda r: {"threshold": r.choice([0.2, 0.3, 0.4, 0.5, 0.7])},
    "sample-uniqueness": lambda r: {"threshold": r.choice([0, 0.1, 0.2, 0.3])},
    "population-uniqueness": lambda r: {
        "threshold": r.choice([0.05, 0.2, 0.4]),
        "population_size": r.choice([12, 25, 60, 400]),
        "estimator": r.choice(["dankar", "pitman", "zayatz", "snb"]),
    },
    "estimated-k-map": lambda r: {
        "k": r.randint(2, 5),
        "population_size": r.choice([12, 25, 60]),
        "significance": r.choice([0.05, 0.2]),
        "estimator": r.choice(["poisson", "zero-truncated poisson"]),
    },
    "no-profitable-attack": lambda r: {
        "gain": 9,
        "cost": r.choice([3, 4, 4.5]),
        "attacker": r.choice(["prosecutor", "journalist"]),
    },
    "profitability": lambda r: {
        "benefit": 100,
        "loss": r.choice([30, 100, 200]),
        "gain": 9,
        "cost": r.choice([2, 3, 4.5]),
        "attacker": r.choice(["prosecutor", "journalist"]),
    },
    "k-map": lambda r: {"k": r.randint(2, 5)},
    "delta-presence": lambda r: {"d_min": r.choice([0, 0.25, 0.5]), "d_max": r.choice([0.5, 0.75, 0.9])},
}
_DISTANCES: list[dict[str, Any]] = [
    {"distance": "equal"},
    {"distance": "ordered", "order": [*ILLS, None]},
    {"distance": "hierarchical", "tree": TREE},
]


def some_table(r: random.Random, rows: int) -> pa.Table:
    return pa.table(
        {
            "age": pa.array([r.choice([0, 1, 2, 3, 5, 8, None]) for _ in range(rows)], pa.int64()),
            "job": [r.choice(["a", "b", "c", "d", None]) for _ in range(rows)],
            "ill": [r.choice([*ILLS, "flu", "flu", None]) for _ in range(rows)],
        }
    )


def both_verdicts(form: dict[str, Any], r: random.Random) -> tuple[bool, Verification]:
    """Return what a model and the check say of a random release, some of whose classes are left out."""
    model, data = model_from_json(form), some_table(r, r.randint(4, 12))
    presence = form["model"] == "delta-presence"
    chosen = np.array([True] * 2 + [r.random() < 0.6 for _ in range(data.num_rows - 2)])
    subset = chosen if presence or r.random() < 0.5 else None
    people = some_table(r, 15) if form["model"] == "k-map" or form.get("attacker") == "journalist" else None
    columns = {name: pa.concat_arrays([t.column(name).combine_chunks() for t in (data, people) if t]) for name in HIERARCHIES}
    coded = code_table(pa.table(columns), HIERARCHIES)
    tuples = distinct_tuples(
        coded, sensitive=code_sensitive(data, ["ill"]), subset=subset, extra=people.num_rows if people else 0
    )
    node = (r.randint(0, 3), r.randint(0, 2))
    kept, expected = _kept(model, coded, tuples, node, r, presence=presence)
    released, origins = released_table(data, coded, tuples, full_domain(coded, tuples, node, kept), keep=["ill"], subset=subset)
    forms = {name: hierarchy.to_json() for name, hierarchy in HIERARCHIES.items()}
    recoding = Recoding(
        original=data,
        hierarchies=forms,
        levels=dict(zip(HIERARCHIES, node, strict=True)),
        origins=origins if r.random() < 0.5 else None,
    )
    found = verify_release(
        released,
        quasi=["age", "job"],
        require=[form],
        original_rows=tuples.rows,
        suppression_limit=1,
        recoding=recoding,
        subset=subset,
        population=people,
    )
    return expected, found


def _kept(
    model: PrivacyModel, coded: list[CodedColumn], tuples: Tuples, node: tuple[int, int], r: random.Random, *, presence: bool
) -> tuple[Any, bool]:
    """Return which tuples are released, some classes or those that the model held, and what the model says of that."""
    recoding = full_domain(coded, tuples, node)
    class_of = recoding.class_of()
    classes, everyone = classes_of(tuples, class_of, list(recoding.generalized.T))
    people = np.bincount(class_of, weights=tuples.weights)
    there = np.flatnonzero(people > 0)
    shares = recoding.shares[np.unique(class_of, return_index=True)[1][there]]
    classes = replace(classes, lost=information_lost(shares, np.array([column.leaves for column in coded])))
    left = np.array([r.random() < 0.7 for _ in there]) if r.random() < 0.6 or presence else model.holds(classes)
    if not left.any():
        left[0] = True
    kept = np.isin(class_of, there[left])
    if not presence or everyone is None or everyone.subset is None:
        return kept, bool(model.holds(classes.select(left)).all())
    matters = everyone.subset == 0
    matters[everyone.subset > 0] = left
    return kept, bool(model.holds(everyone)[matters].all())


@pytest.mark.parametrize("name", FORMS)
def test_the_check_and_the_model_agree_on_random_releases(name: str) -> None:
    r = random.Random(name)
    verdicts = [both_verdicts({"model": name, **FORMS[name](r)}, r) for _ in range(200)]
    wrong = [(expected, found.problems) for expected, found in verdicts if expected is not found.ok]
    assert wrong == []
    assert 20 <= sum(expected for expected, _ in verdicts) <= 180
