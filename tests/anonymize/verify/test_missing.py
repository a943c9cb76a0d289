"""Missing values as a category and as a wildcard (T1), and combinations of quasi-identifiers (T2)."""

import random
from itertools import product
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.verify import verify_release

Cells = tuple[str | None, ...]


def found(rows: list[Cells], k: int, missing: Any = "wildcard", **more: Any) -> tuple[str, ...]:
    names = ["a", "b", "c"][: len(rows[0])]
    table = pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)})
    asked: dict[str, Any] = {"quasi": names, "require": [{"model": "k-anonymity", "k": k}], **more}
    return verify_release(table, original_rows=len(rows), suppression_limit=0, missing=missing, **asked).problems


def test_a_missing_cell_counts_for_the_rows_that_tell_one_never_they_for_it() -> None:
    """Two rows (1, x) and two (missing, x): whoever has (1, x) may be any of four, whoever has (7, x) one of two."""
    rows: list[Cells] = [("1", "x"), ("1", "x"), (None, "x"), (None, "x")]
    assert found(rows, 2) == ()
    assert found(rows, 3) == ("1 of 2 classes have fewer than 3 rows",)
    assert found(rows[:3], 2) == ("1 of 2 classes have fewer than 2 rows",)  # sdcMicro issue 225 counted three


def test_own_category_is_the_stricter_of_the_two() -> None:
    rows: list[Cells] = [("1", "x"), ("*", "x"), ("*", "x")]
    assert found(rows, 2) == ()
    assert found(rows, 2, "own category") == ("1 of 2 classes have fewer than 2 rows",)


def least_candidates(rows: list[Cells], row: Cells) -> int:
    """Over everything that the missing cells of a row could be, the fewest rows that somebody with these values may be."""
    options = [sorted({str(r[i]) for r in rows if r[i] is not None} | {"fresh"}) if v is None else [v] for i, v in enumerate(row)]
    people = [tuple(str(v) for v in values) for values in product(*options)]
    return min(sum(all(c is None or c == v for c, v in zip(r, person, strict=True)) for r in rows) for person in people)


def test_wildcards_are_counted_as_by_trying_out_every_value() -> None:
    r = random.Random(3)
    for _ in range(150):
        rows = [tuple(r.choice(["1", "2", None]) for _ in range(3)) for _ in range(r.randint(2, 9))]
        least = min(least_candidates(rows, row) for row in rows)
        assert found(rows, least) == ()
        assert found(rows, least + 1) != ()


def test_diversity_under_wildcards_counts_the_values_of_the_same_rows() -> None:
    table = pa.table({"a": ["1", "1", None], "ill": ["flu", "flu", "cold"]})
    asked: Any = {"quasi": ["a"], "original_rows": 3, "suppression_limit": 0, "missing": "wildcard"}
    two = [{"model": "distinct-l-diversity", "column": "ill", "l": 2}]
    assert verify_release(table, require=two, **asked).problems == ("1 of 2 classes hold fewer than 2 values of column 'ill'",)
    risk = [{"model": "average-risk", "threshold": 0.55}]  # (1/3 + 1/3 + 1) / 3 = 0.556
    assert not verify_release(table, require=risk, **asked).ok
    assert verify_release(table, require=[{"model": "average-risk", "threshold": 0.56}], **asked).ok
    alone = [{"model": "sample-uniqueness", "threshold": 0.33}]
    assert not verify_release(table, require=alone, **asked).ok


@pytest.mark.parametrize("model", ["entropy-l-diversity", "recursive-l-diversity", "alpha-k", "lkc", "k-map", "t-closeness"])
def test_a_model_that_more_rows_may_break_is_not_confirmed_under_wildcards(model: str) -> None:
    parameters: dict[str, dict[str, Any]] = {
        "entropy-l-diversity": {"column": "b", "l": 1.1},
        "recursive-l-diversity": {"column": "b", "c": 9, "l": 1},
        "alpha-k": {"column": "b", "alpha": 1, "k": 1},
        "lkc": {"column": "b", "l": 1, "k": 1, "c": 1},
        "t-closeness": {"column": "b", "t": 1, "distance": "equal"},
        "k-map": {"k": 1},
    }
    form = {"model": model, **parameters[model]}
    assert "wildcard" in found([("1", "x"), ("1", "x")], 1, quasi=["a"], require=[form])[0]


def test_an_unknown_reading_of_missing_is_a_problem() -> None:
    assert found([("1", "x")], 1, "ignore") == ("missing is one of own category, wildcard, not 'ignore'",)


def test_every_combination_of_columns_keeps_k_after_later_ones_were_protected() -> None:
    """T2: by (a, b) and by (b, c) alone; the cell lost for (b, c) opened (a, b) again."""
    rows: list[Cells] = [("1", "x", "p"), ("1", None, "p"), ("2", "y", "q"), ("2", "y", "q")]
    problems = found(rows, 2, "own category", quasi=["c"], combinations=[["a", "b"]])
    assert problems == ("the combination ['a', 'b'] names no quasi-identifiers, or there is no k-anonymity that it should have",)
    opened = found(rows, 2, "own category", combinations=[["a", "c"], ["a", "b"]])
    assert "of the combination ['a', 'b'], 2 of 3 classes have fewer than 2 rows" in opened
    assert not [problem for problem in opened if "['a', 'c']" in problem]
    whole: list[Cells] = [("1", "x", "p"), ("1", "x", "p"), ("2", "y", "q"), ("2", "y", "q")]
    assert found(whole, 2, "own category", combinations=[["a", "b"], ["b", "c"]]) == ()
    other = [{"model": "sample-uniqueness", "threshold": 0}]
    assert found(whole, 2, "own category", combinations=[["a"]], require=other) != ()


def test_nan_and_null_are_one_missing_value() -> None:
    table = pa.table({"age": pa.array([float("nan"), None, 7.0, 7.0], pa.float64())})
    asked: Any = {"quasi": ["age"], "original_rows": 4, "suppression_limit": 0}
    assert verify_release(table, require=[{"model": "k-anonymity", "k": 2}], **asked).problems == ()
    assert verify_release(table, require=[{"model": "k-anonymity", "k": 3}], **asked).problems == (
        "2 of 2 classes have fewer than 3 rows",
    )
