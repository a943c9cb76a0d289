"""Anonymize a table: search the levels, recode, suppress, and have an independent check confirm the result.

The release is a function of the whole table: removing one row may change every other. It is never differential privacy, and nothing
trained on it has an epsilon for the original persons. Nothing is written into a ledger here; a study records its release as "not-dp".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.classes import Recoded
from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.explain import impossible
from tacit.anonymize.hierarchies import Hierarchy
from tacit.anonymize.local import CellSuppression, Microaggregation
from tacit.anonymize.manifest import describe_settings, findings_of, manifest_of, table_digest
from tacit.anonymize.outcome import LocalRecoding, Outcome, recode
from tacit.anonymize.privacy_models import PrivacyModel
from tacit.anonymize.recoding import Node, TupleRecoding, as_recoded, every_row, released_table
from tacit.anonymize.request import Request, request_of
from tacit.anonymize.search import Metric, Progress, allowed_suppression
from tacit.anonymize.utility.loss import Loss, Score
from tacit.anonymize.verify import Recoding, Verification, verify_release
from tacit.errors import ConfigError, DataError
from tacit.models.finding import Finding


@dataclass(frozen=True, kw_only=True)
class Anonymization:
    """A released table and how it came about. Everything but `table` and `manifest()` is for the custodian.

    table       -- quasi-identifiers at their levels (level 0: the type as it was; above: text), sensitive columns and columns to
                   keep as they are; columns in the original's order, rows sorted by all of them, so that nothing of the original
                   order of rows is told. Suppressed rows are not in it.
    origins     -- shape (released rows,): the original row number of each row of `table`, for the verifier; never for release.
    recoded     -- what became of each distinct tuple, for further metrics.
    levels      -- level of each quasi-identifier, 0 the raw value; under local recoding the highest one released.
    top_levels  -- the level of each that is "*".
    rows        -- rows that could be released; suppressed -- rows left out; at most floor(suppression_limit * rows).
    score       -- of the metric that was minimized; for the loss 0 (nothing changed) to 1 (all is "*").
    optimal     -- whether no combination of levels scores less (proved); False: the best found.
    gap         -- by how much another combination of levels can score less at most; 0 when optimal, None when nothing is known.
    checked     -- combinations whose classes were counted, of `nodes` in all; 0 and 0 where there is no lattice.
    classes     -- number of classes released; smallest_class, median_class, largest_class -- their rows.
    settings    -- models, limit, metric, recoding and each hierarchy with its SHA-256, as JSON values.
    verification -- what the independent check looked at.
    """

    table: pa.Table = field(repr=False)
    origins: NDArray[np.int64] = field(repr=False)
    recoded: Recoded = field(repr=False)
    levels: Mapping[str, int]
    top_levels: Mapping[str, int]
    rows: int
    suppressed: int
    score: Score
    optimal: bool
    gap: float | None
    checked: int
    nodes: int
    classes: int
    smallest_class: int
    median_class: float
    largest_class: int
    settings: Mapping[str, Any] = field(repr=False)
    verification: Verification = field(repr=False)

    @property
    def search(self) -> str:
        """What is proved about the score, in words."""
        if self.settings["recoding"] != "full-domain":
            return "best found; a local recoding has no proof"
        if self.optimal:
            return "full-domain search, proved optimal"
        return "full-domain search, best found" + ("" if self.gap is None else f"; at most {self.gap:.4g} above the optimum")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The release's figures: exact statistics of private rows, for the custodian."""
        return findings_of(self)

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
    suppression_limit -- largest share of rows that may be left out, whole classes at a time; 0 <= limit < 1.
    minimize          -- a metric; by default Loss(): the arithmetic mean over columns. Any object with score(Recoded); the search is
                         exact for all, and fast for Loss and for metrics with bound(Recoded, allowed).
    recoding          -- "full-domain": one level per column, proved optimal; "local": rounds of full-domain recoding of what is
                         left; "mondrian": recursive cuts; Microaggregation(k): numbers become the mean of their class;
                         CellSuppression(limit): full-domain, then single cells of suppressed rows become "*".
    subset            -- truth value per row: only these may be released; the whole table is then their population.
    population        -- a table with the same quasi-identifiers, for k-map.
    time_limit        -- seconds for the search, > 0; when it runs out, the best found is released, `optimal` is False and `gap`
                         says how far from the optimum it can be.
    on_progress       -- called with (combinations decided, in all).

    A missing value is a category of its own, not a wildcard: rows that miss an age are a class together.
    Never changes `table`. Raises ConfigError for wrong settings; DataError, naming the column, for data that do not fit, or
    when nothing can be released, with the nearest setting that works; PrivacyError when the independent check refuses the result.
    """
    if time_limit is not None and not time_limit > 0:
        raise ConfigError(
            f"time_limit must be > 0 seconds, got {time_limit}. Leave it out for a proof that the result is optimal."
        )
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
    allowed = min(allowed_suppression(suppression_limit, tuples.rows), tuples.rows - 1)
    outcome = recode(
        coded, tuples, request.require, metric, recoding, allowed=allowed, time_limit=time_limit, on_progress=on_progress
    )
    if outcome is None:
        raise DataError(impossible(coded, tuples, request.require, allowed))
    return _released(request, coded, tuples, outcome, metric, recoding)


def _released(
    request: Request,
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    outcome: Outcome,
    metric: Metric,
    how: LocalRecoding,
) -> Anonymization:
    recoding = outcome.recoding
    released, origins = released_table(
        request.data, coded, tuples, recoding, keep=(*request.sensitive, *request.keep), subset=request.subset
    )
    recoded = as_recoded(coded, tuples, recoding)
    levels = outcome.levels or _highest(recoding)
    names = list(request.hierarchies)
    verification = _verify(request, released, origins, coded, tuples, outcome, how)
    verification.require()
    sizes = np.bincount(recoded.class_of[recoded.kept], weights=recoded.weights[recoded.kept])
    sizes = sizes[sizes > 0]
    return Anonymization(
        table=released,
        origins=origins,
        recoded=recoded,
        levels=dict(zip(names, levels, strict=True)),
        top_levels={column.name: column.levels - 1 for column in coded},
        rows=tuples.rows,
        suppressed=tuples.rows - released.num_rows,
        score=metric.score(recoded) if outcome.score is None else outcome.score,
        optimal=outcome.optimal,
        gap=outcome.gap,
        checked=outcome.checked,
        nodes=outcome.nodes,
        classes=len(sizes),
        smallest_class=int(sizes.min()),
        median_class=float(np.median(sizes)),
        largest_class=int(sizes.max()),
        settings=describe_settings(request, metric, how),
        verification=verification,
    )


def _highest(recoding: TupleRecoding) -> Node:
    return tuple(int(level) for level in recoding.levels[recoding.kept].max(axis=0))


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
