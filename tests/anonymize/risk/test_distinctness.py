import random
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.risk import class_sizes, distinction, separation

PEOPLE = pa.table(
    {
        "age": [20, 30, 40, 20, 40],
        "sex": ["Female", "Female", "Female", "Male", "Male"],
        "state": ["CA", "CA", "TX", "NY", "CA"],
    }
)


def test_every_combination_as_arx_has_it_by_hand() -> None:
    # ARX 3.9.2, TestRiskQuasiIdentifiers.java: distinction, separation
    expected = {
        ("sex",): (0.4, 0.6), ("state",): (0.6, 0.7), ("age",): (0.6, 0.8), ("sex", "state"): (0.8, 0.9),
        ("age", "sex"): (1.0, 1.0), ("age", "state"): (1.0, 1.0), ("age", "sex", "state"): (1.0, 1.0),
    }  # fmt: skip
    for columns, figures in expected.items():
        sizes = class_sizes(PEOPLE, columns)
        assert (distinction(sizes), separation(sizes)) == figures


@pytest.mark.parametrize("seed", range(10))
def test_separation_counts_pairs_that_differ(seed: int) -> None:
    rows = [random.Random(seed).randint(0, 5) for _ in range(2 + 3 * seed)]
    rows = [value * random.Random(seed + i).randint(0, 1) for i, value in enumerate(rows)]
    sizes = np.array([rows.count(value) for value in set(rows)])
    differ = [one != other for one, other in combinations(rows, 2)]
    assert separation(sizes) == sum(differ) / len(differ)
    assert distinction(sizes) == len(set(rows)) / len(rows)


def test_one_row_has_nobody_to_be_told_from() -> None:
    assert separation(np.array([1])) == 0
    assert distinction(np.array([1])) == 1


def test_ten_million_rows_do_not_overflow() -> None:
    assert separation(np.array([3_000_000_000, 1])) == pytest.approx(2 / 3_000_000_001)
