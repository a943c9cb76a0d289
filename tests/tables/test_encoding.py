"""Declared row-wise maps from columns to features (SOUNDNESS 1 and 2)."""

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.errors import ConfigError, DataError
from tacit.tables import Bounds, Categories, Column, Encoding, Kind, Origin, Role, Schema, Table

AGE = Column(name="age", role=Role.QUASI, kind=Kind.NUMERIC, bounds=Bounds(low=20, high=60))
WORK = Column(name="work", role=Role.FEATURE, kind=Kind.CATEGORICAL, categories=Categories(values=("a", "b")))
BOTH = Encoding((AGE, WORK))


def _table(age: list[Any], work: list[Any]) -> Table:
    data = pa.table({"age": pa.array(age, pa.float64()), "work": pa.array(work, pa.string())})
    return Table.from_arrow(data, BOTH.schema)


def test_numbers_are_clipped_scaled_and_marked_when_missing() -> None:
    table = _table([20, 40, 60, -1e300, 1e300, None], ["a"] * 6)
    assert BOTH.encode(table)[:, :2].tolist() == [[-1, 0], [0, 0], [1, 0], [-1, 0], [1, 0], [0, 1]]


def test_categories_are_indicators_with_other_and_missing() -> None:
    table = _table([40] * 4, ["a", "b", "never declared", None])
    assert BOTH.encode(table)[:, 2:].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_names_and_dimension_agree_with_the_matrix() -> None:
    assert BOTH.names == ("age", "age:missing", "work=a", "work=b", "work:other", "work:missing")
    features = BOTH.encode(_table([30, 40], ["a", None]))
    assert features.shape == (2, BOTH.dimension)
    assert features.dtype == np.float64
    assert features.flags.c_contiguous


_ages = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
_works = st.one_of(
    st.none(), st.sampled_from(["a", "b", "c", "1.50"]), st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
)
_rows = st.tuples(_ages, _works)


@settings(deadline=None, max_examples=100)
@given(rows=st.lists(_rows, min_size=1, max_size=8), new=_rows, data=st.data())
def test_changing_one_row_changes_only_that_row_and_permuting_rows_permutes(
    rows: list[Any], new: Any, data: st.DataObject
) -> None:
    """Planted fault: scaling by the column's own mean or range makes other rows move."""
    before = BOTH.encode(_table(*map(list, zip(*rows, strict=True))))
    at = data.draw(st.integers(0, len(rows) - 1))
    after = BOTH.encode(_table(*map(list, zip(*[*rows[:at], new, *rows[at + 1 :]], strict=True))))
    others = np.arange(len(rows)) != at
    assert np.array_equal(before[others], after[others])
    order = data.draw(st.permutations(range(len(rows))))
    assert np.array_equal(BOTH.encode(_table(*map(list, zip(*[rows[place] for place in order], strict=True)))), before[order])
    assert np.abs(before).max() <= 1
    assert np.linalg.norm(before, axis=1).max() <= BOTH.norm_bound * (1 + 1e-12)


def test_reading_and_encoding_together_look_at_one_row_at_a_time() -> None:
    """From text to features: nothing another row says changes what this one means."""
    schema = Schema.of([AGE, WORK])
    first = {"age": "33.5", "work": "1.50"}
    declared = Encoding(
        (AGE, Column(name="work", role=Role.FEATURE, kind=Kind.CATEGORICAL, categories=Categories(values=("1.50",))))
    )
    found = []
    for age, work in (("40", "2"), ("1e2", "x"), ("?", "NA"), ("123456789012345678901", "1.5"), ("007", "true")):
        table = Table.read({"age": [first["age"], age], "work": [first["work"], work]}, schema)
        found.append(declared.encode(table)[0])
    assert all(np.array_equal(row, found[0]) for row in found)
    assert found[0].tolist() == [(33.5 - 20) / 40 * 2 - 1, 0, 1, 0, 0]


def test_the_norm_bound_is_reached() -> None:
    row = BOTH.encode(_table([60], ["b"]))[0]
    assert np.linalg.norm(row) == pytest.approx(BOTH.norm_bound)
    assert BOTH.norm_bound == math.sqrt(2)


