"""What holds for hierarchies of every kind: levels merge, shares grow, the JSON form reads back, private values stay private."""

import datetime
import json
import random
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import DateHierarchy, IntervalHierarchy, RedactionHierarchy, TreeHierarchy, automatic
from tacit.anonymize.hierarchy_spec import hierarchy_for
from tacit.errors import ConfigError, DataError
from tacit.tables.schema import Column, Kind, Role

DAYS = [datetime.date(1968, 12, 20) + datetime.timedelta(days=17 * i) for i in range(200)]
YEAR = (datetime.date(2020, 1, 1), datetime.date(2020, 12, 31))
WORDS = [f"{i:04d}"[: 2 + i % 3] for i in range(0, 9000, 37)]
KINDS: dict[str, tuple[Any, list[Any]]] = {
    "widths": (IntervalHierarchy.from_widths(0, 97, [0.5, 2, 10, 50]), [x / 4 for x in range(0, 97 * 4 + 1, 3)]),
    "groups": (TreeHierarchy.from_groups({"x": {"p": ["a", "b"], "q": ["c"]}, "y": ["d", "e"]}), list("abcde")),
    "order": (TreeHierarchy.from_order([*"abcdefghijk"], [2, 4, 8]), list("abcdefghijk")),
    "months": (DateHierarchy(first=DAYS[0], last=DAYS[-1], units=("day", "month", "quarter", "year", "decade")), DAYS),
    "weeks": (DateHierarchy(first=DAYS[0], last=DAYS[-1], units=("day", "week")), DAYS),
    "prefixes": (RedactionHierarchy(length=4, redact=(1, 2, 3)), sorted(set(WORDS))),
    "suffixes": (RedactionHierarchy(length=4, redact=(1, 3), side="left", align="right", pad="0"), sorted(set(WORDS))),
    "automatic numbers": (automatic(pa.array([3, 17, 29, 90])), [3, 17, 29, 90]),
    "automatic categories": (automatic(pa.array(list("aaabbbccdef"))), list("abcdef")),
    "automatic dates": (automatic(pa.array(DAYS)), DAYS),
    "automatic codes": (
        automatic(pa.array([f"{i:05d}" for i in range(0, 90000, 777)])),
        [f"{i:05d}" for i in range(0, 90000, 777)],
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def by_level(hierarchy: Any, values: list[Any]) -> Any:
    """Return labels and shares of the values for each level, "*" included."""
    found = [hierarchy.generalize(pa.array(values), level) for level in range(1, hierarchy.levels - 1)]
    raw = ([str(value) for value in values], [hierarchy.leaf_share] * len(values))
    return [raw, *((labels, shares.tolist()) for labels, shares in found), (["*"] * len(values), [1.0] * len(values))]


@every_kind
def test_a_level_only_merges_what_the_level_before_tells_apart_and_covers_at_least_as_much(kind: str) -> None:
    levels = by_level(*KINDS[kind])
    for (fine, fine_shares), (coarse, coarse_shares) in pairwise(levels):
        assert len(set(zip(fine, coarse, strict=True))) == len(set(fine))
        assert all(low <= high for low, high in zip(fine_shares, coarse_shares, strict=True))


@every_kind
def test_equal_labels_have_equal_shares_and_shares_lie_between_zero_and_one(kind: str) -> None:
    for labels, shares in by_level(*KINDS[kind])[1:]:
        assert len(set(zip(labels, shares, strict=True))) == len(set(labels))
        assert all(0 < share <= 1 for share in shares)
        assert sum(dict(zip(labels, shares, strict=True)).values()) <= 1 + 1e-9


@every_kind
def test_the_json_form_reads_back_as_the_same_hierarchy(kind: str) -> None:
    hierarchy = KINDS[kind][0]
    column = Column(name="c", role=Role.QUASI, kind=Kind.CATEGORICAL)
    assert hierarchy_for(column, json.loads(json.dumps(hierarchy.to_json()))) == hierarchy


@every_kind
def test_the_order_of_values_does_not_matter(kind: str) -> None:
    hierarchy, values = KINDS[kind]
    mixed = random.Random(1).sample(values, len(values))
    for level in range(1, hierarchy.levels - 1):
        straight = dict(zip(values, hierarchy.generalize(pa.array(values), level)[0], strict=True))
        assert dict(zip(mixed, hierarchy.generalize(pa.array(mixed), level)[0], strict=True)) == straight


@every_kind
def test_no_values_are_no_labels(kind: str) -> None:
    hierarchy, values = KINDS[kind]
    empty = pa.array([], pa.array(values).type)
    hierarchy.check(empty)
    assert hierarchy.generalize(empty, 1)[0] == []


@every_kind
def test_the_description_has_one_line_a_level_and_tells_the_origin(kind: str) -> None:
    hierarchy, _ = KINDS[kind]
    title, *lines = hierarchy.describe().splitlines()
    assert len(lines) == hierarchy.levels
    assert title.endswith("(built from the data)" if kind.startswith("automatic") else "(declared)")
    assert hierarchy.to_json().get("origin", "declared") == hierarchy.origin


@pytest.mark.parametrize(
    ("hierarchy", "values"),
    [
        (DateHierarchy(first=YEAR[0], last=YEAR[1]), pa.array([datetime.date(7777, 1, 1)])),
        (DateHierarchy(first=YEAR[0], last=YEAR[1]), pa.array(["2020-06-31 and 7777"])),
        (DateHierarchy(first=YEAR[0], last=YEAR[1]), pa.array([7777])),
        (RedactionHierarchy(length=3, redact=(1,)), pa.array(["7777"])),
        (RedactionHierarchy(length=3, redact=(1,)), pa.array([7777])),
        (IntervalHierarchy(low=0, high=10), pa.array([2**62 + 7777])),
        (TreeHierarchy.from_order(["a", "b"], [2]), pa.array(["7777"])),
    ],
)
def test_a_value_outside_is_refused_and_not_shown(hierarchy: Any, values: pa.Array) -> None:
    with pytest.raises(DataError) as caught:
        hierarchy.check(values)
    assert "7777" not in str(caught.value)


def test_rows_that_are_not_monotone_are_named_by_number_and_never_by_their_text() -> None:
    with pytest.raises(ConfigError, match=r"not monotone: rows 1 and 3 .* level 1,.* level 2") as caught:
        TreeHierarchy(rows=(("Ann", "clinic", "north"), ("Bob", "office", "north"), ("Eve", "clinic", "south")))
    assert not any(text in str(caught.value) for text in ("Ann", "Eve", "clinic", "north", "south"))
    with pytest.raises(ConfigError, match="rows 1 and 2") as caught:
        TreeHierarchy(rows=(("Ann", "x"), ("Ann", "y")))
    assert "Ann" not in str(caught.value)


@pytest.mark.parametrize("origin", ["", "rows", None])
def test_an_origin_that_means_nothing_is_refused(origin: Any) -> None:
    makers: list[Any] = [
        lambda: IntervalHierarchy(low=0, high=1, origin=origin),
        lambda: TreeHierarchy(rows=(("a",),), origin=origin),
        lambda: DateHierarchy(first=YEAR[0], last=YEAR[1], origin=origin),
        lambda: RedactionHierarchy(length=3, redact=(), origin=origin),
    ]
    for make in makers:
        with pytest.raises(ConfigError, match="origin"):
            make()
