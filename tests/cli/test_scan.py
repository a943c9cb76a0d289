"""`tacit scan`: a table of 80 columns, JSON, and one clear message for what cannot be scanned."""

import json
import os
from pathlib import Path

import pytest

from command_line import tacit

CSV = "full name,contact,zip,age,note [b]\n" + "".join(
    f"Ann Ash{i},u{i}@example.org,{10000 + 37 * i},{20 + i % 50},called on 3/4/2021 at 202-555-{i:04d} about the bill again\n"
    for i in range(60)
)


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "people.csv").write_text(CSV, encoding="utf-8")
    return tmp_path


def test_the_table_fits_80_columns_and_says_what_each_column_seems_to_be(people: Path) -> None:
    answer = tacit("scan", "people.csv", folder=people)
    assert (answer.code, answer.error) == (0, "")
    assert max(len(line) for line in answer.out.splitlines()) <= 80
    said = " ".join(answer.out.split())
    for words in ("full name", "e-mail identifier 99%", "postcode quasi", "age quasi", "note [b] free text", "phone in 100%"):
        assert words in said, words
    assert "Not for release" in said
    assert "HIPAA" not in said
    assert "u1@" not in said


def test_the_reports_asked_for_are_shown_in_80_columns(people: Path) -> None:
    answer = tacit("scan", "people.csv", "--hipaa", "--separation", folder=people)
    assert max(len(line) for line in answer.out.splitlines()) <= 80
    said = " ".join(answer.out.split())
    for words in ("A names found full name", "Q photographs of faces not looked for", "zip + age 100.00%", "unique rows"):
        assert words in said, words


def test_json_holds_the_findings_and_the_reports_asked_for(people: Path) -> None:
    told = json.loads(tacit("scan", "people.csv", "--json", "--hipaa", "--separation", folder=people).out)
    assert [(one["column"], one["kind"], one["role"], one["remedy"]) for one in told["columns"]] == [
        ("full name", "name", "identifier", "pseudonymize"),
        ("contact", "e-mail", "identifier", "pseudonymize"),
        ("zip", "postcode", "quasi", "generalize"),
        ("age", "age", "quasi", "generalize"),
        ("note [b]", "free text", "identifier", "drop"),
    ]
    assert len(told["hipaa"]) == 18
    assert [one["columns"] for one in told["separation"]] == [["age"], ["zip"], ["zip", "age"]]
    assert set(json.loads(tacit("scan", "people.csv", "--json", folder=people).out)) == {"columns"}


def test_names_of_a_file_are_looked_for(people: Path) -> None:
    (people / "staff.txt").write_text("Okafor\n\nKwame Mensah\n", encoding="utf-8")
    (people / "desk.csv").write_text("x7\n" + "okafor\nmensah\nkwame mensah\n" * 5, encoding="utf-8")
    plain = json.loads(tacit("scan", "desk.csv", "--json", folder=people).out)["columns"][0]
    listed = json.loads(tacit("scan", "desk.csv", "--json", "--names", "staff.txt", folder=people).out)["columns"][0]
    assert (plain["kind"], listed["kind"]) == ("", "name")


def test_another_encoding_is_read(people: Path) -> None:
    (people / "latin.csv").write_bytes("prénom,âge\nJürgen,30\nInés,40\n".encode("latin-1"))
    assert tacit("scan", "latin.csv", folder=people).code == 1
    answer = tacit("scan", "latin.csv", "--encoding", "latin-1", "--json", folder=people)
    assert [one["kind"] for one in json.loads(answer.out)["columns"]] == ["name", "age"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nothing.csv"], 1, "there is no file"),
        (["empty.csv"], 1, "empty"),
        (["people.csv", "--names", "nothing.txt"], 2, "list of names"),
        (["people.csv", "--names", "bytes.txt"], 2, "UTF-8"),
        (["people.csv", "--no-such-option"], 2, "No such option"),
        ([], 2, "Missing argument"),
    ],
)
def test_what_cannot_be_scanned_ends_in_one_message_and_an_exit_code(
    people: Path, arguments: list[str], code: int, words: str
) -> None:
    (people / "empty.csv").write_text("", encoding="utf-8")
    (people / "bytes.txt").write_bytes(b"\xff\xfe\xff")
    answer = tacit("scan", *arguments, folder=people)
    assert answer.code == code
    assert words in answer.error
    assert "Traceback" not in answer.error
    assert answer.out == ""


def test_scanning_changes_no_file(people: Path) -> None:
    before = {name: (people / name).read_bytes() for name in os.listdir(people)}
    tacit("scan", "people.csv", "--hipaa", "--separation", folder=people)
    assert {name: (people / name).read_bytes() for name in os.listdir(people)} == before
