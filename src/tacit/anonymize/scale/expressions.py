"""The three questions asked of a database, each one Ibis expression that means the same on DuckDB, PostgreSQL and Spark.

- `count_values`: rows, missing and distinct values of each column (a profile).
- `count_tuples`: the distinct tuples with their number of rows; all that the search needs to know.
- `release_rows`: every row that is released, at its levels.

Columns are "c0", "c1", ... inside: what a column is called never meets what a join needs to call its own.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa

from tacit.anonymize.hierarchies import ANY
from tacit.errors import MissingExtra
from tacit.tables.values import MISSING

_BATCH = 1 << 17

ROWS = "rows"
"""The column of `count_tuples` that holds how many rows a tuple has."""


@dataclass(frozen=True, kw_only=True)
class Recode:
    """What becomes of one quasi-identifier.

    values  -- shape (d,): the distinct raw values, missing not counted, as the database holds them.
    ranks   -- shape (d,): rank of each value's released value among all of this column, from 0; equal ranks are equal values.
    missing -- the rank of a missing value; None when the column has none.
    labels  -- shape (d,): the released text of each value; None: the raw value stays.
    """

    values: pa.Array
    ranks: pa.Array
    missing: int | None
    labels: pa.Array | None


def plain_rows(table: Any, names: Sequence[str], *, text: bool) -> Any:
    """Return the named columns as "c0", "c1", ... with missing values as null.

    NaN is missing, -0.0 is 0.0. text -- whether all columns are text as written in a file: then spaces around values are dropped and the texts
    that `read_table` takes for missing are missing.
    """
    ibis, columns = load_ibis(), {}
    for i, name in enumerate(names):
        column = table[name]
        if text:
            column = column.strip()
            column = column.isin(MISSING).ifelse(ibis.null(column.type()), column)
        elif column.type().is_floating():
            column = column.isnan().ifelse(ibis.null(column.type()), column)
            column = (column == 0).ifelse(ibis.literal(0.0, column.type()), column)
        columns[f"c{i}"] = column
    return table.select(**columns)


def count_values(rows: Any) -> Any:
    """Return one row: "rows", and for each column "missing<i>" and "distinct<i>" (missing not counted)."""
    counts = {ROWS: rows.count()}
    for name in rows.columns:
        counts[f"missing{name[1:]}"] = rows[name].isnull().sum()
        counts[f"distinct{name[1:]}"] = rows[name].nunique()
    return rows.aggregate(**counts)


def count_tuples(rows: Any, width: int) -> Any:
    """Return the distinct tuples of the first `width` columns with their number of rows; missing equals missing only."""
    return rows.group_by([f"c{i}" for i in range(width)]).aggregate(**{ROWS: rows.count()})


def release_rows(rows: Any, recodes: Sequence[Recode | None], kept: pa.Table) -> Any:
    """Return the rows of the kept classes, recoded, in an order that follows from the released values alone.

    recodes -- for each of the first columns what becomes of it; None: "*". The other columns stay as they are.
    kept    -- the ranks of the kept classes: columns "k<i>", int64, for each column that is not "*".
    A row whose class is not among the kept ones is left out, and so is one whose value was not there when values were counted.
    """
    ibis, joined, released = load_ibis(), rows, {}
    for i, recode in enumerate(recodes):
        if recode is None:
            released[f"c{i}"] = ibis.literal(ANY)
            continue
        columns = {f"v{i}": recode.values, f"r{i}": recode.ranks}
        if recode.labels is not None:
            columns[f"l{i}"] = recode.labels
        meaning = ibis.memtable(pa.table(columns))
        joined = joined.left_join(meaning, joined[f"c{i}"] == meaning[f"v{i}"])
        released[f"c{i}"] = joined[f"c{i}" if recode.labels is None else f"l{i}"]
    for i, recode in enumerate(recodes):
        if recode is not None:
            rank = joined[f"r{i}"]
            released[f"r{i}"] = rank if recode.missing is None else joined[f"c{i}"].isnull().ifelse(recode.missing, rank)
    stay = [f"c{i}" for i in range(len(recodes), len(rows.columns))]
    chosen = joined.select(
        **{name: value.name(name) for name, value in released.items()}, **{name: joined[name] for name in stay}
    )
    if kept.num_columns:
        classes = ibis.memtable(kept)
        chosen = chosen.view()  # the joins before end here: Ibis would take the next one for a link of their chain
        chosen = chosen.semi_join(classes, [(f"r{name[1:]}", name) for name in kept.column_names])
    order = [chosen[f"r{name[1:]}"] for name in kept.column_names] + [_bytewise(chosen[name]) for name in stay]
    ordered = chosen.order_by([one.asc(nulls_first=False) for one in order]) if order else chosen
    return ordered.select([f"c{i}" for i in range(len(rows.columns))])


def stream(expression: Any) -> pa.RecordBatchReader:
    """Return the rows of an expression piece by piece, as the database finds them; Spark alone hands over all at once."""
    reader = expression.to_pyarrow_batches(chunk_size=_BATCH)
    return pa.RecordBatchReader.from_batches(reader.schema, _quietly(reader))


def _quietly(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Ibis 12 calls DuckDB by a name that 1.5 tells it to leave
            batch = next(reader, None)
        if batch is None:
            return
        yield batch


def load_ibis() -> Any:
    """Return the module ibis. Raises MissingExtra where it, or DuckDB, with which every file is checked, is not installed."""
    try:
        import duckdb  # noqa: F401
        import ibis
    except ImportError:
        raise MissingExtra(
            "anonymizing a file needs Ibis and DuckDB, which are not installed: rows are counted and recoded in a database, so that "
            "they need not fit into memory. Run: pip install 'tacit[anonymize]'. Tables in memory need neither: anonymize()."
        ) from None
    return ibis


@cache
def _convert_to() -> Any:
    """Return PostgreSQL's function of this name: a text as bytes."""

    def convert_to(text: str, encoding: str) -> bytes:
        raise NotImplementedError  # the database has it

    return load_ibis().udf.scalar.builtin(convert_to)


def _bytewise(column: Any) -> Any:
    """Return what orders a column the same everywhere: PostgreSQL alone orders text by the database's language."""
    postgres = column.type().is_string() and column.get_backend().name == "postgres"
    return _convert_to()(column, "UTF8") if postgres else column
