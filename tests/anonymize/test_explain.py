"""An impossible request names what binds and the nearest setting that works."""

from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import TreeHierarchy
from tacit.anonymize.privacy_models import (
    AlphaKAnonymity,
    AverageRisk,
    DistinctLDiversity,
    EntropyLDiversity,
    KAnonymity,
    RecursiveLDiversity,
)
from tacit.anonymize.release import anonymize
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


def test_the_suppression_that_would_be_needed_is_named() -> None:
    with pytest.raises(DataError, match=r"suppresses 4 rows\. Raise suppression_limit to at least 0\.5"):
        anonymize(TABLE.set_column(0, "q", [list("aabbcccc")]), quasi={"q": TREE}, require=[Pairs(2)])


def test_models_that_only_fail_together_are_said_to() -> None:
    with pytest.raises(DataError, match=r"Each works alone, together they do not\. Without pairs the others work\. Without 3-"):
        anonymize(TABLE, quasi={"q": TREE}, require=[Pairs(2), KAnonymity(3)])
