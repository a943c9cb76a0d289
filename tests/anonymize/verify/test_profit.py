"""The check's own measure of what a released value covers, and of what it pays to publish it."""

import datetime
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.coding import code_table
from tacit.anonymize.hierarchies import DateHierarchy, Hierarchy, IntervalHierarchy, RedactionHierarchy, TreeHierarchy
from tacit.anonymize.verify import Recoding, verify_release
from tacit.anonymize.verify.domains import domains_of
from tacit.anonymize.verify.evidence import Evidence
from tacit.anonymize.verify.labels import at_level

DAYS = [datetime.date(2019, 12, 30), datetime.date(2020, 1, 1), datetime.date(2020, 2, 29), datetime.date(2021, 3, 1), None]
FIRST, LAST = datetime.date(2019, 12, 25), datetime.date(2021, 3, 4)
KINDS: list[tuple[Hierarchy, pa.Array]] = [
    (IntervalHierarchy(low=0, high=10, cuts=((1, 4, 6), (4,))), pa.array([0.0, 1.0, 3.9, 10.0, None, 10.0])),
    (IntervalHierarchy(low=-5, high=3, cuts=((0,),)), pa.array([-5, 0, 3, None])),
    (TreeHierarchy(rows=(("a", "x", "*"), ("b", "x", "*"), ("c", "y", "*"))), pa.array(["a", "c", None, "a"])),
    (RedactionHierarchy(redact=(1, 3), length=5, alphabet=10), pa.array(["02139", "90210", None, "021"])),
    (DateHierarchy(first=FIRST, last=LAST, units=("day", "month", "quarter", "year", "decade")), pa.array(DAYS)),
    (DateHierarchy(first=FIRST, last=LAST, units=("week",)), pa.array(DAYS)),
]


@pytest.mark.parametrize(("hierarchy", "column"), KINDS, ids=lambda one: type(one).__name__)
def test_shares_and_domains_are_those_of_the_hierarchies_at_every_level(hierarchy: Hierarchy, column: pa.Array) -> None:
    """Counted here from the JSON form: rows under a label, days with a label, widths of intervals, powers of an alphabet."""
    table = pa.table({"q": column})
    coded = code_table(table, {"q": hierarchy})[0]
    for level in range(hierarchy.levels):
        released = pa.table({"q": at_level(column, hierarchy.to_json(), level)})
        evidence = Evidence(released=released, quasi=("q",), rows=len(column))
        found = domains_of(evidence, Recoding(original=table, hierarchies={"q": hierarchy.to_json()}, levels={"q": level}), None)
        assert list(found.sizes) == [coded.leaves]
        for row, share in enumerate(coded.shares[level][coded.rows].tolist()):
            assert found.shares[evidence.class_of[row]] == pytest.approx((max(share, 1 / coded.leaves),), rel=1e-12)


TREE = TreeHierarchy(rows=tuple((value, value[0], "*") for value in ("a1", "a2", "b1", "b2")))


def asked(form: dict[str, Any], rows: int, **more: Any) -> tuple[str, ...]:
    """Return what is wrong with so many rows of a1 and a2 released as "a", beside a column of four values released as "*"."""
    original = pa.table({"p": (["a1", "a2"] * rows)[:rows], "q": (["a1", "b1"] * rows)[:rows]})
    released = pa.table({"p": ["a"] * rows, "q": ["*"] * rows})
    settings: dict[str, Any] = {
        "recoding": Recoding(original=original, hierarchies=dict.fromkeys("pq", TREE.to_json()), levels={"p": 1, "q": 2}),
        "original_rows": rows,
        "suppression_limit": 0,
    }
    return verify_release(released, quasi=["p", "q"], require=[form], **{**settings, **more}).problems


def game(benefit: float = 1200, loss: float = 1200, gain: float = 300, cost: float = 4, attacker: str = "prosecutor") -> Any:
    return {"model": "profitability", "benefit": benefit, "loss": loss, "gain": gain, "cost": cost, "attacker": attacker}


def test_a_row_that_just_pays_and_one_row_less() -> None:
    """1 of 16 combinations is known of a raw row, 8 of 16 of these: log 2 / log 16 = 1/4 is kept, worth 300 of 1,200.

    Among 5 rows the risk costs 240, among 4 it costs 300: strictly more is asked for. At a cost of 75 nobody looks among 4.
    """
    refused = ("1 of 1 classes cost their publisher as much as they bring, or more (prosecutor)",)
    assert asked(game(), 5) == ()
    assert asked(game(), 4) == refused
    assert asked(game(loss=1199.99), 4) == ()
    assert asked(game(cost=75), 4) == ()
    assert asked(game(cost=74.99), 4) == refused
    assert asked(game(cost=75), 3) == refused


def test_a_journalist_looks_among_the_population() -> None:
    people = pa.table({"p": ["a1", "a2", "a2", "a1", "a1", "b1"], "q": ["a1", "b1", "b2", "b2", "a2", "a1"]})
    assert asked(game(attacker="journalist"), 2, population=people) == ()
    assert asked(game(attacker="journalist"), 2, population=people.slice(1))[0].startswith("1 of 1 classes cost")
    assert asked(game(attacker="prosecutor"), 2, population=people) != ()


def test_what_cannot_be_measured_is_a_problem() -> None:
    assert "declared levels alone" in asked(game(), 5, recoding=None, original=None)[0]
    assert "is not one this check knows" in asked(game(benefit=0), 5)[0]
    assert "is not one this check knows" in asked(game(attacker="anybody"), 5)[0]
