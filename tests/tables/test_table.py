"""A table fits its schema, or does not exist."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.tables import Bounds, Column, Encoding, Kind, LabelRule, Role, Schema, Table, read_table

SCHEMA = Schema.of(
    [
        Column(name="name", role=Role.IDENTIFIER, kind=Kind.TEXT),
        Column(name="age", role=Role.QUASI, kind=Kind.NUMERIC),
        Column(name="work", role=Role.FEATURE, kind=Kind.CATEGORICAL),
        Column(name="junk", role=Role.IGNORE, kind=Kind.NUMERIC),
    ]
)
DATA = pa.table(
    {"junk": ["x", "y", "z"], "work": ["a", None, "b"], "age": [30, 40, None], "name": ["Ann", "Bo", "Cy"], "more": [1, 2, 3]}
)


def _table() -> Table:
    return Table.from_arrow(DATA, SCHEMA)


def test_columns_come_in_the_order_of_the_schema_without_what_it_ignores_or_lacks() -> None:
    table = _table()
    assert table.data.column_names == table.schema.names() == ["name", "age", "work"]
    assert table.n_rows == 3
    assert table.column("age").to_pylist() == [30, 40, None]


def test_a_column_the_study_names_that_the_table_lacks_is_refused_with_the_right_name() -> None:
    for role in (Role.FEATURE, Role.IGNORE):
        schema = Schema.of([Column(name="wrok", role=role, kind=Kind.TEXT)])
        with pytest.raises(DataError, match=r"names column 'wrok', which the table lacks\. Did you mean 'work'"):
            Table.from_arrow(DATA, schema)


def test_values_become_what_their_kind_says() -> None:
    data = pa.table({"name": [7, 8, 9], "age": ["30", "007", None], "work": [1.0, 2.5, float("nan")], "junk": [1, 2, 3]})
    assert Table.from_arrow(data, SCHEMA).data.to_pydict() == {
        "name": ["7", "8", "9"],
        "age": [30, 7, None],
        "work": ["1", "2.5", None],
    }


def test_text_declared_numeric_is_refused_with_its_row() -> None:
    data = DATA.set_column(2, "age", pa.array(["30", "forty", None]))
    with pytest.raises(DataError, match=r"column 'age' is declared numeric, but row 2 ") as caught:
        Table.from_arrow(data, SCHEMA)
    assert "forty" not in str(caught.value)


def test_a_table_cannot_be_made_of_data_that_do_not_fit() -> None:
    table = _table()
    with pytest.raises(ConfigError, match="in the same order"):
        Table(table.data.select(["age", "name", "work"]), table.schema)
    with pytest.raises(ConfigError, match="column 'age' is numeric, but its data are string"):
        Table(table.data.set_column(1, "age", pa.array(["1", "2", "3"])), table.schema)
    with pytest.raises(ConfigError, match="column 'work' is categorical, but its data are int64"):
        Table(table.data.set_column(2, "work", pa.array([1, 2, 3])), table.schema)
    with pytest.raises(ConfigError, match="column 'work' is categorical, but its data are bool"):
        Table(table.data.set_column(2, "work", pa.array([True, False, True])), table.schema)


def test_columns_and_rows_can_be_chosen() -> None:
    table = _table()
    assert table.select(["work", "name"]).schema.names() == ["work", "name"]
    assert table.select_roles(Role.QUASI, Role.IDENTIFIER).schema.names() == ["name", "age"]
    assert table.drop(["name"]).schema.names() == ["age", "work"]
    assert table.filter(np.array([True, False, True])).column("name").to_pylist() == ["Ann", "Cy"]
    for use in (table.select, table.drop):
        with pytest.raises(ConfigError, match="Did you mean 'name'"):
            use(["nmae"])
    with pytest.raises(ConfigError, match="no column 'colour'"):
        table.column("colour")


@pytest.mark.parametrize("keep", [[True], [1, 0, 1], [[True, False, True]]])
def test_rows_are_chosen_by_one_truth_value_each(keep: list[object]) -> None:
    with pytest.raises(ShapeError, match=r"keep must have shape \(3,\)"):
        _table().filter(keep)  # type: ignore[arg-type]


def test_the_fingerprint_does_not_depend_on_chunks_slices_or_what_lies_under_a_null() -> None:
    table = _table()
    pieces = pa.concat_tables([DATA.slice(0, 1), DATA.slice(1, 0), DATA.slice(1, 2)])
    longer = pa.concat_tables([DATA, DATA]).slice(3)
    under = DATA.set_column(2, "age", pa.array([30, 40, 99], mask=np.array([False, False, True])))
    for same in (pieces, longer, under, DATA.combine_chunks()):
        assert Table.from_arrow(same, SCHEMA).fingerprint == table.fingerprint
    assert len(table.fingerprint) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.set_column(2, "age", pa.array([30, 41, None])),
        lambda table: table.set_column(2, "age", pa.array([30, 40, 0])),
        lambda table: table.set_column(2, "age", pa.array([30.0, 40.0, None])),
        lambda table: table.set_column(1, "work", pa.array(["a", "", "b"])),
        lambda table: table.set_column(3, "name", pa.array(["An", "nBo", "Cy"])),
        lambda table: table.slice(0, 2),
        lambda table: table.take([1, 0, 2]),
    ],
)
def test_the_fingerprint_changes_with_any_value_type_or_order(change: Callable[[pa.Table], pa.Table]) -> None:
    assert Table.from_arrow(change(DATA), SCHEMA).fingerprint != _table().fingerprint


def test_the_fingerprint_changes_with_the_schema() -> None:
    bounded = Column(name="age", role=Role.QUASI, kind=Kind.NUMERIC, bounds=Bounds(low=0, high=100))
    schema = Schema({**SCHEMA.columns, "age": bounded})
    assert Table.from_arrow(DATA, schema).fingerprint != _table().fingerprint


def test_minus_zero_and_zero_have_one_fingerprint() -> None:
    schema = Schema.of([Column(name="x", role=Role.FEATURE, kind=Kind.NUMERIC)])
    one, other = (Table.from_arrow(pa.table({"x": [zero]}), schema).fingerprint for zero in (0.0, -0.0))
    assert one == other


def test_what_a_row_says_does_not_depend_on_how_other_rows_are_written(tmp_path: Path) -> None:
    """Without kinds "1.50" would be the category "1.5" in one file and "1.50" in its neighbour."""
    schema = Schema.of([Column(name="code", role=Role.FEATURE, kind=Kind.CATEGORICAL)])
    for second in ("2.0", "x", ""):
        file = tmp_path / "t.csv"
        file.write_text(f"code,n\n1.50,1\n{second},2\n")
        assert Table.read(file, schema).column("code")[0].as_py() == "1.50"
    file.write_text("code\n1.50\n2.0\n")
    with pytest.raises(DataError, match=r"column 'code' is declared categorical, but was read as numbers"):
        Table.from_arrow(read_table(file), schema)
    file.write_text("code\n1\n2\n")  # whole numbers keep their text
    assert Table.from_arrow(read_table(file), schema).column("code").to_pylist() == ["1", "2"]


def test_reading_passes_its_settings_on(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes("wörk;age\n-1;2,5\n".encode("cp1252"))
    schema = Schema.of([Column(name="wörk", role=Role.FEATURE, kind=Kind.NUMERIC)])
    for missing, expected in (((), -1), (("-1",), None)):
        table = Table.read(file, schema, missing=missing, encoding="cp1252", delimiter=";")
        assert table.column("wörk").to_pylist() == [expected]
    with pytest.raises(DataError, match="is not UTF-8"):
        Table.read(file, schema, delimiter=";")
    with pytest.raises(DataError):
        Table.read(file, schema, delimiter=",", encoding="cp1252")


def test_an_ignored_column_is_not_held_to_its_kind() -> None:
    assert "junk" not in Table.read(DATA, SCHEMA).schema


def test_a_table_without_rows_is_still_a_table() -> None:
    none = _table().filter(np.zeros(3, bool))
    assert none.n_rows == 0
    assert none.fingerprint != _table().fingerprint
    column = Column(name="age", role=Role.QUASI, kind=Kind.NUMERIC, bounds=Bounds(low=0, high=100))
    assert Encoding((column,)).encode(none).shape == (0, 2)
    with pytest.raises(DataError, match=r"the classes \[\]"):
        LabelRule(column="work", classes=("a", "b")).labels(none)
