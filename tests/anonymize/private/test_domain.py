"""Codes from declared values alone: every value has one, and decoding a code gives a value of that code."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from anonymize.private.conftest import COLUMNS, SCHEMA
from tacit.anonymize.private.domain import Attribute, Bins, Domain
from tacit.errors import ConfigError, DataError
from tacit.noise.source import SeededSource
from tacit.tables import Bounds, Column, Kind, Role, Schema, Table


def chunked(values: Sequence[object], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def test_every_value_has_a_code() -> None:
    age = Attribute(name="age", edges=(0, 18, 65, 100))
    values = [-1e300, 0.0, 17.9, 18.0, 65.0, 100.0, 1e300, float("inf"), None, float("nan")]
    assert age.encode(chunked(values, pa.float64())).tolist() == [0, 0, 0, 1, 2, 2, 2, 2, 3, 3]
    sex = Attribute(name="sex", categories=("f", "m"))
    assert sex.encode(chunked(["m", "f", "x", None], pa.string())).tolist() == [1, 0, 2, 2]
    assert (age.size, sex.size) == (4, 3)
    assert age.labels == ("[0, 18)", "[18, 65)", "[65, 100]", None)
    assert sex.labels == ("f", "m", None)


@pytest.mark.parametrize(
    "attribute",
    [
        Attribute(name="a", edges=(0, 18, 65, 100)),
        Attribute(name="a", edges=(0, 1, 2, 10), whole=True),
        Attribute(name="a", edges=(-2.5, 0.5, 3.5), whole=True),
        Attribute(name="a", categories=("x", "y")),
    ],
    ids=str,
)
def test_a_decoded_code_is_a_value_of_that_code(attribute: Attribute) -> None:
    codes = np.repeat(np.arange(attribute.size), 300)
    values = attribute.decode(codes, SeededSource(1))
    assert attribute.encode(pa.chunked_array([values])).tolist() == codes.tolist()
    assert values.null_count == 300
    if attribute.whole:
        assert pa.types.is_int64(values.type)


def test_every_whole_number_of_a_bin_comes_up() -> None:
    """Fails by chance with probability <= 8 * (7/8)^400 < 1e-21."""
    values = Attribute(name="a", edges=(0, 8, 15), whole=True).decode(np.repeat([0, 1], 400), SeededSource(1))
    assert set(values.to_pylist()) == set(range(16))


def test_a_rows_codes_depend_on_that_row_alone(table: Table, domain: Domain) -> None:
    codes = domain.encode(table)
    keep = np.arange(table.n_rows) != 7
    assert np.array_equal(domain.encode(table.filter(keep)), codes[keep])
    assert domain.sizes == (5, 3, 3, 4)
    assert (codes < domain.sizes).all()


def test_rows_come_back_as_a_table(domain: Domain) -> None:
    codes = np.array([[0, 0, 1, 3], [4, 2, 2, 0]])
    table = domain.decode(codes, SeededSource(0))
    assert table.column_names == COLUMNS
    assert table.column("town").to_pylist() == [None, "a"]
    assert table.column("age").to_pylist()[1] is None
    assert domain.attributes[0].to_json() == {"name": "age", "edges": [0.0, 18.0, 40.0, 65.0, 100.0], "whole": True}


def test_equal_bins_are_cut_between_declared_bounds() -> None:
    named = Domain.of(SCHEMA, ["age", "sex"], bins={"age": 4})
    assert named.attributes[0].edges == (0.0, 25.0, 50.0, 75.0, 100.0)
    assert Domain.of(SCHEMA, ["age"], bins=4).attributes == named.attributes[:1]
    assert Domain.of(SCHEMA, ["age"]).sizes == (17,)


@pytest.mark.parametrize(
    ("column", "match"), [("pay", "no declared bounds"), ("note", "text"), ("name", "identifier"), ("agge", "Did you mean")]
)
def test_what_is_not_declared_is_refused(column: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        Domain.of(SCHEMA, [column])
    bare = Schema.of([Column(name="c", role=Role.FEATURE, kind=Kind.CATEGORICAL)])
    with pytest.raises(ConfigError, match="no declared categories"):
        Domain.of(bare, ["c"])


@pytest.mark.parametrize("bins", [0, -1, True, [1.0], [3.0, 2.0], [0.0, np.inf], [0.0, np.nan], 10_001])
def test_bins_that_are_none_are_refused(bins: Bins) -> None:
    with pytest.raises(ConfigError):
        Domain.of(SCHEMA, ["age"], bins=bins)


def test_names_that_are_not_used_are_refused(domain: Domain) -> None:
    with pytest.raises(ConfigError, match="not among the columns"):
        Domain.of(SCHEMA, ["sex"], bins={"age": 3})
    with pytest.raises(ConfigError, match="not among the columns"):
        Domain.of(SCHEMA, ["sex"], whole=["age"])
    with pytest.raises(ConfigError, match="whole numbers"):
        Domain.of(SCHEMA, ["sex"], whole=["sex"])
    for columns in ([], ["sex", "sex"]):
        with pytest.raises(ConfigError, match="different names"):
            Domain.of(SCHEMA, columns)
    for names in ([], ["sex", "sex"], ["sez"]):
        with pytest.raises(ConfigError):
            domain.places(names)
    with pytest.raises(ConfigError, match="either categories or bins"):
        Attribute(name="a")


def test_a_table_of_another_kind_is_refused() -> None:
    numbers = Schema.of([Column(name="sex", role=Role.FEATURE, kind=Kind.NUMERIC, bounds=Bounds(low=0, high=1))])
    table = Table.from_arrow(pa.table({"sex": [0.5]}), numbers)
    with pytest.raises(DataError, match="no categorical column 'sex'"):
        Domain.of(SCHEMA, ["sex"]).encode(table)
