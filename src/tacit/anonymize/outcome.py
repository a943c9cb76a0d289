"""The ways to recode a table, from one question to one answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.local import (
    CellSuppression,
    Microaggregation,
    check_slider,
    cutting,
    distances,
    in_rounds,
    microaggregate,
    mondrian,
    settle,
    with_cells,
)
from tacit.anonymize.privacy_models import PrivacyModel
from tacit.anonymize.privacy_models.model import looks_at_population
from tacit.anonymize.recoding import Node, TupleRecoding, full_domain
from tacit.anonymize.search import Deadline, Metric, Progress, SearchResult, search_levels
from tacit.anonymize.utility.loss import Score
from tacit.errors import ConfigError, DataError

Named = Literal["full-domain", "local", "mondrian"]
LocalRecoding = Named | Microaggregation | CellSuppression

_SHARE_OF_SEARCH = 0.75
"""Of the time for cell suppression: how much its search of levels may take."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A recoding and what is known of it.

    levels -- one per column where all rows have the same; None for a local recoding.
    cells_at -- the levels of a recoding in which single cells are "*" besides.
    score  -- where the search has computed it; None: not yet.
    optimal, gap, checked, nodes, stopped -- as in Anonymization.
    """

    recoding: TupleRecoding
    levels: Node | None = None
    cells_at: Node | None = None
    score: Score | None = None
    optimal: bool = False
    gap: float | None = None
    checked: int = 0
    nodes: int = 0
    stopped: bool = False


def check_options(minimize: object, time_limit: float | None) -> None:
    """Raise ConfigError for a metric or a time limit that no data could make right."""
    if time_limit is not None and (isinstance(time_limit, bool) or not isinstance(time_limit, int | float) or not time_limit > 0):
        raise ConfigError(
            f"time_limit must be > 0 seconds, got {time_limit!r}. Leave it out for a proof that the result is optimal."
        )
    if minimize is not None and not isinstance(minimize, Metric):
        raise ConfigError(
            f"minimize must be a metric with score(recoded), got {type(minimize).__name__}: nothing could be minimized. Try Loss()."
        )


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

    Raises ConfigError for an unknown name or a metric that cannot steer the recoding, DataError when a local recoding leaves more
    rows out than allowed or nothing was found in the time given.
    """
    if not (isinstance(how, Microaggregation | CellSuppression) or how in get_args(Named)):
        raise ConfigError(
            f"recoding must be one of {', '.join(get_args(Named))}, Microaggregation(...) or CellSuppression(...); got {how!r}."
        )
    if how == "full-domain":
        found = search_levels(
            coded, tuples, models, allowed=allowed, metric=metric, time_limit=time_limit, on_progress=on_progress
        )
        return None if found is None else _of_search(coded, tuples, found)
    deadline = Deadline(time_limit)
    if isinstance(how, CellSuppression):
        return _with_cells(coded, tuples, models, metric, how, allowed, deadline, on_progress)
    if how == "local":
        check_slider(metric, how)
        local = in_rounds(coded, tuples, models, allowed=allowed, metric=metric, deadline=deadline, on_progress=on_progress)
    elif how == "mondrian":
        local = mondrian(coded, tuples, models, cutting(metric, coded), deadline=deadline, on_progress=on_progress)
    else:
        _check_counted(models)
        weights = distances(metric, coded)
        local = microaggregate(coded, tuples, models, how, weights, deadline=deadline, on_progress=on_progress)
    if local is None:
        return None
    if on_progress:
        on_progress(tuples.rows, tuples.rows)
    return replace(_settled(tuples, models, local, allowed), stopped=deadline.missed)


def _check_counted(models: Sequence[PrivacyModel]) -> None:
    """Raise ConfigError for models that count people outside the release, whom a mean does not cover."""
    others = [str(model) for model in models if looks_at_population(model) or model.to_json().get("model") == "delta-presence"]
    if others:
        raise ConfigError(
            f"a microaggregation cannot promise {', '.join(others)}: it releases means, and of a person who is not in the release nothing says "
            'which mean stands for them. Use recoding="local" or "full-domain".'
        )


def _of_search(coded: Sequence[CodedColumn], tuples: Tuples, found: SearchResult) -> Outcome:
    return Outcome(
        recoding=full_domain(coded, tuples, found.levels, found.kept),
        levels=found.levels,
        score=found.score,
        optimal=found.optimal,
        gap=found.gap,
        checked=found.checked,
        nodes=found.nodes,
        stopped=not found.optimal,
    )


def _with_cells(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    metric: Metric,
    how: CellSuppression,
    allowed: int,
    deadline: Deadline,
    on_progress: Progress | None,
) -> Outcome | None:
    """Return a full-domain recoding, searched for in part of the time, with single cells of its suppressed rows as "*"."""
    left = deadline.left()
    searching = None if left is None else left * _SHARE_OF_SEARCH

    def searched(done: int, nodes: int) -> None:
        if on_progress:
            on_progress(done, nodes + tuples.rows)

    found = search_levels(coded, tuples, models, allowed=allowed, metric=metric, time_limit=searching, on_progress=searched)
    if found is None:
        return None
    nodes, dropped = found.nodes, found.suppressed

    def came_back(rows: int, out: int) -> None:
        if on_progress:
            on_progress(nodes + tuples.rows - dropped + rows, nodes + tuples.rows)

    starred = with_cells(
        coded,
        tuples,
        models,
        full_domain(coded, tuples, found.levels, found.kept),
        found.levels,
        how,
        metric=metric,
        deadline=deadline,
        on_progress=came_back,
    )
    if on_progress:
        on_progress(nodes + tuples.rows, nodes + tuples.rows)
    settled = _settled(tuples, models, starred, allowed)
    return replace(settled, cells_at=found.levels, stopped=deadline.missed or not found.optimal)


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
