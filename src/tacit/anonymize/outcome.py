"""The ways to recode a table, from one question to one answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.local import CellSuppression, Microaggregation, in_rounds, microaggregate, mondrian, settle, with_cells
from tacit.anonymize.privacy_models import PrivacyModel
from tacit.anonymize.recoding import Node, TupleRecoding, full_domain
from tacit.anonymize.search import Metric, Progress, search_levels
from tacit.anonymize.utility.loss import Loss, Score
from tacit.errors import ConfigError, DataError

Named = Literal["full-domain", "local", "mondrian"]
LocalRecoding = Named | Microaggregation | CellSuppression


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A recoding and what is known of it.

    levels -- one per column where all rows have the same; None for a local recoding.
    cells_at -- the levels of a recoding in which single cells are "*" besides.
    score  -- where the search has computed it; None: not yet.
    optimal, gap, checked, nodes -- as in Anonymization.
    """

    recoding: TupleRecoding
    levels: Node | None = None
    cells_at: Node | None = None
    score: Score | None = None
    optimal: bool = False
    gap: float | None = None
    checked: int = 0
    nodes: int = 0


def recode(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    metric: Metric,
    how: LocalRecoding,
    *,
    allowed: int,
    time_limit: float | None,
    on_progress: Progress | None,
) -> Outcome | None:
    """Return the recoding asked for; None when the models cannot be met with at most `allowed` rows suppressed.

    Raises ConfigError for an unknown name, DataError when a local recoding leaves more rows out than allowed.
    """
    if isinstance(how, str) and how not in get_args(Named):
        raise ConfigError(
            f"recoding must be one of {', '.join(get_args(Named))}, Microaggregation(...) or CellSuppression(...); got {how!r}."
        )
    if how == "full-domain" or isinstance(how, CellSuppression):
        found = search_levels(
            coded, tuples, models, allowed=allowed, metric=metric, time_limit=time_limit, on_progress=on_progress
        )
        if found is None:
            return None
        recoding = full_domain(coded, tuples, found.levels, found.kept)
        if isinstance(how, CellSuppression):
            starred = with_cells(coded, tuples, models, recoding, found.levels, how)
            return replace(_settled(tuples, models, starred, allowed), cells_at=found.levels)
        return Outcome(
            recoding=recoding,
            levels=found.levels,
            score=found.score,
            optimal=found.optimal,
            gap=found.gap,
            checked=found.checked,
            nodes=found.nodes,
        )
    loss = metric if isinstance(metric, Loss) else Loss()
    if how == "local":
        local = in_rounds(coded, tuples, models, allowed=allowed, loss=loss, time_limit=time_limit)
    elif how == "mondrian":
        weights = loss.shares_of_weight([column.name for column in coded])
        local = mondrian(coded, tuples, models, np.ones(len(coded)) if weights is None else weights)
    else:
        local = microaggregate(coded, tuples, models, how)
    return None if local is None else _settled(tuples, models, local, allowed)


def _settled(tuples: Tuples, models: Sequence[PrivacyModel], recoding: TupleRecoding, allowed: int) -> Outcome:
    """Return the recoding after the models have had the last word: classes that got equal labels are one."""
    recoding = replace(recoding, kept=settle(tuples, recoding, models))
    dropped = int(tuples.weights[~recoding.kept].sum())
    if dropped > allowed:
        raise DataError(
            f"this local recoding leaves out {dropped} of {tuples.rows} rows, where {allowed} may be: classes that got equal labels "
            'joined into some that fail the models. Nothing is released. Use recoding="full-domain", or raise suppression_limit.'
        )
    return Outcome(recoding=recoding)