def test_a_feature_without_declared_bounds_or_categories_is_refused_with_what_to_write() -> None:
    for kind, word in ((Kind.NUMERIC, "bounds"), (Kind.CATEGORICAL, "categories")):
        with pytest.raises(ConfigError, match=rf"feature 'x' is {kind} and has no declared {word}.*\[columns.x\], {word} = \["):
            Encoding((Column(name="x", role=Role.FEATURE, kind=kind),))


def test_text_and_columns_a_model_must_not_see_are_refused() -> None:
    with pytest.raises(ConfigError, match="free text"):
        Encoding((Column(name="x", role=Role.FEATURE, kind=Kind.TEXT),))
    for role in (Role.IDENTIFIER, Role.LABEL, Role.UNIT, Role.IGNORE):
        with pytest.raises(ConfigError, match=f"has role {role}"):
            Encoding((Column(name="x", role=role, kind=Kind.NUMERIC, bounds=AGE.bounds),))
    for role in (Role.QUASI, Role.SENSITIVE, Role.FEATURE):
        assert Encoding((Column(name="x", role=role, kind=Kind.NUMERIC, bounds=AGE.bounds),)).dimension == 2


def test_features_are_taken_from_the_schema_by_name_in_order() -> None:
    schema = Schema.of([AGE, WORK])
    assert Encoding.from_schema(schema, ["work", "age"]).columns == (WORK, AGE)
    with pytest.raises(ConfigError, match="Did you mean 'work'"):
        Encoding.from_schema(schema, ["wrok"])
    with pytest.raises(ConfigError, match="must be a list"):
        Encoding.from_schema(schema, "age")
    with pytest.raises(ConfigError, match="got none"):
        Encoding.from_schema(schema, [])


def test_two_features_of_one_name_are_refused() -> None:
    odd = Column(name="age:missing", role=Role.FEATURE, kind=Kind.NUMERIC, bounds=AGE.bounds)
    with pytest.raises(ConfigError, match="two features would be called 'age:missing'"):
        Encoding((AGE, odd))


def test_a_table_without_a_column_or_with_another_kind_is_refused() -> None:
    only = Table.from_arrow(pa.table({"agee": [1]}), Schema.of([Column(name="agee", role=Role.QUASI, kind=Kind.NUMERIC)]))
    with pytest.raises(DataError, match=r"lacks column 'age'.* Did you mean 'agee'"):
        BOTH.encode(only)
    text = Schema.of([Column(name="age", role=Role.QUASI, kind=Kind.TEXT)])
    with pytest.raises(DataError, match="is text in the table and numeric in the encoding"):
        BOTH.encode(Table.from_arrow(pa.table({"age": ["x"]}), text))


def test_rows_outside_the_declarations_are_counted_for_the_custodian() -> None:
    table = _table([10, 20, 60, 61, None], ["a", "c", "d", None, "b"])
    assert BOTH.outside(table) == {"age": 2, "work": 2}


def test_an_encoding_comes_back_from_its_json_form_and_no_other_is_read() -> None:
    origin = Origin.parse("public: census")
    known = Column(name="work", role=Role.FEATURE, kind=Kind.CATEGORICAL, categories=Categories(values=("a", "b"), origin=origin))
    encoding = Encoding((AGE, known))
    data = json.loads(json.dumps(encoding.to_json(), allow_nan=False))
    assert Encoding.from_json(data) == encoding
    unreadable: list[Any] = [{**data, "encoding": "row-wise 2"}, {**data, "more": 1}, {"columns": data["columns"]}, []]
    for wrong in [*unreadable, {**data, "columns": [{}]}, {**data, "columns": 3}, {**data, "columns": [5]}]:
        with pytest.raises(ConfigError):
            Encoding.from_json(wrong)


@pytest.mark.parametrize(("low", "high"), [(20, 61), (19, 60)])
def test_each_bound_changes_the_features(low: float, high: float) -> None:
    table = _table([35], ["a"])
    moved = Encoding((Column(name="age", role=Role.QUASI, kind=Kind.NUMERIC, bounds=Bounds(low=low, high=high)), WORK))
    assert not np.array_equal(moved.encode(table), BOTH.encode(table))
