"""A file is released as the table in it would be, whatever Arrow type its columns have: the same rows, of the same types."""

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anonymize.scale.people import as_rows
from tacit.anonymize.hierarchies import DateHierarchy
from tacit.anonymize.privacy_models import KAnonymity
from tacit.anonymize.release import anonymize

pytest.importorskip("ibis", reason="not run: ibis and duckdb")

from tacit.anonymize.scale import anonymize_file

DAYS = [datetime.datetime(2020, 1, day, 23, 30, 15) for day in (1, 2, 3)]
TIMES = [datetime.time(hour) for hour in (1, 2, 3)]
PRICES = [decimal.Decimal("1.50"), decimal.Decimal("2.25")]
FLOATS = [0.1, 0.0, -0.0, float("nan")]
TYPES: list[tuple[pa.DataType, list[Any]]] = [
    (pa.int8(), [1, 2, 3]),
    (pa.uint64(), [1, 2**63 + 5]),
    *((one, FLOATS) for one in (pa.float16(), pa.float32(), pa.float64())),
    *((one, PRICES) for one in (pa.decimal32(5, 2), pa.decimal128(38, 4))),
    (pa.bool_(), [True, False]),
    *((one, ["a", "b", "e\u0301", "é", ""]) for one in (pa.string(), pa.large_string(), pa.string_view())),
    *((one, [b"a", b"b"]) for one in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(1))),
    *((one, [day.date() for day in DAYS]) for one in (pa.date32(), pa.date64())),
    *((pa.timestamp(unit), DAYS) for unit in ("ms", "ns")),
    *((pa.timestamp(unit, zone), DAYS) for unit, zone in (("s", "Europe/Berlin"), ("us", "UTC"), ("ns", "+05:30"))),
    *((one, TIMES) for one in (pa.time32("ms"), pa.time64("us"), pa.time64("ns"))),
    (pa.duration("ms"), [datetime.timedelta(1), datetime.timedelta(2)]),
    (pa.dictionary(pa.int32(), pa.large_string()), ["a", "b"]),
    (pa.dictionary(pa.int32(), pa.int64()), [1, 2]),
]


def column(kind: pa.DataType, values: list[Any], seed: int) -> pa.Array:
    """Return 60 of these values and gaps."""
    drawn = [[*values, None][i] for i in np.random.default_rng(seed).integers(0, len(values) + 1, 60)]
    return pa.array(drawn, kind.value_type).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(drawn, kind)


@pytest.mark.parametrize(("kind", "values"), TYPES, ids=lambda one: str(one) if isinstance(one, pa.DataType) else "")
def test_every_type_is_released_from_a_file_as_from_memory(tmp_path: Path, kind: pa.DataType, values: list[Any]) -> None:
    columns = [column(kind, values, seed) for seed in range(3)]
    pq.write_table(pa.table(columns, names=["quasi", "sensitive", "kept"]), tmp_path / "a.parquet")
    asked: Any = {"quasi": ["quasi"], "require": [KAnonymity(3)], "sensitive": ["sensitive"], "keep": ["kept"]}
    of_table = anonymize(pq.read_table(tmp_path / "a.parquet"), **asked)
    of_file = anonymize_file(tmp_path / "a.parquet", tmp_path / "b.parquet", **asked)
    written = pq.read_table(of_file.file)
    assert of_table.levels == of_file.levels == {"quasi": 0}
    assert written.schema.types == of_table.table.schema.types
    assert as_rows(written) == as_rows(of_table.table)
    assert (of_file.classes, of_file.smallest_class) == (of_table.classes, of_table.smallest_class)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", None])
def test_a_day_is_that_of_the_columns_own_time_zone(tmp_path: Path, zone: str | None) -> None:
    """At half past eleven in the evening, UTC, it is tomorrow in Tokyo."""
    seen = [DAYS[i % 3] + datetime.timedelta(seconds=i) for i in range(60)]
    table = pa.table({"seen": pa.array(seen, pa.timestamp("us", zone)), "ill": column(pa.string(), ["flu", "cold"], 5)})
    pq.write_table(table, tmp_path / "a.parquet")
    days = DateHierarchy(first=datetime.date(2019, 12, 1), last=datetime.date(2020, 1, 31), units=("day", "month"))
    asked: Any = {"quasi": {"seen": days}, "require": [KAnonymity(5)], "sensitive": ["ill"]}
    of_table = anonymize(table, **asked)
    of_file = anonymize_file(tmp_path / "a.parquet", tmp_path / "b.parquet", **asked)
    assert of_table.levels == {"seen": 1}
    assert as_rows(pq.read_table(of_file.file)) == as_rows(of_table.table)


def test_two_zeros_are_one_value_in_memory_and_in_a_file(tmp_path: Path) -> None:
    table = pa.table({"income": [0.0, -0.0, 1.0, 1.0], "ill": ["flu", "cold", "flu", "cold"]})
    pq.write_table(table, tmp_path / "a.parquet")
    asked: Any = {"quasi": ["income"], "require": [KAnonymity(2)], "sensitive": ["ill"]}
    assert anonymize(table, **asked).classes == 2
    result = anonymize_file(tmp_path / "a.parquet", tmp_path / "b.parquet", **asked)
    assert (result.classes, result.suppressed, result.levels) == (2, 0, {"income": 0})
    assert str(pq.read_table(result.file).column("income").to_pylist()) == "[0.0, 0.0, 1.0, 1.0]"
