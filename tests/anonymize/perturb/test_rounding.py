from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anonymize.perturb.tables import FEW, hoeffding, people, values
from tacit.anonymize.perturb import round_values
from tacit.errors import ConfigError, DataError
from tacit.noise import OsSource

SOURCE = OsSource.from_os()


@pytest.mark.parametrize("base", [1, 2, 3, 5, 10, 1000])
def test_whole_numbers_become_the_nearest_multiple_and_ties_the_even_one(base: int) -> None:
    numbers = [*range(-40, 41), None, 2_500, 7_500]
    made = round_values(pa.table({"x": pa.array(numbers, pa.int32())}), {"x": base}, source=SOURCE).table["x"]
    expected = [
        None if number is None else int((Decimal(number) / base).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)) * base
        for number in numbers
    ]
    assert made.to_pylist() == expected
    assert made.type == pa.int32()


def test_fractions_become_multiples_of_the_base() -> None:
    table = pa.table({"x": [0.1, 0.24, 0.26, -0.74, None, 3.0]})
    assert round_values(table, {"x": 0.5}, source=SOURCE).table["x"].to_pylist() == [0.0, 0.0, 0.5, -0.5, None, 3.0]


@pytest.mark.parametrize("whole", [True, False])
def test_random_rounding_goes_up_with_the_chance_of_the_remainder(whole: bool) -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding on seven shares of 20,000)."""
    n = 20_000
    for value, low, share in ((0, 0, 0.0), (1, 0, 0.2), (2, 0, 0.4), (3, 0, 0.6), (4, 0, 0.8), (-1, -5, 0.8), (5, 5, 0.0)):
        column = np.full(n, value, dtype=np.int64 if whole else np.float64)
        made = values(round_values(pa.table({"x": column}), {"x": 5}, random=True, source=SOURCE, attacker=FEW).table, "x")
        assert set(made.tolist()) <= {low, low + 5}
        up = float((made > low).mean())
        assert abs(up - share) <= hoeffding(n, 1e-9, events=7)  # 0.024
        assert up == share or 0 < share < 1


def test_random_rounding_keeps_totals_in_expectation() -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding on 50,000 values within 10 of one another)."""
    made = round_values(people(50_000), {"age": 10}, random=True, source=SOURCE, attacker=FEW).effect.columns["age"]
    assert made.mean_after is not None
    assert made.mean_before is not None
    assert abs(made.mean_after - made.mean_before) <= 10 * hoeffding(50_000, 1e-9)


def test_a_small_type_that_cannot_hold_the_multiple_becomes_a_larger_one() -> None:
    made = round_values(pa.table({"x": pa.array([127, 3], pa.int8())}), {"x": 10}, source=SOURCE).table["x"]
    assert made.to_pylist() == [130, 0]


@pytest.mark.parametrize("base", [0, -5, 2.5, float("nan"), float("inf"), True, "5"])
def test_a_base_that_is_none_is_refused(base: Any) -> None:
    with pytest.raises(ConfigError, match="base"):
        round_values(people(10), {"age": base}, source=SOURCE)


def test_keys_and_texts_are_refused() -> None:
    with pytest.raises(DataError, match="keys rather than amounts"):
        round_values(pa.table({"x": [2**60, 1]}), {"x": 5}, source=SOURCE)
    with pytest.raises(DataError, match="this is done with numbers"):
        round_values(people(10), {"town": 5}, source=SOURCE)
