"""Why a request cannot be met: which model fails, how many rows would have to go, and the nearest setting that works.

The texts hold counts of rows and settings, never a value of the data; they are for the custodian.
"""

import math
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from tacit.anonymize.classes import Recoded
from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.outcome import LocalRecoding
from tacit.anonymize.privacy_models import PrivacyModel
from tacit.anonymize.search import SearchResult, search_levels
from tacit.errors import ConfigError, DataError

_SECONDS = 5.0
_RELAX_DOWN = {"k", "l", "d_min"}
_RELAX_UP = {"t", "alpha", "beta", "delta", "d_max", "threshold", "c"}


class _Anything:
    """A metric that the first node found minimizes."""

    def score(self, recoded: Recoded) -> float:
        return 0.0

    def bound(self, recoded: Recoded, allowed: int) -> float:
        return 0.0


class _SuppressedRows(_Anything):
    """Rows left out."""

    def score(self, recoded: Recoded) -> float:
        return float(recoded.weights[~recoded.kept].sum())


def impossible(
    coded: Sequence[CodedColumn],
    tuples: Tuples,
    models: Sequence[PrivacyModel],
    allowed: int,
    *,
    how: LocalRecoding = "full-domain",
) -> str:
    """Return the message for a request that nothing meets: no combination of levels, or not the recoding `how`."""
    together, rows = " and ".join(str(model) for model in models), tuples.rows
    if how != "full-domain" and _works(coded, tuples, models, allowed):
        name = how if isinstance(how, str) else how.to_json()["recoding"]
        return (
            f"the recoding {name!r} does not meet {together}: it starts from all {rows} rows as one class, which must hold, and combinations "
            'of levels that leave rows out meet it. Nothing is released. Use recoding="full-domain" or "local".'
        )
    parts = [f"no combination of levels meets {together} with at most {allowed} of {rows} rows suppressed."]
    failing = [model for model in models if not _works(coded, tuples, [model], allowed)]
    for model in failing:
        nearest = _nearest(coded, tuples, model, allowed)
        alone = " alone" if len(models) > 1 else ""
        parts.append(f"{model} fails{alone}{'' if nearest is None else f'; the nearest setting that works is {nearest}'}.")
    if not failing:
        parts.append("Each works alone, together they do not.")
        parts += [
            f"Without {model} the others work." for model in models if _works_without(coded, tuples, models, model, allowed)
        ]
    fewest = _search(coded, tuples, models, _SuppressedRows(), rows - 1)
    if fewest is None:
        parts.append(f"Even one class of all {rows} rows fails: ask for less, or bring more rows.")
    else:
        best = "the best one" if fewest.optimal else "the best one found"
        share = math.ceil(fewest.suppressed / rows * 1e4) / 1e4
        parts.append(
            f"As asked, {best} suppresses {fewest.suppressed} rows. Raise suppression_limit to at least {share}, or ask for less."
        )
    return " ".join(parts)


def _search(
    coded: Sequence[CodedColumn], tuples: Tuples, models: Sequence[PrivacyModel], metric: Any, allowed: int
) -> SearchResult | None:
    try:
        return search_levels(coded, tuples, models, allowed=allowed, metric=metric, time_limit=_SECONDS)
    except DataError:  # nothing found in that time
        return None


def _works(coded: Sequence[CodedColumn], tuples: Tuples, models: Sequence[PrivacyModel], allowed: int) -> bool:
    return _search(coded, tuples, models, _Anything(), allowed) is not None


def _works_without(
    coded: Sequence[CodedColumn], tuples: Tuples, models: Sequence[PrivacyModel], one: PrivacyModel, allowed: int
) -> bool:
    return _works(coded, tuples, [model for model in models if model is not one], allowed)


def _nearest(coded: Sequence[CodedColumn], tuples: Tuples, model: Any, allowed: int) -> PrivacyModel | None:
    """Return the model with its first parameter that helps relaxed as little as need be; None when none helps."""
    for one in fields(model) if is_dataclass(model) else ():
        value = getattr(model, one.name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if one.name in _RELAX_DOWN | _RELAX_UP:
            relaxed = _relax(coded, tuples, model, one.name, allowed)
            if relaxed is not None:
                return relaxed
    return None


def _relax(coded: Sequence[CodedColumn], tuples: Tuples, model: Any, name: str, allowed: int) -> PrivacyModel | None:
    """Return the model with parameter `name` relaxed by bisection; floats to three digits."""
    value = getattr(model, name)

    def works(candidate: float) -> PrivacyModel | None:
        try:
            changed: PrivacyModel = replace(model, **{name: candidate})
        except ConfigError:
            return None
        return changed if _works(coded, tuples, [changed], allowed) else None

    if isinstance(value, int):
        low = next((least for least in (1, 2) if works(least)), None)
        if low is None or name in _RELAX_UP:
            return None
        fails: int = value
        while fails - low > 1:
            middle = (fails + low) // 2
            low, fails = (middle, fails) if works(middle) else (low, middle)
        return works(low)
    loose = next((candidate for candidate in _ladder(float(value), name) if works(candidate)), None)
    if loose is None:
        return None
    tight = float(value)
    for _ in range(14):
        between = (tight + loose) / 2
        tight, loose = (tight, between) if works(between) else (between, loose)
    step = 10.0 ** (math.floor(math.log10(loose)) - 2) if loose > 0 else 1e-3
    outward = math.ceil if name in _RELAX_UP else math.floor
    rounded = (float(f"{ways(loose / step) * step:.6g}") for ways in (round, outward))
    return next((changed for candidate in rounded if (changed := works(candidate))), None) or works(loose)


def _ladder(value: float, name: str) -> list[float]:
    """Return looser settings to try, for shares below 1 and for numbers above."""
    steps = [2.0**power for power in range(1, 12)]
    if name in _RELAX_UP:
        shares = [1 - (1 - value) / step for step in steps] if value < 1 else []
        return [*shares, 1.0, *(value * step for step in steps)]
    floor = 1.0 if name == "l" else 0.0
    return [*(floor + (value - floor) / step for step in steps), 0.0]
