"""Anonymize a table that need not fit into memory: a database counts and recodes, the search sees distinct tuples alone.

The release is a function of the whole table, as that of `anonymize`: never differential privacy.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn, Tuples, code_sensitive, code_table
from tacit.anonymize.columns import get_column
from tacit.anonymize.explain import impossible
from tacit.anonymize.figures import Figures, figures_of
from tacit.anonymize.hierarchies import Hierarchy
from tacit.anonymize.hierarchies.automatic import automatic_hierarchies
from tacit.anonymize.ledger_entry import check_book, record_release
from tacit.anonymize.manifest import describe_settings
from tacit.anonymize.outcome import Outcome, check_options, recode
from tacit.anonymize.privacy_models import PrivacyModel
from tacit.anonymize.request import Request, check_once, request_of
from tacit.anonymize.scale.check import Promise, check_file
from tacit.anonymize.scale.counted import Counted, collect, weigh
from tacit.anonymize.scale.expressions import count_tuples, plain_rows, release_rows, stream
from tacit.anonymize.scale.recoded import ColumnRecoding, kept_ranks, recode_columns, recoded_tuples
from tacit.anonymize.scale.record import FileAnonymization
from tacit.anonymize.scale.source import Origin, open_source
from tacit.anonymize.scale.writing import check_apart, check_target, ended_by_signals, file_digest, unfinished, write_parquet
from tacit.anonymize.search import Deadline, Metric, Progress, allowed_suppression
from tacit.anonymize.utility.loss import Loss
from tacit.anonymize.verify import Verification
from tacit.errors import ConfigError, DataError
from tacit.privacy.ledger import Ledger


def anonymize_file(
    source: Any,
    target: Path | str,
    *,
    quasi: Mapping[str, Hierarchy | None] | Sequence[str],
    require: Sequence[PrivacyModel],
    sensitive: Sequence[str] = (),
    keep: Sequence[str] = (),
    suppression_limit: float = 0.0,
    minimize: Metric | None = None,
    backend: Any = None,
    memory_limit: int | None = None,
    threads: int | None = None,
    time_limit: float | None = None,
    overwrite: bool = False,
    ledger: Ledger | None = None,
    budget: str | None = None,
    on_progress: Progress | None = None,
) -> FileAnonymization:
    """Write the table of least loss in which every class satisfies all the models; the full-domain release of `anonymize`.

    source       -- a .parquet or .csv file, or a folder of .parquet files; with `backend` a table's name there; or an Ibis table.
    target       -- the Parquet file to write. It appears complete and checked, or not at all.
    quasi        -- as of `anonymize`; a column whose hierarchy is None gets an automatic one too.
    backend      -- an Ibis connection (PostgreSQL, Spark, DuckDB); None: a DuckDB of its own that reads the file piece by piece.
    memory_limit -- bytes for that DuckDB, which puts what does not fit into a folder beside `target`, and for the search;
                    threads -- its threads. Each about everything the machine has when left out.
    overwrite    -- whether a file of that name may be replaced, and only by a release that is complete and checked.
    ledger       -- an open ledger in which the release is recorded as "not-dp", durably, before the file gets its name; with
                    budget -- the name of the data there. Neither: nothing is recorded. An entry stays whatever fails after it.
    The other parameters are those of `anonymize`.

    A text file is read as `read_table` reads it, except that released raw values, sensitive and kept columns stay text. Rows are in an order
    that follows from the released values alone. Never writes to `source`. SIGTERM leaves nothing behind, unless the program handles it.
    Raises as `anonymize` does; also DataError when the file cannot be read or has too many distinct tuples for the memory,
    ConfigError when `target` is taken, LedgerError when the ledger cannot be written, MissingExtra without Ibis.
    """
    check_options(minimize, time_limit)
    check_book(ledger, budget)
    given = _hierarchies(quasi, sensitive, keep)
    target, metric = Path(target), minimize if minimize is not None else Loss()
    check_target(target, overwrite=overwrite)
    released = (*sensitive, *dict.fromkeys(name for model in require for name in model.columns if name not in sensitive))
    with (
        ended_by_signals(),
        tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder,
        open_source(source, backend, scratch=Path(folder), memory_limit=memory_limit, threads=threads) as origin,
    ):
        check_apart(target, origin.files, origin.folder)
        counted = _count(origin, (*given, *released), memory_limit)
        read = counted.with_numbers(list(given)) if origin.text else counted.with_types(origin.types)
        request = _request(_as_table(read, origin, keep), read, given, require, released, keep, suppression_limit)
        found = _search(request, counted, read, metric, time_limit, on_progress)
        with unfinished(target, overwrite=overwrite) as draft:
            promise = _write(found, origin, draft)
            verification = check_file(draft, promise, scratch=Path(folder), memory_limit=memory_limit, threads=threads)
            verification.require()
            result = FileAnonymization(
                file=target,
                sha256=file_digest(draft),
                backend=origin.backend,
                tuples=len(found.tuples.weights),
                automatic={name: request.hierarchies[name] for name, hierarchy in given.items() if hierarchy is None},
                **vars(_figures(found, metric, verification)),
            )
            if ledger is not None and budget is not None:
                record_release(result, ledger=ledger, budget=budget)
    return result


def _hierarchies(
    quasi: Mapping[str, Hierarchy | None] | Sequence[str], sensitive: Sequence[str], keep: Sequence[str]
) -> dict[str, Hierarchy | None]:
    if isinstance(quasi, str) or isinstance(sensitive, str) or isinstance(keep, str):
        raise ConfigError("quasi, sensitive and keep are lists of column names, got a text. Write [name] for a single column.")
    check_once(list(quasi))
    return {name: quasi[name] if isinstance(quasi, Mapping) else None for name in quasi}


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A request and the recoding found for it. kept -- shape (t,): whether each of the t tuples counted is released."""

    request: Request
    settings: Mapping[str, Any]
    counted: Counted
    read: Counted
    coded: Sequence[CodedColumn]
    tuples: Tuples
    outcome: Outcome
    levels: Mapping[str, int]
    columns: Sequence[ColumnRecoding]
    kept: NDArray[np.bool_]


