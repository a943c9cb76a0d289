"""Anonymize a table: search the levels, recode, suppress, and have an independent check confirm the result.

The release is a function of the whole table: removing one row may change every other. It is never differential privacy, and nothing
trained on it has an epsilon for the original persons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.explain import impossible
from tacit.anonymize.figures import Figures, figures_of
from tacit.anonymize.hierarchies import Hierarchy
from tacit.anonymize.local import CellSuppression, Microaggregation
from tacit.anonymize.manifest import describe_settings, manifest_of, table_digest
from tacit.anonymize.outcome import LocalRecoding, Outcome, check_options, recode
from tacit.anonymize.privacy_models import PrivacyModel
from tacit.anonymize.recoding import every_row, released_table
from tacit.anonymize.request import Request, request_of
from tacit.anonymize.search import Deadline, Metric, Progress, allowed_suppression
from tacit.anonymize.utility.loss import Loss
from tacit.anonymize.verify import Recoding, Verification, verify_release
from tacit.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class Anonymization(Figures):
    """A released table and how it came about. Everything but `table` and `manifest()` is for the custodian.

    table   -- quasi-identifiers at their levels (level 0: the type as it was; above: text), sensitive columns and columns to
               keep as they are; columns in the original's order, rows sorted by all of them, so that nothing of the original
               order of rows is told. Suppressed rows are not in it.
    origins -- shape (released rows,): the original row number of each row of `table`, for the verifier; never for release.
    The rest is in Figures.
    """

    table: pa.Table = field(repr=False)
    origins: NDArray[np.int64] = field(repr=False)

    def manifest(self) -> dict[str, Any]:
        """Return what travels with the table: its hash, models, parameters, losses and risks, as JSON values."""
        return manifest_of(self, sha256=table_digest(self.table))


def anonymize(
    table: pa.Table,
    *,
    quasi: Mapping[str, Hierarchy] | Sequence[str],
    require: Sequence[PrivacyModel],
    sensitive: Sequence[str] = (),
    keep: Sequence[str] = (),
    suppression_limit: float = 0.0,
    minimize: Metric | None = None,
    recoding: LocalRecoding = "full-domain",
    subset: Any = None,
    population: pa.Table | None = None,
    time_limit: float | None = None,
    on_progress: Progress | None = None,
) -> Anonymization:
    """Return the table of least loss in which every class of equal quasi-identifiers satisfies all the models.

    quasi             -- a hierarchy per quasi-identifier, by column name; names alone get automatic hierarchies.
    require           -- privacy models; a class is released when every one holds.
    sensitive         -- columns released as they are, whose values the models count; those the models name are added.
    keep              -- further columns to release as they are. A column in none of the three is not released.
    suppression_limit -- largest share of rows that may be left out, whole classes at a time; 0 <= limit < 1. Mondrian and
                         microaggregation choose none; they leave out classes that fail once those of equal labels are one.
    minimize          -- a metric; by default Loss(): the arithmetic mean over columns. Any object with score(Recoded); the search is
                         exact for all, and fast for Loss and for metrics with bound(Recoded, allowed). What cannot steer a recoding
                         is refused: "mondrian" takes Height, and Loss and PrecisionLoss as a sum or mean, a microaggregation
                         Loss as a sum or mean; those two and "local" nothing that prices suppression (a slider but 0.5).
    recoding          -- "full-domain": one level per column, proved optimal; "local": rounds of full-domain recoding of what is
                         left; "mondrian": recursive cuts; Microaggregation(k): numbers become the mean of their class;
                         CellSuppression(limit): full-domain, then single cells of suppressed rows become "*".
    subset            -- truth value per row: only these may be released; the whole table is then their population.
    population        -- a table with the same quasi-identifiers, for k-map, and refused without it.
    time_limit        -- seconds for the whole search or recoding, > 0; when it runs out, the best found is released, `stopped` is
                         True, and after a full-domain search `gap` says how far from the optimum it can be. A local recoding
                         that stops leaves classes coarser than they need be.
    on_progress       -- called with (done, in all): combinations decided, under local recodings rows that have their class.

    A missing value is a category of its own, not a wildcard: rows that miss an age are a class together. Nothing is written into a ledger
    here: `record_release` does, before the table leaves; the command and a study do so themselves.
    Never changes `table`. Raises ConfigError for wrong settings; DataError, naming the column, for data that do not fit, or
    when nothing can be released, with the nearest setting that works; PrivacyError when the independent check refuses the result.
    """
    check_options(minimize, time_limit)
    if recoding == "mondrian" and (subset is not None or population is not None):
        raise ConfigError(
            "a Mondrian recoding writes the smallest and largest value of each class, which with a subset or a population could be those of "
            'people who are not in the release. Use recoding="local" or "full-domain", whose intervals are declared.'
        )
    metric = minimize if minimize is not None else Loss()
    request = request_of(
        table,
        quasi,
        require,
        sensitive=sensitive,
        keep=keep,
        suppression_limit=suppression_limit,
        subset=subset,
        population=population,
    )
    coded, tuples = request.coded()
    allowed = min(allowed_suppression(request.suppression_limit, tuples.rows), tuples.rows - 1)
    deadline = Deadline(time_limit)
    outcome = recode(
        coded, tuples, request.require, metric, recoding, allowed=allowed, time_limit=time_limit, on_progress=on_progress
    )
    if outcome is None:
        raise DataError(
            impossible(coded, tuples, request.require, allowed, how=recoding, deadline=deadline, on_progress=on_progress)
        )
    return _released(request, coded, tuples, outcome, metric, recoding, time_limit)


def _released(
    request: Request,
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    outcome: Outcome,
    metric: Metric,
    how: LocalRecoding,
    time_limit: float | None,
) -> Anonymization:
    released, origins = released_table(
        request.data, coded, tuples, outcome.recoding, keep=(*request.sensitive, *request.keep), subset=request.subset
    )
    verification = _verify(request, released, origins, coded, tuples, outcome, how)
    verification.require()
    settings = describe_settings(request, metric, how, time_limit)
    figures = figures_of(coded, tuples, outcome, metric, settings=settings, verification=verification)
    return Anonymization(table=released, origins=origins, **vars(figures))


def _verify(
    request: Request,
    released: pa.Table,
    origins: NDArray[np.int64],
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    outcome: Outcome,
    how: LocalRecoding,
) -> Verification:
    """Return what the independent check says, from plain values: tables, JSON forms, levels and row numbers."""
    names = list(request.hierarchies)
    local = outcome.levels is None
    levels = outcome.levels or outcome.cells_at
    return verify_release(
        released,
        quasi=names,
        require=[model.to_json() for model in request.require],
        original_rows=tuples.rows,
        suppression_limit=request.suppression_limit,
        recoding=Recoding(
            original=request.data,
            hierarchies={name: hierarchy.to_json() for name, hierarchy in request.hierarchies.items()},
            levels=None if levels is None else dict(zip(names, levels, strict=True)),
            origins=origins,
            means=[name for name, values in zip(names, outcome.recoding.values, strict=True) if _means(how, values)],
            cell_limit=how.limit if isinstance(how, CellSuppression) else None,
            everyone=every_row(request.data, coded, tuples, outcome.recoding) if local and request.subset is not None else None,
        ),
        subset=request.subset,
        population=request.population,
    )


def _means(how: LocalRecoding, values: pa.Array | None) -> bool:
    return isinstance(how, Microaggregation) and values is not None and pa.types.is_floating(values.type)
