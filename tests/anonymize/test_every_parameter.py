"""Every parameter of `anonymize` under every recoding: it changes the release, or it is refused. None is ignored."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.coding import code_table, distinct_tuples
from tacit.anonymize.hierarchies import IntervalHierarchy, TreeHierarchy
from tacit.anonymize.local import CellSuppression, Microaggregation
from tacit.anonymize.outcome import recode
from tacit.anonymize.privacy_models import AverageRisk, KAnonymity, KMap
from tacit.anonymize.release import Anonymization, anonymize
from tacit.anonymize.utility import (
    Ambiguity,
    AverageClassSize,
    Discernibility,
    EntropyLoss,
    Height,
    KullbackLeibler,
    Loss,
    NonUniformEntropy,
    PrecisionLoss,
    QueryError,
)
from tacit.errors import ConfigError, DataError

RECODINGS: dict[str, Any] = {
    "full-domain": "full-domain",
    "local": "local",
    "mondrian": "mondrian",
    "microaggregation": Microaggregation(k=2, block=8),
    "cells": CellSuppression(limit=0.4),
}
AGE = IntervalHierarchy.from_widths(0, 100, [10, 20])
PLACE = TreeHierarchy.from_groups({"north": {"coast": ["a", "b"], "hills": ["c"]}, "south": ["d", "e"]})


def people(rows: int = 60, seed: int = 4) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "age": rng.integers(0, 101, rows),
            "place": rng.choice(list("abcde"), rows),
            "ill": rng.choice(["x", "y", "z"], rows),
            "ward": rng.integers(0, 4, rows),
        }
    )


TABLE = people()
CHOSEN = np.arange(60) % 3 > 0


def released(how: Any, table: pa.Table = TABLE, **more: Any) -> Anonymization:
    settings: dict[str, Any] = {
        "quasi": {"age": AGE, "place": PLACE},
        "require": [KAnonymity(3)],
        "suppression_limit": 0.3,
        "recoding": how,
    }
    return anonymize(table, **settings | more)


def rows(result: Anonymization) -> Any:
    return result.table.to_pylist()


def score(result: Anonymization) -> Any:
    return result.score


# parameter -> two values of it, and what of the release they change
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], Callable[[Anonymization], Any]]] = {
    "quasi": ({}, {"quasi": {"age": AGE}}, rows),
    "require": ({}, {"require": [KAnonymity(7)]}, rows),
    "sensitive": ({}, {"sensitive": ["ill"]}, rows),
    "keep": ({}, {"keep": ["ward"]}, rows),
    "minimize, weights": ({"minimize": Loss(weights={"age": 0.05})}, {"minimize": Loss(weights={"place": 0.05})}, rows),
    "minimize, aggregate": ({}, {"minimize": Loss(aggregate="sum")}, score),
    "minimize, maximum": ({}, {"minimize": Loss(aggregate="maximum")}, score),
    "minimize, slider": ({}, {"minimize": Loss(generalization_vs_suppression=0.9)}, score),
    "minimize, height": ({}, {"minimize": Height()}, score),
    "minimize, precision": ({}, {"minimize": PrecisionLoss()}, score),
    "minimize, discernibility": ({}, {"minimize": Discernibility()}, score),
    "subset": ({}, {"subset": CHOSEN}, lambda result: result.rows),
    "population": (
        {"require": [KMap(4)], "population": TABLE},
        {"require": [KMap(4)], "population": pa.concat_tables([TABLE] * 4)},
        rows,
    ),
    "time_limit": ({}, {"time_limit": 1e-9}, lambda result: result.stopped),
}

REFUSED = {
    ("minimize, maximum", "mondrian"): "the aggregate 'maximum'",
    ("minimize, maximum", "microaggregation"): "the aggregate 'maximum'",
    ("minimize, slider", "local"): "generalization_vs_suppression = 0.9 would change nothing",
    ("minimize, slider", "mondrian"): "generalization_vs_suppression = 0.9 would change nothing",
    ("minimize, slider", "microaggregation"): "generalization_vs_suppression = 0.9 would change nothing",
    ("minimize, height", "microaggregation"): "got Height",
    ("minimize, precision", "microaggregation"): "got PrecisionLoss",
    ("minimize, discernibility", "mondrian"): "got Discernibility",
    ("minimize, discernibility", "microaggregation"): "got Discernibility",
    ("subset", "mondrian"): "not in the release",
    ("population", "mondrian"): "not in the release",
    ("population", "microaggregation"): "cannot promise 4-map",
}


@pytest.mark.parametrize("name", RECODINGS)
@pytest.mark.parametrize("parameter", CHANGES)
def test_a_parameter_changes_the_release_or_is_refused(parameter: str, name: str) -> None:
    one, other, shown = CHANGES[parameter]
    how = RECODINGS[name]
    if (parameter, name) in REFUSED:
        with pytest.raises(ConfigError, match=REFUSED[parameter, name]):
            released(how, **other)
    else:
        assert shown(released(how, **one)) != shown(released(how, **other))


def test_the_table_names_every_parameter() -> None:
    """`suppression_limit` and `on_progress` have tests of their own below, `table` and `recoding` are what the tests are made of."""
    named = {name.split(",")[0] for name in CHANGES} | {"suppression_limit", "on_progress", "table", "recoding"}
    assert named == set(inspect.signature(anonymize).parameters)


METRICS: list[Any] = [
    Loss(weights={"age": 3.0}),
    Loss(aggregate="geometric mean", weights={"place": 0.01}),
    Loss(aggregate="rank"),
    Height(),
    PrecisionLoss(weights={"age": 3.0}),
    NonUniformEntropy(),
    EntropyLoss(),
    Ambiguity(),
    Discernibility(),
    AverageClassSize(),
    KullbackLeibler(),
    QueryError(queries=20),
]


@pytest.mark.parametrize("name", RECODINGS)
@pytest.mark.parametrize("metric", METRICS, ids=lambda one: type(one).__name__)
def test_the_score_is_that_of_the_metric_asked_for(metric: Any, name: str) -> None:
    try:
        result = released(RECODINGS[name], minimize=metric)
    except ConfigError as error:
        assert name in ("mondrian", "microaggregation")
        assert "is steered by" in str(error)
        return
    assert result.score == pytest.approx(metric.score(result.recoded), abs=1e-9)
    form = metric.to_json() if hasattr(metric, "to_json") else {"metric": "QueryError"}
    assert result.settings["metric"] == form


@pytest.mark.parametrize("name", RECODINGS)
def test_progress_goes_up_to_its_end(name: str) -> None:
    seen: list[tuple[int, int]] = []
    released(RECODINGS[name], on_progress=lambda *at: seen.append(at))
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]
    assert len({total for _, total in seen}) == 1


@pytest.mark.parametrize("name", RECODINGS)
def test_an_interrupted_call_leaves_nothing_behind_and_the_table_as_it_was(name: str) -> None:
    before = people()

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        released(RECODINGS[name], on_progress=interrupt)
    assert TABLE.equals(before)


@pytest.mark.parametrize("name", ["full-domain", "local", "cells"])
def test_rows_are_left_out_where_the_limit_allows_it(name: str) -> None:
    """Two classes and somebody alone. Cells would bring the one back, so no cell may be spent."""
    how = CellSuppression(limit=0.01) if name == "cells" else RECODINGS[name]
    table = pa.table({"age": [15] * 20 + [35] * 20 + [95], "place": ["a"] * 20 + ["d"] * 20 + ["c"]})
    assert released(how, table, suppression_limit=0).suppressed == 0
    assert released(how, table, suppression_limit=0.1).suppressed == 1


class Pairs(KAnonymity):
    def holds(self, classes: Any) -> Any:
        return classes.sizes == 2


def test_where_nothing_is_searched_the_limit_bounds_what_must_be_left_out() -> None:
    """Halves are asked as if they were the whole release; two pairs of the same mean are one class of four."""
    table, models = people(12, seed=29), [AverageRisk(0.3)]
    with pytest.raises(DataError, match="leaves out 4 of 12 rows, where 3 may be"):
        released("mondrian", table, require=models, suppression_limit=0.3)
    assert released("mondrian", table, require=models, suppression_limit=0.34).suppressed == 4
    coded = code_table(pa.table({"x": [5, 5, 5, 5, 90, 90], "y": [0, 3, 1, 2, 0, 9]}), {"x": AGE, "y": AGE})
    loss, how = Loss(weights={"x": 1.0, "y": 0.0}), Microaggregation(k=2, block=8)

    def kept(allowed: int) -> list[bool]:
        tuples = distinct_tuples(coded)
        outcome = recode(coded, tuples, [Pairs(2)], loss, how, allowed=allowed, time_limit=None, on_progress=None)
        assert outcome is not None
        return [bool(one) for one in outcome.recoding.kept[tuples.of_row]]

    assert kept(4) == [False] * 4 + [True] * 2
    with pytest.raises(DataError, match="leaves out 4 of 6 rows, where 3 may be"):
        kept(3)


@pytest.mark.parametrize("name", RECODINGS)
def test_a_population_that_no_model_looks_at_is_refused(name: str) -> None:
    if name == "mondrian":  # refused before, with a reason of its own
        return
    with pytest.raises(ConfigError, match=r"none of 3-anonymity looks at it.*KMap"):
        released(RECODINGS[name], population=TABLE)


@pytest.mark.parametrize("name", RECODINGS)
def test_a_missing_value_is_a_category_of_its_own_or_refused(name: str) -> None:
    """Were it a wildcard, three rows that miss the place would be a class with any other; as a category they are one alone."""
    table = pa.table({"age": [20.0] * 6 + [70.0] * 3, "place": ["a"] * 3 + [None] * 3 + ["d"] * 3})
    result = released(RECODINGS[name], table)
    assert [row["place"] for row in rows(result)].count(None) == 3
    missing = table.set_column(0, "age", pa.array([20.0] * 3 + [None] * 3 + [70.0] * 3))
    if name == "microaggregation":
        with pytest.raises(DataError, match=r"\['age'\] miss values"):
            released(RECODINGS[name], missing)
    else:
        assert [row["age"] for row in rows(released(RECODINGS[name], missing))].count(None) == 3


@pytest.mark.parametrize("name", RECODINGS)
def test_names_with_spaces_brackets_and_dots_are_names(name: str) -> None:
    names = ["age (y) [0].x", "pl ace", "ill.1", "w[a]rd"]
    settings: dict[str, Any] = {"minimize": Loss(weights={names[0]: 2.0}), "sensitive": [names[2]], "keep": [names[3]]}
    result = released(RECODINGS[name], TABLE.rename_columns(names), quasi={names[0]: AGE, names[1]: PLACE}, **settings)
    plain = released(RECODINGS[name], minimize=Loss(weights={"age": 2.0}), sensitive=["ill"], keep=["ward"]).table
    assert result.table.column_names == names
    assert result.table.rename_columns(plain.column_names).equals(plain)