def _count(origin: Origin, names: Sequence[str], memory_limit: int | None) -> Counted:
    """Return the distinct tuples of these columns. Raises DataError for a column that is not there."""
    schema = pa.schema([(name, pa.null()) for name in origin.table.columns]).empty_table()
    for name in names:
        get_column(schema, name)
    if not names:
        raise ConfigError("name at least one quasi-identifier with its hierarchy; got none, so there is nothing to generalize.")
    expression = count_tuples(plain_rows(origin.table, names, text=origin.text), len(names))
    return collect(stream(expression), names, memory_limit)


def _as_table(read: Counted, origin: Origin, keep: Sequence[str]) -> pa.Table:
    """Return the distinct tuples as a table that a request can be about; of the columns to keep, the types alone."""
    names, types = [*read.names], origin.table.schema().to_pyarrow()
    columns: list[Any] = [read.column(name) for name in names]
    for name in keep:
        if name in types.names and name not in names:
            names.append(name)
            columns.append(pa.nulls(len(read.rows), origin.types.get(name, types.field(name).type)))
    return pa.table(columns, names=names)


def _request(
    table: pa.Table,
    read: Counted,
    given: Mapping[str, Hierarchy | None],
    require: Sequence[PrivacyModel],
    sensitive: Sequence[str],
    keep: Sequence[str],
    suppression_limit: float,
) -> Request:
    """Return the request about the distinct tuples; a column whose hierarchy is None gets an automatic one."""
    built = {
        name: automatic_hierarchies(pa.table({name: read.repeated(name)}), [name])[name]
        for name, hierarchy in given.items()
        if hierarchy is None
    }
    return request_of(
        table,
        {name: built[name] if hierarchy is None else hierarchy for name, hierarchy in given.items()},
        require,
        sensitive=sensitive,
        keep=keep,
        suppression_limit=suppression_limit,
        subset=None,
        population=None,
    )


def _search(
    request: Request, counted: Counted, read: Counted, metric: Metric, time_limit: float | None, on_progress: Progress | None
) -> _Found:
    coded = code_table(request.data, request.hierarchies)
    tuples = weigh(coded, code_sensitive(request.data, request.sensitive), counted.rows)
    allowed = min(allowed_suppression(request.suppression_limit, tuples.rows), tuples.rows - 1)
    deadline = Deadline(time_limit)
    outcome = recode(
        coded, tuples, request.require, metric, "full-domain", allowed=allowed, time_limit=time_limit, on_progress=on_progress
    )
    if outcome is None or outcome.levels is None:
        raise DataError(
            impossible(coded, tuples, request.require, allowed, how="full-domain", deadline=deadline, on_progress=on_progress)
        )
    return _Found(
        request=request,
        settings=describe_settings(request, metric, "full-domain", time_limit),
        counted=counted,
        read=read,
        coded=coded,
        tuples=tuples,
        outcome=outcome,
        levels=dict(zip(request.hierarchies, outcome.levels, strict=True)),
        columns=recode_columns(coded, outcome.levels, counted, read),
        kept=outcome.recoding.kept[tuples.of_row],
    )


def _write(found: _Found, origin: Origin, draft: Path) -> Promise:
    """Write the rows of the release, in the original's order of columns and in its types; return what the file is meant to be."""
    promise = _promise(found)
    names = (*found.request.hierarchies, *found.request.sensitive, *found.request.keep)
    rows = release_rows(
        plain_rows(origin.table, names, text=origin.text),
        [column.recode() for column in found.columns],
        kept_ranks(found.columns, found.counted.codes, found.kept),
    )
    types = {**origin.types, **{one.name: one.type for one in promise.released.schema}}
    write_parquet(stream(rows), names, [name for name in origin.table.columns if name in names], types, draft)
    return promise


def _promise(found: _Found) -> Promise:
    request = found.request
    return Promise(
        quasi=tuple(request.hierarchies),
        sensitive=request.sensitive,
        require=tuple(model.to_json() for model in request.require),
        suppression_limit=request.suppression_limit,
        hierarchies={name: hierarchy.to_json() for name, hierarchy in request.hierarchies.items()},
        levels=found.levels,
        original=pa.table({name: request.data.column(name) for name in found.read.names}),
        read=recoded_tuples(found.columns, found.read, read=True),
        released=recoded_tuples(found.columns, found.read),
        rows=found.counted.rows,
        kept=found.kept,
    )


def _figures(found: _Found, metric: Metric, verification: Verification) -> Figures:
    return figures_of(found.coded, found.tuples, found.outcome, metric, settings=found.settings, verification=verification)
