"""What a profile says about columns, against counting by hand."""

import collections
import json
import random

import pyarrow as pa
import pytest

from tacit.errors import ConfigError
from tacit.tables import Kind, profile


def test_a_profile_counts_missing_distinct_and_frequent_values() -> None:
    found = profile(pa.table({"n": [5, 1, None, 5], "x": [0.5, None, None, 2.0], "s": ["ab", "c", "ab", None]}))
    n, x, s = found
    assert (n.n, n.missing, n.distinct, n.minimum, n.maximum, n.mean_length) == (4, 1, 2, 1, 5, None)
    assert n.top == ((5, 2), (1, 1))
    assert (x.missing, x.minimum, x.maximum, x.arrow_type) == (2, 0.5, 2.0, "double")
    assert (s.distinct, s.minimum, s.maximum) == (2, None, None)
    assert s.mean_length == pytest.approx(5 / 3)
    assert found["s"] is s
    with pytest.raises(ConfigError, match="no profile of column 'z'"):
        found["z"]


def test_a_profile_equals_counting_in_python() -> None:
    rng = random.Random(5)
    values = [rng.choice(["a", "bb", "ccc", "dddd", None]) for _ in range(1_000)]
    array = pa.chunked_array([values[:300], values[300:300], values[300:]], pa.string())
    counts = collections.Counter(value for value in values if value is not None)
    column = profile(pa.table({"v": array}), top=3)["v"]
    assert list(column.top) == counts.most_common(3)
    assert column.missing == values.count(None)
    assert column.mean_length == pytest.approx(sum(len(value) * count for value, count in counts.items()) / counts.total())


def test_kinds_are_guessed_from_types_and_repetition() -> None:
    many = 300
    table = pa.table(
        {
            "age": list(range(many)),
            "flag": [0, 1] * (many // 2),
            "score": [0.5, 1.0] * (many // 2),
            "city": [f"city {number % 40}" for number in range(many)],
            "email": [f"p{number}@example.org" for number in range(many)],
            "note": [f"note {number // 2}" for number in range(many)],
            "empty": pa.nulls(many, pa.string()),
            "truth": [True, False] * (many // 2),
        }
    )
    expected = {"age": "numeric", "flag": "categorical", "score": "numeric", "city": "categorical"}
    expected |= {"email": "text", "note": "text", "empty": "text", "truth": "categorical"}
    assert {column.name: column.kind.value for column in profile(table)} == expected


def test_a_column_without_values_has_no_range_and_no_length() -> None:
    column = profile(pa.table({"x": pa.nulls(3, pa.float64())}))["x"]
    assert (column.minimum, column.maximum, column.mean_length, column.top, column.distinct) == (None, None, None, (), 0)


def test_the_number_of_frequent_values_can_be_said() -> None:
    table = pa.table({"x": [1, 2, 2, 3, 3, 3]})
    assert [len(profile(table, top=top)["x"].top) for top in (0, 2, 10)] == [0, 2, 3]
    for wrong in (-1, 1.5, True):
        with pytest.raises(ConfigError, match="top must be"):
            profile(table, top=wrong)  # type: ignore[arg-type]


def test_a_profile_has_a_json_form() -> None:
    data = json.loads(json.dumps(profile(pa.table({"x": [1, 2]})).to_json()))
    assert data[0]["name"] == "x"
    assert data[0]["kind"] == Kind.CATEGORICAL
