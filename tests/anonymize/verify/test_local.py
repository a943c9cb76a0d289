"""Local recodings: each released row against its own original row, through every way that releases are made, and spoiled."""

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import DateHierarchy, IntervalHierarchy, RedactionHierarchy, TreeHierarchy
from tacit.anonymize.local import CellSuppression, Microaggregation
from tacit.anonymize.privacy_models import KAnonymity
from tacit.anonymize.release import Anonymization, anonymize
from tacit.anonymize.verify import Recoding, Verification, verify_release

HIERARCHIES: dict[str, Any] = {
    "age": IntervalHierarchy(low=0, high=80, cuts=((20, 40, 60), (40,))),
    "job": TreeHierarchy(rows=(("a", "x", "*"), ("b", "x", "*"), ("c", "y", "*"), ("d", "y", "*"))),
    "post": RedactionHierarchy(length=3, redact=(1, 2)),
    "born": DateHierarchy(first="2000-01-01", last="2003-12-31", units=("month", "quarter", "year")),  # type: ignore[arg-type]
}
_R = random.Random(7)
TABLE = pa.table(
    {
        "age": [float(_R.randint(0, 80)) for _ in range(60)],
        "job": [_R.choice("abcd") for _ in range(60)],
        "post": [_R.choice(["101", "102", "110", "2"]) for _ in range(60)],
        "born": [f"200{_R.randint(0, 3)}-{_R.randint(1, 12):02d}-09" for _ in range(60)],
        "ill": [_R.choice(["flu", None]) for _ in range(60)],
    }
)


def missing_ages(table: pa.Table) -> pa.Table:
    ages = [None if row % 4 == 0 else age for row, age in enumerate(table.column("age").to_pylist())]
    return table.set_column(0, "age", pa.array(ages, pa.float64()))


def released(how: Any, data: pa.Table = TABLE, quasi: Any = ("age", "job")) -> Anonymization:
    return anonymize(
        data,
        quasi={name: HIERARCHIES[name] for name in quasi},
        require=[KAnonymity(3)],
        keep=["ill"],
        suppression_limit=0.1,
        recoding=how,
    )


def check(result: Anonymization, data: pa.Table = TABLE, **changed: Any) -> Verification:
    """Verify a release as the custodian would, with something changed."""
    names = list(result.levels)
    recoding = {
        "original": data,
        "hierarchies": {name: HIERARCHIES[name].to_json() for name in names},
        "origins": result.origins,
        **{key: value for key, value in changed.items() if key not in ("table", "k")},
    }
    return verify_release(
        changed.get("table", result.table),
        quasi=names,
        require=[{"model": "k-anonymity", "k": changed.get("k", 3)}],
        original_rows=data.num_rows,
        suppression_limit=0.1,
        recoding=Recoding(**recoding),
    )


def replaced(table: pa.Table, name: str, row: int, value: Any) -> pa.Table:
    values = table.column(name).to_pylist()
    values[row] = value
    place = table.column_names.index(name)
    return table.set_column(place, name, pa.array(values, table.schema.field(name).type))


WAYS: list[Any] = ["local", "mondrian", CellSuppression(limit=0.2), "full-domain"]


@pytest.mark.parametrize("how", WAYS, ids=str)
@pytest.mark.parametrize("quasi", [("age", "job"), ("post", "born"), ("age", "job", "post")], ids=str)
def test_every_way_of_recoding_covers_the_originals(how: Any, quasi: Any) -> None:
    for data in (TABLE, missing_ages(TABLE)):
        result = released(how, data, quasi)
        assert check(result, data).problems == ()
        assert check(result, data, origins=None).problems == (
            "the original row of each released row is not at hand, so a local recoding cannot be confirmed",
        )


@pytest.mark.parametrize("how", ["local", "mondrian"])
def test_one_cell_that_covers_another_value_is_caught(how: Any) -> None:
    result = released(how, missing_ages(TABLE))
    ages = result.table.column("age").to_pylist()
    originals = [missing_ages(TABLE).column("age")[int(row)].as_py() for row in result.origins]
    row = next(i for i, age in enumerate(ages) if age not in (None, "*") and originals[i] > 0)
    lone = next(i for i, age in enumerate(ages) if age is None)
    for place, value in ((row, "[0, 0]"), (row, None), (row, "[20, 40"), (lone, "[0, 80]")):
        spoiled = replaced(result.table, "age", place, value)
        assert (
            "in 1 rows column 'age' does not cover the original value"
            in check(result, missing_ages(TABLE), table=spoiled).problems
        )
    assert check(result, missing_ages(TABLE), table=replaced(result.table, "age", lone, "*"), k=1).problems == ()


