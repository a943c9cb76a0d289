"""Distinct tuples from a database are those that `anonymize` makes of the rows."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from anonymize.scale.people import QUASI, people
from tacit.anonymize.coding import code_sensitive, code_table, distinct_tuples
from tacit.anonymize.columns import get_column
from tacit.anonymize.hierarchies import automatic
from tacit.anonymize.scale.counted import BYTES_A_CELL, Counted, collect, weigh
from tacit.errors import DataError

NAMES = [*QUASI, "ill"]


def counted(table: pa.Table, names: list[str], pieces: int = 3) -> Counted:
    """Count by Arrow what a database would count, and hand it over in pieces."""
    rows = pa.table({name: get_column(table, name) for name in names}).group_by(names).aggregate([([], "count_all")])
    return collect(rows.select([*names, "count_all"]).to_batches(max_chunksize=-(-rows.num_rows // pieces)), names, None)


@pytest.mark.parametrize("seed", range(5))
def test_weighted_tuples_are_those_of_every_row_standing_there_as_often(seed: int) -> None:
    table = people(seed=seed)
    by_count = counted(table, NAMES)
    distinct = pa.table({name: by_count.column(name) for name in NAMES})
    every = distinct.take(np.repeat(np.arange(len(by_count.rows)), by_count.rows))
    mine = weigh(code_table(distinct, QUASI), code_sensitive(distinct, ["ill"]), by_count.rows)
    theirs = distinct_tuples(code_table(every, QUASI), sensitive=code_sensitive(every, ["ill"]))
    assert mine.rows == theirs.rows == table.num_rows
    for left, right in [(mine.weights, theirs.weights), *zip(mine.codes, theirs.codes, strict=True)]:
        assert np.array_equal(left, right)
    for field in ("tuple_of", "values", "counts", "totals"):
        assert np.array_equal(getattr(mine.sensitive["ill"], field), getattr(theirs.sensitive["ill"], field))
    assert np.array_equal(mine.weights, np.bincount(mine.of_row, weights=by_count.rows))


def test_the_order_in_which_a_database_answers_does_not_matter() -> None:
    one, other = counted(people(), NAMES, pieces=1), counted(people().take(np.arange(400)[::-1]), NAMES, pieces=7)
    assert all(np.array_equal(left, right) for left, right in zip(one.codes, other.codes, strict=True))
    assert np.array_equal(one.rows, other.rows)
    assert [left.equals(right) for left, right in zip(one.values, other.values, strict=True)] == [True] * 4


@pytest.mark.parametrize("name", ["age", "home [town]", "note", "ill"])
def test_a_short_column_gets_the_automatic_hierarchy_of_the_whole(name: str) -> None:
    table = people(rows=3000)
    short = counted(table, [name]).repeated(name)
    assert automatic(short).to_json() == automatic(table.column(name)).to_json()
    assert len(short) < table.num_rows


def test_an_answer_without_rows_is_an_empty_table() -> None:
    with pytest.raises(DataError, match="no rows"):
        collect([], ["age"], None)


def test_more_distinct_tuples_than_memory_holds_are_refused_while_they_come() -> None:
    batch = pa.record_batch({"age": np.arange(1000), "rows": np.ones(1000, dtype=np.int64)})

    def batches() -> Iterator[pa.RecordBatch]:
        yield batch
        yield batch.slice(0, 1)
        raise AssertionError("asked for more")

    with pytest.raises(DataError, match="more than 1,000 distinct tuples"):
        collect(batches(), ["age"], 1000 * BYTES_A_CELL)
    assert len(collect([batch], ["age"], 1000 * BYTES_A_CELL).rows) == 1000
