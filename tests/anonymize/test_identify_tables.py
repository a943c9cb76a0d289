"""Separation of columns, HIPAA's eighteen identifiers, names by a list, free text inside a table."""

import math
import random
from itertools import combinations
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.identify import ColumnFinding, hipaa_coverage, identify_columns, separation_table
from tacit.errors import ConfigError, DataError
from tacit.tables.schema import Role


def by_hand(rows: list[tuple[Any, ...]]) -> tuple[int, int, float, float]:
    """Classes, rows alone, distinction and separation by comparing every pair of rows."""
    differ = sum(one != other for one, other in combinations(rows, 2))
    pairs = len(rows) * (len(rows) - 1) / 2
    return len(set(rows)), sum(rows.count(row) == 1 for row in rows), len(set(rows)) / len(rows), differ / pairs


def test_separation_equals_the_comparison_of_all_pairs() -> None:
    pick = random.Random(4)
    columns: dict[str, list[Any]] = {
        "a": [pick.choice([1, 2, None]) for _ in range(60)],
        "b": [pick.choice(["x", "y", "z", None]) for _ in range(60)],
        "c": [pick.choice([0.5, 1.5, float("nan")]) for _ in range(60)],
        "d": [pick.randrange(40) for _ in range(60)],
    }
    plain = columns | {"c": [None if math.isnan(one) else one for one in columns["c"]]}
    table = separation_table(pa.table(columns), list(columns), up_to=4)
    assert len(table) == 15
    for one in table:
        rows = list(zip(*(plain[name] for name in one.columns), strict=True))
        classes, unique, distinction, separation = by_hand(rows)
        assert (one.classes, one.unique, one.distinction) == (classes, unique, distinction)
        assert one.separation == pytest.approx(separation, rel=1e-12)


def test_separation_is_right_when_possible_tuples_do_not_fit_64_bits() -> None:
    """Five columns of 2^16 values: modulo 2^64 the first would not count, and every row would have a twin that differs there."""
    size = 1 << 16
    rest = [*range(size), *range(size)]
    data = pa.table({"a": [*range(size), *range(1, size), 0]} | dict.fromkeys("bcde", rest))
    (whole,) = [one for one in separation_table(data, list("abcde"), up_to=5) if len(one.columns) == 5]
    assert (whole.classes, whole.unique, whole.separation) == (2 * size, 2 * size, 1.0)


@pytest.mark.data
def test_adult_has_the_distinction_that_arx_reports(adult: pa.Table) -> None:
    """Average prosecutor risk of the raw table is classes / rows; ARX 3.9.2 prints 0.6466 for its nine columns."""
    whole = separation_table(adult, adult.column_names, up_to=1)
    assert len(whole) == 9
    (all_nine,) = [one for one in separation_table(adult, adult.column_names, up_to=9) if len(one.columns) == 9]
    assert round(all_nine.distinction, 4) == 0.6466


def test_wrong_requests_for_a_separation_table_are_refused() -> None:
    data = pa.table({"a": [1, 2], "b": [1, 1]})
    for columns, up_to in (([], 2), ("a", 2), (["a", "a"], 2), (["a"], 0), (["a"], True)):
        with pytest.raises(ConfigError):
            separation_table(data, columns, up_to=up_to)
    with pytest.raises(DataError, match="'c'"):
        separation_table(data, ["c"])
    with pytest.raises(DataError, match="no rows"):
        separation_table(data.slice(0, 0), ["a"])
    assert separation_table(data.slice(0, 1), ["a"])[0].separation == 0.0


def test_progress_of_a_separation_table_counts_combinations() -> None:
    seen: list[tuple[int, int]] = []
    separation_table(pa.table({"a": [1], "b": [2], "c": [3]}), list("abc"), up_to=2, on_progress=lambda *at: seen.append(at))
    assert seen == [(done, 6) for done in range(1, 7)]


def finding(column: str, kind: str, *inside: str) -> ColumnFinding:
    return ColumnFinding(column=column, role=Role.IDENTIFIER, kind=kind, confidence=0.9, reasons=(), inside=inside)


