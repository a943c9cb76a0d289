"""The check of a written file: the file itself is counted again, by a query of its own, and the verifier has the last word.

Four things must hold, or nothing is released:
- Every distinct tuple of the original becomes what its hierarchy says, by the verifier's own reading of the hierarchies.
- The file holds exactly these tuples, each in as many rows as the original has: no row more, none less.
- At most the allowed rows are left out.
- Every privacy model holds: k-anonymity by counting the file's classes; all others by the verifier's definitions, on rows
  made again from the counts in the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tacit.anonymize.verify import Recoding, Verification, covered_domains, verify_release

_ROWS = "number of rows"


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What a file is meant to be.

    quasi, sensitive -- column names. require -- privacy models in their JSON form. suppression_limit -- share of rows.
    hierarchies, levels -- per quasi-identifier its JSON form and level.
    original  -- the distinct tuples of quasi-identifiers and sensitive columns, one row each, t in all.
    read      -- the same at the levels, numbers as numbers. released -- as the file holds them.
    rows      -- shape (t,): rows of each tuple. kept -- shape (t,): whether they are released.
    """

    quasi: tuple[str, ...]
    sensitive: tuple[str, ...]
    require: tuple[Mapping[str, Any], ...]
    suppression_limit: float
    hierarchies: Mapping[str, Mapping[str, Any]]
    levels: Mapping[str, int]
    original: pa.Table
    read: pa.Table
    released: pa.Table
    rows: NDArray[np.int64]
    kept: NDArray[np.bool_]


def check_file(file: Path, promise: Promise, *, scratch: Path, memory_limit: int | None, threads: int | None) -> Verification:
    """Return what is wrong with a written file; it must not be released with a problem."""
    limits: dict[str, Any] = {"temp_directory": str(scratch)}
    limits |= {} if memory_limit is None else {"memory_limit": f"{memory_limit}B"}
    limits |= {} if threads is None else {"threads": threads}
    counts = _counted(file, (*promise.quasi, *promise.sensitive), limits)
    problems = [*_recoding_problems(promise), *_type_problems(file, promise)]
    problems += [] if problems else [*_count_problems(counts, promise), *_suppression_problems(counts, promise)]
    checks = ["the recoding of every distinct tuple", "the file's rows against the original's", "suppression limit"]
    for model in promise.require:
        if model.get("model") == "k-anonymity":
            problems += _small_classes(counts, promise.quasi, model)
            checks.append("k-anonymity")
    others = [model for model in promise.require if model.get("model") != "k-anonymity"]
    if others and not problems:
        found = _verify_rows(counts, promise, others)
        problems += found.problems
        checks += [str(model.get("model")) for model in others]
    return Verification(checks=tuple(checks), problems=tuple(problems))


def _counted(file: Path, names: Sequence[str], limits: Mapping[str, Any]) -> pa.Table:
    """Return how many rows of the file hold each combination of values of these columns."""
    import duckdb

    columns = ", ".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in names)
    query = f'SELECT {columns}, count(*) AS "{_ROWS}" FROM read_parquet(?) GROUP BY {columns}'
    with duckdb.connect(config=dict(limits)) as connection:
        return connection.execute(query, [str(file)]).to_arrow_table()


def _recoding_problems(promise: Promise) -> list[str]:
    """Every kept tuple, taken once, is what the verifier makes of the original tuple."""
    found = verify_release(
        promise.read.filter(pa.array(promise.kept)),
        quasi=promise.quasi,
        require=[{"model": "k-anonymity", "k": 1}],
        original_rows=int(promise.kept.sum()),
        suppression_limit=0.0,
        recoding=Recoding(
            original=promise.original.filter(pa.array(promise.kept)), hierarchies=promise.hierarchies, levels=promise.levels
        ),
    )
    return list(found.problems)


def _type_problems(file: Path, promise: Promise) -> list[str]:
    schema, names = pq.read_schema(file), [*promise.quasi, *promise.sensitive]
    other = [name for name in names if schema.field(name).type != promise.released.schema.field(name).type]
    return [f"the file's columns {other} have other types than its levels give"] if other else []


def _count_problems(counts: pa.Table, promise: Promise) -> list[str]:
    """The combinations of the file, in the types it has: the database counts an instant, say, by a time zone of its own."""
    names = [*promise.quasi, *promise.sensitive]
    expected = promise.released.select(names).append_column(_ROWS, pa.array(-promise.rows)).filter(pa.array(promise.kept))
    both = pa.concat_tables([counts.cast(expected.schema), expected])
    balance = both.rename_columns([str(i) for i in range(both.num_columns)])
    keys = [str(i) for i in range(len(names))]
    left = balance.group_by(keys).aggregate([(str(len(names)), "sum")]).column(f"{len(names)}_sum")
    wrong = int(pc.sum(pc.not_equal(left, 0)).as_py() or 0)
    return [f"{wrong} combinations of values have other numbers of rows in the file than in the original"] if wrong else []


def _suppression_problems(counts: pa.Table, promise: Promise) -> list[str]:
    left, rows = int(pc.sum(counts.column(_ROWS)).as_py() or 0), int(promise.rows.sum())
    most = int(Fraction(str(promise.suppression_limit)) * rows)
    return [] if 0 <= rows - left <= most else [f"{rows - left} of {rows} rows are left out, where {most} may be"]


def _small_classes(counts: pa.Table, quasi: Sequence[str], model: Mapping[str, Any]) -> list[str]:
    """k-anonymity (Sweeney 2002, Definition 3): each sequence of quasi-identifier values occurs at least k times."""
    if not isinstance(model.get("k"), int):
        return [f"the requirement {dict(model)} is not one this check knows"]
    names = [str(i) for i in range(len(quasi))]
    plain = counts.select([*quasi, _ROWS]).rename_columns([*names, "n"])
    sizes = plain.group_by(names).aggregate([("n", "sum")]).column("n_sum")
    small = int(pc.sum(pc.less(sizes, model["k"])).as_py() or 0)
    return [f"{small} of {len(sizes)} classes have fewer than {model['k']} rows"] if small else []


def _verify_rows(counts: pa.Table, promise: Promise, require: Sequence[Mapping[str, Any]]) -> Verification:
    """Have the verifier look at rows made again from the counts in the file, beside all rows of the original.

    Quasi-identifiers stand there as numbers, equal where their released values are equal: models ask no more of them, but for
    the share of its domain that a value covers, which is taken from the distinct ones.
    """
    recoding = Recoding(original=promise.original, hierarchies=promise.hierarchies, levels=promise.levels)
    asked = any(model.get("model") == "profitability" for model in require)
    released_rows = np.asarray(counts.column(_ROWS)).astype(np.int64)
    released, original = {}, {}
    for name in (*promise.quasi, *promise.sensitive):
        other = promise.released.column(name).combine_chunks()
        column = counts.column(name).combine_chunks().cast(other.type)
        if name in promise.quasi:
            together = pa.concat_arrays([column, other]).dictionary_encode(null_encoding="encode").indices
            column, other = together.slice(0, len(column)), together.slice(len(column))
        released[name], original[name] = _repeat(column, released_rows), _repeat(other, promise.rows)
    return verify_release(
        pa.table(released),
        quasi=promise.quasi,
        require=require,
        original_rows=int(promise.rows.sum()),
        suppression_limit=promise.suppression_limit,
        original=pa.table(original),
        domains=covered_domains(counts.select(promise.quasi), promise.quasi, recoding) if asked else None,
    )


def _repeat(column: pa.Array, times: NDArray[np.int64]) -> pa.Array:
    return column.take(pa.array(np.repeat(np.arange(len(times)), times)))
