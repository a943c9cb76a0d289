"""T12: the rows that estimated k-map asks for, against direct cumulative sums in fractions and 50 digits."""

from typing import Any

import mpmath
import pytest

from tacit.anonymize.privacy_models import EstimatedKMap


def by_summing(k: int, rows: int, people: int, significance: str, truncated: bool) -> int:
    """Return the smallest s with P(X <= s - 1) >= 1 - significance, at most k."""
    with mpmath.workdps(50):
        mean = mpmath.mpf(k * rows) / people
        wanted, total, value = 1 - mpmath.mpf(significance), mpmath.mpf(0), 1 if truncated else 0
        whole = 1 - mpmath.exp(-mean) if truncated else mpmath.mpf(1)
        while True:
            total += mpmath.exp(-mean) * mean**value / mpmath.factorial(value) / whole
            if total >= wanted:
                return min(value + 1, k)
            value += 1


CASES = [
    (k, rows, people, significance)
    for k in (2, 3, 5, 20, 150)
    for rows, people in ((1, 1000), (100, 1000), (300, 1000), (900, 1000), (1000, 1000))
    for significance in ("0.01", "0.05", "0.2")
]


@pytest.mark.parametrize("truncated", [False, True], ids=["poisson", "zero-truncated"])
def test_the_rows_asked_for_are_those_of_the_cumulative_sum(truncated: bool) -> None:
    estimator: Any = "zero-truncated poisson" if truncated else "poisson"
    asked = [
        EstimatedKMap(k, population_size=people, significance=float(s), estimator=estimator).least_rows(rows)
        for k, rows, people, s in CASES
    ]
    assert asked == [by_summing(*case, truncated) for case in CASES]
    assert len(set(asked)) > 10


def test_planted_the_thresholds_of_arx_and_of_the_other_distribution_are_seen() -> None:
    """ARX's Poisson threshold is one above its truncated analog; both distributions, and significance p for 1 - p, differ."""
    sums = [by_summing(*case, False) for case in CASES]
    assert [min(s + 1, case[0]) for s, case in zip(sums, CASES, strict=True)] != sums
    assert [by_summing(*case, True) for case in CASES] != sums
    assert [by_summing(*case[:3], str(1 - float(case[3])), False) for case in CASES] != sums


def test_as_many_rows_as_people_are_asked_for_are_enough() -> None:
    model = EstimatedKMap(5, population_size=10, significance=1e-6, estimator="poisson")
    assert model.least_rows(10) == 5


def test_more_significance_or_a_larger_sample_asks_for_more_rows() -> None:
    def rows_for(sample: int, significance: float) -> int:
        return EstimatedKMap(50, population_size=1000, significance=significance, estimator="poisson").least_rows(sample)

    assert rows_for(100, 0.001) > rows_for(100, 0.1)
    assert rows_for(400, 0.1) > rows_for(100, 0.1)
