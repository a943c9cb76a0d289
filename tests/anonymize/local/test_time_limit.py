"""One limit for the whole call: what is stopped is coarser, holds the models all the same, and says that it was stopped."""

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import IntervalHierarchy, TreeHierarchy
from tacit.anonymize.local import CellSuppression, Microaggregation, iterative
from tacit.anonymize.privacy_models import DistinctLDiversity, KAnonymity
from tacit.anonymize.release import anonymize
from tacit.anonymize.search import Deadline, deadline, search_levels
from tacit.errors import DataError

AGE = IntervalHierarchy.from_widths(0, 100, [10, 20])
PLACE = TreeHierarchy.from_groups({"north": {"coast": ["a", "b"], "hills": ["c"]}, "south": ["d", "e"]})
LOCAL: list[Any] = ["local", "mondrian", Microaggregation(k=2, block=8), CellSuppression(limit=0.4)]


class Clock:
    """Stands in for the module `time`: a second passes with every look at it."""

    def __init__(self, step: float = 1.0) -> None:
        self._ticks = itertools.count()
        self.step, self.skipped = step, 0.0

    def monotonic(self) -> float:
        return next(self._ticks) * self.step + self.skipped


def people(rows: int = 80) -> pa.Table:
    rng = np.random.default_rng(4)
    return pa.table(
        {
            "age": rng.integers(0, 101, rows),
            "place": rng.choice(list("abcde"), rows),
            "ill": rng.choice(["x", "y", "z"], rows),
        }
    )


def released(how: Any, **more: Any) -> Any:
    settings: dict[str, Any] = {"quasi": {"age": AGE, "place": PLACE}, "require": [KAnonymity(3)], "suppression_limit": 0.2}
    return anonymize(people(), recoding=how, **settings | more)


def test_a_deadline_counts_down_once_and_remembers_that_it_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "time", Clock())
    one = Deadline(2.5)
    assert [one.left(), one.passed(), one.missed, one.passed(), one.missed] == [1.5, False, False, True, True]
    assert one.left() == 0
    assert (Deadline().left(), Deadline().passed(), Deadline().missed) == (None, False, False)


@pytest.mark.parametrize("how", LOCAL, ids=str)
@pytest.mark.parametrize("models", [[KAnonymity(3)], [KAnonymity(3), DistinctLDiversity("ill", 3)]], ids=len)
def test_without_time_the_release_holds_its_models_and_says_that_it_was_stopped(how: Any, models: Any) -> None:
    full = released(how, require=models)
    stopped = released(how, require=models, time_limit=1e-9)
    assert (full.stopped, stopped.stopped) == (False, True)
    assert "time limit" not in full.search
    assert "stopped by the time limit" in stopped.search
    assert any("stopped by the time limit" in finding.method for finding in stopped.findings)
    assert stopped.verification.ok
    assert stopped.score >= full.score
    if how == "mondrian":
        assert stopped.classes == 1


@pytest.mark.parametrize("how", ["mondrian", Microaggregation(k=2, block=1000)], ids=str)
def test_what_was_done_in_time_stays_done(how: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "time", Clock())
    sizes = [released(how, time_limit=limit).classes for limit in (0.5, 3.5, 9.5, 1000.5)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3]


def test_rounds_share_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each search takes a second of three: every later one is given less, and the fourth nothing."""
    clock, given = Clock(step=0.0), []
    real = search_levels

    def slow(*arguments: Any, time_limit: float | None, **more: Any) -> Any:
        given.append(time_limit)
        clock.skipped += 1.0
        return real(*arguments, time_limit=None, **more)

    monkeypatch.setattr(deadline, "time", clock)
    monkeypatch.setattr(iterative, "search_levels", slow)
    assert not released("local", time_limit=1000.0).stopped
    whole = len(given)
    given.clear()
    result = released("local", time_limit=2.5, suppression_limit=0.9)
    assert given == [2.5, 1.5, 0.5]
    assert result.stopped
    assert len(given) < whole
    assert min(Counter((row["age"], row["place"]) for row in result.table.to_pylist()).values()) >= 3


def test_rounds_that_found_nothing_in_time_say_so() -> None:
    class Never(KAnonymity):
        monotonic = False

        def holds(self, classes: Any) -> Any:
            return classes.sizes < 0

    table = pa.table({name: people()["place"] for name in "pqrstuvwxyz"})
    with pytest.raises(DataError, match=r"no release was found in 0\.01 seconds"):
        anonymize(table, quasi=dict.fromkeys("pqrstuvwxyz", PLACE), require=[Never(2)], recoding="local", time_limit=0.01)
