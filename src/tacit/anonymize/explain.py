"""Why a request cannot be met: which model fails, how many rows would have to go, and the nearest setting that works.

The texts hold counts of rows and settings, never a value of the data; they are for the custodian.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from tacit.anonymize.classes import Recoded
from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.outcome import LocalRecoding
from tacit.anonymize.privacy_models import PrivacyModel
from tacit.anonymize.search import Deadline, Metric, Progress
from tacit.anonymize.search.boxes import BoxSearch, Found
from tacit.anonymize.search.cost import cost_of
from tacit.anonymize.search.grouping import Groupings
from tacit.anonymize.search.requirements import Requirements
from tacit.errors import ConfigError

_SECONDS = 10.0
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
    deadline: Deadline | None = None,
    on_progress: Progress | None = None,
) -> str:
    """Return the message for a request that nothing meets: no combination of levels, or not the recoding `how`.

    deadline    -- of the call; the explanation takes what is left of it, at most 10 seconds. What it then does not know, it says.
    on_progress -- called with (combinations decided, in all), anew for each setting that is tried.
    """
    left = None if deadline is None else deadline.left()
    trial = _Trials(coded, tuples, allowed, Deadline(_SECONDS if left is None else min(_SECONDS, left)), on_progress)
    together, rows = " and ".join(str(model) for model in models), tuples.rows
    if how != "full-domain" and (known := trial.works(models)) is not False:
        name = how if isinstance(how, str) else how.to_json()["recoding"]
        says = (
            "combinations of levels that leave rows out meet it"
            if known
            else "whether a combination of levels meets it took too long"
        )
        return (
            f"the recoding {name!r} does not meet {together}: it starts from all {rows} rows as one class, which must hold, and {says}. "
            'Nothing is released. Use recoding="full-domain" or "local".'
        )
    parts = [f"no combination of levels meets {together} with at most {allowed} of {rows} rows suppressed."]
    verdicts = [(model, trial.works([model])) for model in models]
    advice = _suppression(trial, models)
    for model, works in verdicts:
        if works:
            continue
        nearest, proved = _nearest(trial, model)
        alone = " alone" if len(models) > 1 else ""
        fails = "was not seen to work" if works is None else "fails"
        what = "the nearest setting that works is" if proved else "a setting that works is"
        parts.append(f"{model} {fails}{alone}{'' if nearest is None else f'; {what} {nearest}'}.")
    if all(works for _, works in verdicts):
        parts.append("Each works alone, together they do not.")
        parts += [
            f"Without {model} the others work." for model in models if trial.works([one for one in models if one is not model])
        ]
    parts.append(advice)
    if trial.unsure:
        parts.append("It took long, so it was not looked for further.")
    return " ".join(parts)


def _suppression(trial: "_Trials", models: Sequence[PrivacyModel]) -> str:
    """Return what leaving out more rows could do."""
    rows = trial.tuples.rows
    fewest, ended = trial.search(models, _SuppressedRows(), rows - 1)
    if fewest is None:
        one_class = f"Even one class of all {rows} rows fails" if ended else "More suppression was not seen to help"
        return f"{one_class}: ask for less, or bring more rows."
    digits = next(digits for digits in range(4, 16) if fewest.suppressed * 10**digits <= (10**digits - 1) * rows)
    share = -(-fewest.suppressed * 10**digits // rows) / 10**digits
    return (
        f"As asked, {'the best one' if ended else 'the best one found'} suppresses {fewest.suppressed} rows. Raise suppression_limit to at "
        f"least {share}, or ask for less."
    )


class _Trials:
    """Settings tried on one table, all within one deadline; the classes that one trial counted serve the next."""

    def __init__(
        self, coded: Sequence[CodedColumn], tuples: Tuples, allowed: int, deadline: Deadline, on_progress: Progress | None
    ) -> None:
        self.coded, self.tuples, self.allowed = coded, tuples, allowed
        self.unsure = False
        self._groupings, self._tops = Groupings(coded, tuples), tuple(column.levels - 1 for column in coded)
        self._deadline, self._on_progress = deadline, on_progress

    def search(self, models: Sequence[PrivacyModel], metric: Metric, allowed: int) -> tuple[Found | None, bool]:
        """Return (the best node found, whether none is better)."""
        left = self._deadline.left() or 0.0
        search = self._start(models, metric, allowed)
        ended = left > 0 and search.run(time.monotonic() + left / 2, self._on_progress)
        self.unsure |= not ended
        return search.best, ended

    def works(self, models: Sequence[PrivacyModel]) -> bool | None:
        """Whether some node meets the models; None when the time was over before that was known. The coarsest is tried first."""
        coarsest = self._start(models, _Anything(), self.allowed)
        if not coarsest.count(self._tops):
            return False  # a monotonic model that fails there fails everywhere
        if coarsest.best is not None:
            return True
        found, ended = self.search(models, _Anything(), self.allowed)
        return True if found is not None else False if ended else None

    def works_as_one_class(self, models: Sequence[PrivacyModel]) -> bool:
        """Whether the coarsest node meets the models: one count, whatever time is left."""
        search = self._start(models, _Anything(), self.allowed)
        search.count(self._tops)
        return search.best is not None

    def _start(self, models: Sequence[PrivacyModel], metric: Metric, allowed: int) -> BoxSearch:
        cost = cost_of(metric, self.coded, self.tuples, allowed)
        return BoxSearch(self._groupings, Requirements(tuple(models)), cost, allowed, self._tops)


def _nearest(trial: _Trials, model: Any) -> tuple[PrivacyModel | None, bool]:
    """Return (the model with its first parameter that helps relaxed, None when none helps; whether less does not help)."""
    for one in fields(model) if is_dataclass(model) else ():
        value = getattr(model, one.name)
        if isinstance(value, bool) or not isinstance(value, int | float) or one.name not in _RELAX_DOWN | _RELAX_UP:
            continue
        if isinstance(value, int) and one.name in _RELAX_UP:
            continue
        relaxed, proved = _relax(trial, model, one.name)
        if relaxed is not None:
            return relaxed, proved
    return None, False


def _relax(trial: _Trials, model: Any, name: str) -> tuple[PrivacyModel | None, bool]:
    """Return (the model with parameter `name` relaxed by bisection, whether less does not help); floats to three digits.

    The coarsest node is tried first, which is fast; then whether any other bears a setting that it does not.
    """
    value = getattr(model, name)

    def changed(candidate: float) -> list[PrivacyModel]:
        try:
            return [replace(model, **{name: candidate})]
        except ConfigError:
            return []

    def as_one_class(candidate: float) -> bool | None:
        return bool(changed(candidate)) and trial.works_as_one_class(changed(candidate))

    def anywhere(candidate: float) -> bool | None:
        return bool(changed(candidate)) and trial.works(changed(candidate))

    looser = [1, 2] if isinstance(value, int) else _ladder(float(value), name)
    loose: float | None = next((candidate for candidate in looser if as_one_class(candidate)), None)
    if loose is not None:
        loose, _ = _closest(value, loose, as_one_class)
    else:
        loose = next((candidate for candidate in looser if anywhere(candidate)), None)
    if loose is None:
        return None, False
    loose, proved = _closest(value, loose, anywhere)
    if isinstance(value, int):
        return changed(loose)[0], proved
    step = 10.0 ** (math.floor(math.log10(loose)) - 2) if loose > 0 else 1e-3
    outward = math.ceil if name in _RELAX_UP else math.floor
    rounded = (float(f"{ways(loose / step) * step:.6g}") for ways in (round, outward))
    return changed(next((candidate for candidate in rounded if anywhere(candidate)), loose))[0], proved


def _closest(tight: float, loose: float, works: Callable[[float], bool | None]) -> tuple[float, bool]:
    """Return (the setting nearest to `tight`, which fails, that works, as `loose` does; whether none is nearer, to a thousandth)."""
    whole, middle = isinstance(tight, int), loose + (tight - loose) / 1000
    if whole:
        middle = loose + 1 if loose < tight else loose - 1
    least = 1.0 if whole else abs(tight - loose) / 2**14
    while abs(tight - loose) > least:
        verdict = works(middle)
        if verdict is None:
            return loose, False
        tight, loose = (tight, middle) if verdict else (middle, loose)
        middle = (tight + loose) // 2 if whole else (tight + loose) / 2
    return loose, True


def _ladder(value: float, name: str) -> list[float]:
    """Return looser settings to try, for shares below 1 and for numbers above."""
    steps = [2.0**power for power in range(1, 12)]
    if name in _RELAX_UP:
        shares = [1 - (1 - value) / step for step in steps] if value < 1 else []
        return [*shares, 1.0, *(value * step for step in steps)]
    floor = 1.0 if name == "l" else 0.0
    return [*(floor + (value - floor) / step for step in steps), 0.0]
