import math
from typing import Any

import numpy as np
import pytest

from anonymize.utility.row_by_row import Rows, Tree, release
from anonymize.utility.test_metrics_by_definition import random_rows
from tacit.anonymize.utility import QueryError
from tacit.errors import ConfigError

AGES: Tree = {f"{age:02d}": [f"{age:02d}", f"{age // 4}", "*"] for age in range(12)}


def slow_errors(rows: Rows, metric: QueryError) -> list[float]:
    """The same workload asked row by row: the truth of the raw rows, the estimate from the released labels."""
    generator = np.random.default_rng(metric.seed)
    columns = range(len(rows.trees))
    values = [sorted({row[j] for row in rows.raw}) for j in columns]
    under: list[dict[str, set[str]]] = [{} for _ in columns]
    for raw, coarse in zip(rows.raw, rows.coarse, strict=True):
        for j in columns:
            under[j].setdefault(coarse[j], set()).add(raw[j])
    asked, errors = min(metric.columns, len(columns)), []
    for _ in range(metric.queries):
        wanted: dict[int, set[str]] = {}
        for j in generator.choice(len(columns), asked, replace=False):
            size = math.ceil(metric.selectivity ** (1 / asked) * len(values[j]))
            wanted[int(j)] = {values[j][i] for i in generator.choice(len(values[j]), size, replace=False)}
        true = sum(all(row[j] in some for j, some in wanted.items()) for row in rows.raw)
        estimate = math.fsum(
            math.prod(len(under[j][row[j]] & some) / len(under[j][row[j]]) for j, some in wanted.items())
            for row, kept in zip(rows.coarse, rows.kept, strict=True)
            if kept
        )
        errors.append(abs(estimate - true) / max(true, metric.floor * len(rows.raw)))
    return errors


@pytest.mark.parametrize("seed", range(20))
def test_the_error_of_each_query_is_its_definition(seed: int) -> None:
    rows, metric = random_rows(seed), QueryError(queries=20, columns=1 + seed % 3, selectivity=0.3, seed=seed)
    assert metric.errors(rows.recoded()).tolist() == pytest.approx(slow_errors(rows, metric), abs=1e-12)


def test_an_untouched_release_answers_exactly_and_a_suppressed_one_not_at_all() -> None:
    raw = [(f"{age % 12:02d}",) for age in range(40)]
    assert QueryError(columns=1).score(release(raw, [AGES], (0,), k=1).recoded()) == 0
    assert QueryError(columns=1).score(release(raw, [AGES], (0,), k=99).recoded()) == 1


def test_the_error_of_a_star_by_hand() -> None:
    # 12 values, query of ceil(0.25 * 12) = 3: estimated 3/12 of 36 rows = 9; the truth is 25 + 2 with the frequent one, else 3
    raw = [("00",)] * 25 + [(f"{age:02d}",) for age in range(1, 12)]
    metric = QueryError(queries=4000, columns=1, selectivity=0.25)
    errors = metric.errors(release(raw, [AGES], (2,), k=1).recoded())
    assert set(errors.round(12)) == {round((27 - 9) / 27, 12), (9 - 3) / 3}
    # false failure <= 1e-6: a query holds the frequent value with probability 1/4; Hoeffding, 4,000 queries: 0.0426
    assert (errors < 1).mean() == pytest.approx(0.25, abs=math.sqrt(math.log(2 / 1e-6) / (2 * 4000)))


def test_small_counts_are_measured_against_the_floor() -> None:
    # 40 rows: one value of 7 is released, 11 of 3 are suppressed; a query of one value is right, or wrong by 3 of 0.5 * 40
    raw = [(f"{age % 12:02d}",) for age in range(36)] + [("00",)] * 4
    errors = QueryError(columns=1, selectivity=0.01, floor=0.5).errors(release(raw, [AGES], (0,), k=4).recoded())
    assert set(errors.round(12)) == {0.0, round(3 / 20, 12)}


def test_a_coarser_release_answers_worse_and_the_workload_is_fixed_by_its_seed() -> None:
    generator = np.random.default_rng(3)
    raw = [(f"{int(age):02d}", f"{int(other):02d}") for age, other in generator.binomial(11, 0.3, size=(500, 2))]
    fine, coarse = (QueryError().score(release(raw, [AGES, AGES], levels, k=1).recoded()) for levels in ((1, 1), (2, 2)))
    assert 0 < fine < coarse  # type: ignore[operator]
    recoded = release(raw, [AGES, AGES], (1, 1), k=1).recoded()
    assert QueryError(seed=1).score(recoded) == QueryError(seed=1).score(recoded) != QueryError(seed=2).score(recoded)


@pytest.mark.parametrize(
    "settings", [{"queries": 0}, {"columns": 0}, {"selectivity": 0.0}, {"selectivity": 1.0}, {"floor": 0.0}, {"floor": math.nan}]
)
def test_a_workload_that_makes_no_sense_is_refused(settings: Any) -> None:
    with pytest.raises(ConfigError, match="query workload"):
        QueryError(**settings)
