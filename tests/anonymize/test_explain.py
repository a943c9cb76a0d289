"""An impossible request names what binds and the nearest setting that works."""

import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize import explain
from tacit.anonymize.coding import CodedColumn, Tuples
from tacit.anonymize.explain import _nearest, _Trials, impossible
from tacit.anonymize.hierarchies import IntervalHierarchy, TreeHierarchy
from tacit.anonymize.privacy_models import (
    AlphaKAnonymity,
    AverageRisk,
    DistinctLDiversity,
    EntropyLDiversity,
    KAnonymity,
    RecursiveLDiversity,
)
from tacit.anonymize.release import anonymize
from tacit.anonymize.request import request_of
from tacit.anonymize.search import Deadline, Progress
from tacit.errors import DataError

# sensitive values 7777a: 4 rows, 7777b: 3 rows, 7777c: 1 row
TABLE = pa.table({"q": list("aabbccdd"), "s": [f"7777{value}" for value in "aaabbbac"]})
TREE = TreeHierarchy(rows=(("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")))


@pytest.mark.parametrize(
    ("models", "says"),
    [
        ([KAnonymity(9)], "9-anonymity fails; the nearest setting that works is 8-anonymity. Even one class of all 8 rows fails"),
        ([KAnonymity(10**6)], "the nearest setting that works is 8-anonymity"),
        ([DistinctLDiversity("s", 4)], "the nearest setting that works is distinct 3-diversity of 's'"),
        ([KAnonymity(2), DistinctLDiversity("s", 4)], "distinct 4-diversity of 's' fails alone; the nearest setting"),
        ([AverageRisk(0.1)], "average risk at most 0.125"),  # one class of 8 rows
        ([AlphaKAnonymity("s", 0.4, 2)], r"\(0.5,2\)-anonymity"),  # 4 of 8 rows
        ([RecursiveLDiversity("s", 0.5, 2)], "recursive"),
        ([EntropyLDiversity("s", 3.0)], "entropy 2.6"),  # exp of the entropy of (1/2, 3/8, 1/8) is 2.65
    ],
)
def test_the_nearest_setting_is_named(models: Any, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        anonymize(TABLE, quasi={"q": TREE}, require=models)
    assert "7777" not in str(caught.value)
    assert "Nothing" in str(caught.value) or "ask for less" in str(caught.value)


class Pairs(KAnonymity):
    """Not monotonic: classes of exactly two rows."""

    monotonic = False

    def holds(self, classes: Any) -> Any:
        return classes.sizes == 2

    def __str__(self) -> str:
        return "pairs"


class Loose(AverageRisk):
    """Said not to be monotonic, so that only a search proves that nothing finer holds."""

    monotonic = False


def test_the_suppression_that_would_be_needed_is_named() -> None:
    with pytest.raises(DataError, match=r"suppresses 4 rows\. Raise suppression_limit to at least 0\.5"):
        anonymize(TABLE.set_column(0, "q", [list("aabbcccc")]), quasi={"q": TREE}, require=[Pairs(2)])


def test_models_that_only_fail_together_are_said_to() -> None:
    with pytest.raises(DataError, match=r"Each works alone, together they do not\. Without pairs the others work\. Without 3-"):
        anonymize(TABLE, quasi={"q": TREE}, require=[Pairs(2), KAnonymity(3)])


class Slow(EntropyLDiversity):
    """Takes a hundredth of a second for each node, and meets nothing finer than one class."""

    monotonic = False

    def holds(self, classes: Any) -> Any:
        time.sleep(0.01)
        return super().holds(classes) if len(classes) == 1 else classes.sizes < 0


def coded_table() -> tuple[list[CodedColumn], Tuples]:
    settings: dict[str, Any] = {"sensitive": [], "keep": [], "suppression_limit": 0.0, "subset": None, "population": None}
    return request_of(TABLE, {"q": TREE}, [KAnonymity(2)], **settings).coded()


def explained(deadline: Deadline | None, on_progress: Progress | None = None) -> str:
    """Return the explanation for a lattice of 10,000 nodes, over a minute and a half for one search."""
    random = np.random.default_rng(0)
    table = pa.table({**{f"q{i}": random.integers(0, 100, 50) for i in range(4)}, "s": ["a", "b"] * 25})
    hierarchy = IntervalHierarchy.from_widths(0, 128, [2**power for power in range(7)])
    request = request_of(
        table,
        {f"q{i}": hierarchy for i in range(4)},
        [Slow("s", 3.0)],
        sensitive=["s"],
        keep=[],
        suppression_limit=0.0,
        subset=None,
        population=None,
    )
    return impossible(*request.coded(), request.require, 0, deadline=deadline, on_progress=on_progress)


def test_the_explanation_keeps_within_the_time_of_the_call_and_shows_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[int, int]] = []
    for seconds, deadline in ((10.0, Deadline(0.4)), (0.4, Deadline(60.0)), (0.4, None)):
        monkeypatch.setattr(explain, "_SECONDS", seconds)
        begun = time.monotonic()
        said = explained(deadline, lambda done, every: shown.append((done, every)))
        assert time.monotonic() - begun < 5  # of over 90 seconds for each setting
        assert "It took long, so it was not looked for further." in said
        assert "fails" not in said  # nothing is claimed that was not seen
        assert "was not seen to work; a setting that works is entropy 2-diversity" in said  # all rows as one class
    assert shown
    assert all(0 <= done <= every for done, every in shown)


def test_the_coarsest_node_tells_what_it_can_when_there_is_no_time_for_others() -> None:
    def trial(seconds: float) -> _Trials:
        return _Trials(*coded_table(), 0, Deadline(seconds), None)

    assert trial(1e-9).works([KAnonymity(2)]) is True  # one class of 8
    assert trial(1e-9).works([KAnonymity(9)]) is False  # and nothing finer
    assert trial(1e-9).works([Pairs(2)]) is None  # the raw values are four pairs
    assert trial(60.0).works([Pairs(2)]) is True
    assert _nearest(trial(1e-9), KAnonymity(10**6)) == (KAnonymity(8), True)
    known, unknown = (_nearest(trial(seconds), Loose(0.03)) for seconds in (60.0, 1e-9))
    assert known == (Loose(0.125), True)
    assert unknown == (Loose(0.125), False)


def test_the_suppression_asked_for_is_one_that_is_taken_and_suffices() -> None:
    """Two of 20,003 rows may stay: the share in four digits would be 1.0, which is refused."""
    table = pa.table({"q": [*range(20_001), 30_000, 30_000]})
    hierarchy = {"q": TreeHierarchy(rows=tuple((str(value),) for value in [*range(20_001), 30_000]))}
    with pytest.raises(DataError, match="suppresses 20001 rows") as caught:
        anonymize(table, quasi=hierarchy, require=[Pairs(2)], suppression_limit=0.1)
    limit = float(str(caught.value).split("at least ")[1].split(",")[0])
    assert limit < 1
    assert anonymize(table, quasi=hierarchy, require=[Pairs(2)], suppression_limit=limit).table.num_rows == 2