def test_the_coverage_report_has_the_eighteen_identifiers_of_the_regulation() -> None:
    nothing = hipaa_coverage([])
    assert [one.letter for one in nothing] == list("ABCDEFGHIJKLMNOPQR")
    assert {one.letter for one in nothing if one.status == "not looked for"} == {"P", "Q"}
    assert all(one.status == "not found" for one in nothing if one.letter not in "PQ")
    assert all(one.how and not one.columns for one in nothing)


def test_the_coverage_report_names_the_columns() -> None:
    found = [
        finding("who", "name"),
        finding("note", "free text", "name", "phone"),
        finding("face", "photograph"),
        finding("x", "iban"),
    ]
    told = {one.letter: (one.status, one.columns) for one in hipaa_coverage(found)}
    assert told["A"] == ("found", ("who", "note (inside)"))
    assert told["D"] == ("found", ("note (inside)",))
    assert told["Q"] == ("found", ("face",))
    assert told["J"] == ("found", ("x",))
    assert told["F"] == ("not found", ())


@pytest.mark.parametrize(
    ("column", "values", "letter"),
    [
        ("Patient Name", ["Ann Ash", "Bo Birch", "Cy Cole"], "A"),
        ("zip", ["02139", "10001", "94110"], "B"),
        ("admitted", ["2020-01-03", "2021-02-28", "1999-12-31"], "C"),
        ("x", ["+1 202 555 0123", "+1 202 555 0124", "+1 202 555 0125"], "D"),
        ("Fax", ["202 555 0123", "202 555 0124", "202 555 0125"], "E"),
        ("x", ["a@example.org", "b@example.org", "c@example.org"], "F"),
        ("x", ["219-09-0001", "219-09-0002", "219-09-0003"], "G"),
        ("MRN", ["A1", "A2", "A3"], "H"),
        ("policy_number", ["A1", "A2", "A3"], "I"),
        ("x", ["DE89370400440532013000", "NO9386011117947", "GB29NWBK60161331926819"], "J"),
        ("drivers_license", ["A1", "A2", "A3"], "K"),
        ("x", ["1M8GDM9AXKP042788", "1M8GDM9AXKP042789", "1HGCM82633A004352"], "L"),
        ("x", ["00:1A:2B:3C:4D:5E", "00:1A:2B:3C:4D:5F", "00-1A-2B-3C-4D-60"], "M"),
        ("x", ["http://a.example/1", "https://a.example/2", "www.example.org/3"], "N"),
        ("x", ["10.0.0.1", "192.168.7.1", "2001:db8::1"], "O"),
        ("fingerprint", ["A1", "A2", "A3"], "P"),
        ("photo", ["a.png", "b.png", "c.png"], "Q"),
        ("x", ["56072808785", "54012566582", "91052703683"], "R"),
    ],
)
def test_each_of_the_eighteen_is_found_in_a_column_of_it(column: str, values: list[str], letter: str) -> None:
    (row,) = [one for one in hipaa_coverage(identify_columns(pa.table({column: values}))) if one.letter == letter]
    assert (row.status, row.columns) == ("found", (column,))


def test_names_of_a_list_are_found_where_no_shape_tells() -> None:
    data = pa.table({"x7": ["ann", "BO  birch", "cy o. cole", "müller", "dee"] * 3})
    assert identify_columns(data)[0].kind != "name"
    (found,) = identify_columns(data, names=["Ann Ash", "Birch", "Bo", "Cy Cole", "Muller", "Dee"])
    assert (found.role, found.kind) == (Role.IDENTIFIER, "name")
    assert "100% of distinct values are names of the list" in found.reasons[0]


def test_a_list_of_names_that_is_one_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="list of texts"):
        identify_columns(pa.table({"a": ["x"]}), names="Ann")


def test_a_column_of_free_text_says_what_was_found_inside() -> None:
    notes = [f"Mrs. Okafor called again at 202-555-{place:04d} about the pain, see 3/4/2021" for place in range(40)]
    (found,) = identify_columns(pa.table({"x7": notes}))
    assert (found.kind, set(found.inside)) == ("free text", {"name", "phone", "date"})
    assert "phone in 100%" in found.reasons[0]
    assert "Okafor" not in " ".join(found.reasons)
    (listed,) = identify_columns(pa.table({"x7": [note.replace("Mrs. ", "") for note in notes]}), names=["okafor"])
    assert "name" in listed.inside