def test_origins_must_be_rows_and_different_ones() -> None:
    result = released("mondrian")
    again = result.origins.copy()
    again[0] = again[1]
    assert "1 released rows come from an original row that another one comes from" in check(result, origins=again).problems
    for wrong in (60, -1):
        outside = result.origins.copy()
        outside[0] = wrong
        assert "1 released rows come from no original row" in check(result, origins=outside).problems
    assert check(result, origins=result.origins[:-1]).problems == ("(59,) original row numbers were stated for 60 released rows",)
    assert check(result, origins=result.origins.astype(float)).problems != ()
    assert check(result, origins=np.roll(result.origins, 1)).problems != ()


def test_a_kept_value_changed_added_or_of_another_type_is_caught() -> None:
    result = released("mondrian")
    other = "flu" if result.table.column("ill")[0].as_py() is None else None
    assert check(result, table=replaced(result.table, "ill", 0, other)).problems == (
        "in 1 rows column 'ill' is not as in the original",
    )
    typed = result.table.set_column(result.table.column_names.index("ill"), "ill", pa.array([1] * 60))
    assert "column 'ill' is int64, where the original is string" in check(result, table=typed).problems
    added = pa.concat_tables([result.table, result.table.slice(0, 1)])
    assert "come from" in " ".join(check(result, table=added, origins=[*result.origins, result.origins[0]]).problems)


def test_the_mean_of_a_class_is_that_of_its_own_rows() -> None:
    result = released(Microaggregation(k=3))
    assert check(result, means=["age"]).problems == ()
    means = result.table.column("age").to_pylist()
    moved = pa.array([mean + 1e-3 for mean in means])
    assert "is not the mean of its class" in " ".join(
        check(result, means=["age"], table=result.table.set_column(0, "age", moved)).problems
    )
    assert "does not cover the original" in " ".join(check(result).problems)  # said to be no mean
    assert "not a mean of numbers" in " ".join(check(result, means=["age", "job"]).problems)
    assert "not a mean of numbers" in " ".join(check(result, missing_ages(TABLE), means=["age"]).problems)


def test_a_raw_number_in_place_of_a_mean_is_caught() -> None:
    result = released(Microaggregation(k=3))
    raw = TABLE.column("age").take(pa.array(result.origins))
    assert check(result, means=["age"], table=result.table.set_column(0, "age", raw)).problems != ()


def test_single_cells_are_counted_against_their_limit() -> None:
    levels = {"age": 1, "job": 1}
    data = pa.table({"age": [10.0, 15.0, 30.0, 35.0], "job": ["a", "b", "c", "a"], "ill": ["flu"] * 4})
    table = pa.table({"age": ["[0, 20)"] * 2 + ["[20, 40)"] * 2, "job": ["x", "x", "*", "*"], "ill": ["flu"] * 4})
    forms = {name: HIERARCHIES[name].to_json() for name in levels}

    def found(limit: float | None, table: pa.Table = table) -> tuple[str, ...]:
        recoding = Recoding(original=data, hierarchies=forms, levels=levels, origins=[0, 1, 2, 3], cell_limit=limit)
        return verify_release(
            table,
            quasi=list(levels),
            require=[{"model": "k-anonymity", "k": 2}],
            original_rows=4,
            suppression_limit=0,
            recoding=recoding,
        ).problems

    assert found(0.25) == ()  # 2 of 8
    assert found(0.24) == ('2 cells are "*" beyond their declared levels, where 1 may be',)
    assert found(None) == ('2 cells are "*" beyond their declared levels, where 0 may be',)
    coarse = table.set_column(0, "age", pa.array(["[0, 20)"] * 2 + ["[0, 40)"] * 2))
    assert found(0.25, coarse) == ("in 2 rows column 'age' is not the original value at its declared level",)


@pytest.mark.parametrize("stated", ["levels", "levels and origins", "origins"])
def test_a_row_outside_the_research_subset_is_caught(stated: str) -> None:
    """59 of the 60 rows are the subset; as many rows are released, in one case with the last one among them."""
    data = TABLE.append_column("number", pa.array(range(60)))
    forms = {name: HIERARCHIES[name].to_json() for name in ("age", "job")}
    top = pa.table({"age": ["*"] * 59, "job": ["*"] * 59})

    def found(rows: list[int]) -> tuple[str, ...]:
        recoding = Recoding(
            original=data,
            hierarchies=forms,
            levels={"age": 3, "job": 2} if "levels" in stated else None,
            origins=rows if "origins" in stated else None,
        )
        return verify_release(
            top.append_column("number", pa.array(rows)),
            quasi=["age", "job"],
            require=[{"model": "k-anonymity", "k": 3}],
            original_rows=59,
            suppression_limit=0,
            recoding=recoding,
            subset=[True] * 59 + [False],
        ).problems

    assert found(list(range(59))) == ()
    spoiled = found([*range(58), 59])
    assert len(spoiled) == 1
    assert ("column 'number' holds values" if stated == "levels" else "not of the research subset") in spoiled[0]
