"""Parquet, Arrow, data frames and mappings come out as the same three types."""

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from tacit.errors import ConfigError, DataError
from tacit.tables import Kind, read_table

SECRET = "Wilhelmina Quux"
SMALL = {"age": [30, None, 50], "work": ["a", "NA", " b "]}
READ = {"age": [30, None, 50], "work": ["a", None, "b"]}


class OnlyStream:
    """A stranger's data frame with the Arrow stream protocol."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


class OnlyInterchange:
    """A stranger's data frame with the interchange protocol."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __dataframe__(self, *args: Any, **options: Any) -> Any:
        return self.table.__dataframe__(*args, **options)


def _sources(folder: Path) -> list[Any]:
    table = pa.table(SMALL)
    pa.parquet.write_table(table, folder / "t.parquet")
    pa.feather.write_feather(table, str(folder / "t.feather"))
    with pa.ipc.new_stream(folder / "t.arrow", table.schema) as stream:
        stream.write_table(table)
    files = [folder / "t.parquet", str(folder / "t.feather"), folder / "t.arrow"]
    return [*files, table, table.to_reader(), table.to_batches()[0], OnlyStream(table), OnlyInterchange(table), SMALL]


def test_every_source_gives_the_same_table(tmp_path: Path) -> None:
    for source in _sources(tmp_path):
        assert read_table(source).to_pydict() == READ


def test_a_parquet_file_in_a_folder_named_like_a_partition_gains_no_column(tmp_path: Path) -> None:
    (tmp_path / "year=2020").mkdir()
    pa.parquet.write_table(pa.table(SMALL), tmp_path / "year=2020" / "t.parquet")
    assert read_table(tmp_path / "year=2020" / "t.parquet").column_names == ["age", "work"]


def test_pandas_frames_are_read_without_their_index() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [30, None, 50], "work": pandas.Categorical(["a", "NA", "b"])}, index=[5, 7, 9])
    assert read_table(frame).to_pydict() == READ
    assert read_table(pandas.DataFrame({"a": [1, 2]}, index=["x", "y"])).column_names == ["a"]
    with pytest.raises(DataError, match="column names are not texts"):
        read_table(pandas.DataFrame({1: [1], "a": [2]}))
    with pytest.raises(DataError, match="Column 'a' is the first") as caught:
        read_table(pandas.DataFrame({"a": [1, SECRET]}))
    assert SECRET not in str(caught.value)


def test_arrays_of_numpy_and_nan_are_read() -> None:
    found = read_table({"x": np.array([1.5, np.nan]), "n": np.array([1, 2], np.int8), "s": np.array(["a", "?"])})
    assert found.to_pydict() == {"x": [1.5, None], "n": [1, 2], "s": ["a", None]}


def test_every_arrow_type_becomes_a_whole_number_a_finite_number_or_text() -> None:
    day = datetime.date(2024, 1, 31)
    cases: list[tuple[pa.Array, list[Any]]] = [
        (pa.array([1, None], pa.uint8()), [1, None]),
        (pa.array([2**53, -(2**53)], pa.int64()), [2**53, -(2**53)]),
        (pa.array([2**53 + 1, 1], pa.int64()), ["9007199254740993", "1"]),
        (pa.array([2**64 - 1, None], pa.uint64()), ["18446744073709551615", None]),
        (pa.array([1.5, None], pa.float32()), [1.5, None]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([day, None]), ["2024-01-31", None]),
        (pa.array(["x", None], pa.large_string()), ["x", None]),
        (pa.array(["x", "x"]).dictionary_encode(), ["x", "x"]),
        (pa.array([None, None]), [None, None]),
        (pa.array([decimal.Decimal("1.50"), None]), [1.5, None]),
        (pa.array([decimal.Decimal(12), None]), [12, None]),
    ]
    for array, expected in cases:
        column = read_table(pa.table({"x": array})).column("x")
        assert column.to_pylist() == expected
        assert column.type in (pa.int64(), pa.float64(), pa.string())


@pytest.mark.parametrize("array", [pa.array([[1], [2]]), pa.array([{"a": 1}, {"a": 2}]), pa.array([b"x", b"y"])])
def test_a_column_that_is_not_one_value_a_row_is_refused_by_name(array: pa.Array) -> None:
    with pytest.raises(DataError, match="column 'x' has the Arrow type"):
        read_table(pa.table({"x": array}))


def test_an_infinite_number_is_refused_with_its_row() -> None:
    with pytest.raises(DataError, match=r"column 'x' holds an infinite number in row 2 "):
        read_table({"x": [1.0, float("inf")]})


def test_declared_kinds_are_followed() -> None:
    source = {"code": [1, 2], "score": ["1.5", "x"], "half": [1.0, 2.5]}
    kinds = {"code": Kind.CATEGORICAL, "half": Kind.TEXT}
    assert read_table(source, kinds=kinds).to_pydict() == {"code": ["1", "2"], "score": ["1.5", "x"], "half": ["1", "2.5"]}
    with pytest.raises(DataError, match="row 2 "):
        read_table(source, kinds={"score": Kind.NUMERIC})
    assert read_table({"score": ["1.5", "2"]}).to_pydict() == {"score": ["1.5", "2"]}  # text of a data frame is not guessed at


def test_numbers_become_text_each_by_itself() -> None:
    """As whole numbers print, whatever else is in the column: pandas turns them into floats where one is missing."""
    floats = [1.0, -0.0, 5.5e15, float(2**53), 0.1, 1e300, None]
    texts = ["1", "0", "5500000000000000", "9007199254740992", "0.1", "1e+300", None]
    assert read_table({"x": floats}, kinds={"x": Kind.TEXT}).column("x").to_pylist() == texts
    assert read_table({"x": [5_500_000_000_000_000]}, kinds={"x": Kind.TEXT}).column("x").to_pylist() == texts[2:3]


def test_numbers_that_stand_for_missing_count_in_numeric_columns() -> None:
    found = read_table({"n": [-9, 1], "x": [-9.0, 0.5], "s": ["-9", "a"]}, missing=("-9", "word", "1.5"))
    assert found.to_pydict() == {"n": [None, 1], "x": [None, 0.5], "s": [None, "a"]}


@pytest.mark.parametrize("source", [{"a": []}, {}, pa.table({"a": pa.array([], pa.string())})])
def test_a_table_without_rows_or_columns_is_refused(source: Any) -> None:
    with pytest.raises(DataError, match="an empty table"):
        read_table(source)


def test_repeated_names_ragged_columns_and_strangers_are_refused() -> None:
    with pytest.raises(DataError, match="columns 1 and 2"):
        read_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))
    with pytest.raises(DataError, match="same length"):
        read_table({"a": [1, 2], "b": [1]})
    with pytest.raises(DataError) as caught:
        read_table({"a": [1, SECRET]})
    assert SECRET not in str(caught.value)
    with pytest.raises(DataError, match="cannot be read from a list"):
        read_table([1, 2])


@pytest.mark.parametrize("name", ["t.parquet", "t.feather"])
def test_a_damaged_binary_file_is_refused(tmp_path: Path, name: str) -> None:
    _sources(tmp_path)
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(DataError, match="or a damaged one"):
        read_table(file)


@pytest.mark.parametrize("option", [{"encoding": "utf-8"}, {"delimiter": ","}])
def test_settings_of_text_files_are_refused_where_they_would_be_ignored(tmp_path: Path, option: dict[str, Any]) -> None:
    for source in _sources(tmp_path):
        with pytest.raises(ConfigError, match="belong to text files"):
            read_table(source, **option)
