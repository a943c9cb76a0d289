"""`tacit risk`: a table of 80 columns, JSON, and one clear message for what cannot be measured."""

import json
from pathlib import Path

import pytest

from command_line import tacit

ROWS = [f"{20 + i % 3},{'ab'[i % 2]},{i}" for i in range(12)] + ["77,a,12"]  # six classes of two rows, one of one


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "people.csv").write_text("age,zip [x],n\n" + "\n".join(ROWS) + "\n", encoding="utf-8")
    (tmp_path / "release.csv").write_text("age,zip [x]\n" + "*,a\n" * 6 + "*,b\n" * 6, encoding="utf-8")
    (tmp_path / "everyone.csv").write_text("age,zip [x],n\n" + "\n".join(ROWS * 5) + "\n", encoding="utf-8")
    return tmp_path


QUASI = ("--quasi", "age", "--quasi", "zip [x]")


def test_the_table_fits_80_columns_and_has_before_beside_after(people: Path) -> None:
    answer = tacit(
        "risk",
        "people.csv",
        *QUASI,
        "--after",
        "release.csv",
        "--population",
        "everyone.csv",
        "--population-size",
        "500",
        folder=people,
    )
    assert (answer.code, answer.error) == (0, "")
    assert max(len(line) for line in answer.out.splitlines()) <= 80
    said = " ".join(answer.out.split())
    for words in (
        "risk before after",
        "highest risk 100.00% 16.67%",
        "average risk 53.85% 16.67%",
        "rows above risk 0.2 100.00% 0.00%",
        "unique rows 1 0",
        "largest journalist risk 20.00% –",
        "marketer risk 10.77% –",
        "sample uniqueness 7.69% 0.00%",
        "population uniqueness (dankar)",
        "rows 13 12",
        "Not for release",
    ):
        assert words in said, words


def test_json_holds_the_findings_and_none_may_leave(people: Path) -> None:
    told = json.loads(tacit("risk", "people.csv", *QUASI, "--json", folder=people).out)
    assert set(told) == {"before"}
    assert {one["name"]: one["value"] for one in told["before"]}["average risk, before"] == 7 / 13
    assert all(one["basis"] == "exact" for one in told["before"])


def test_the_threshold_counts(people: Path) -> None:
    told = json.loads(tacit("risk", "people.csv", *QUASI, "--threshold", "0.5", "--json", folder=people).out)
    assert {one["name"]: one["value"] for one in told["before"]}["rows above risk 0.5, before"] == 1 / 13


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (("people.csv", "--quasi", "absent"), "'absent' is not in the table", 1),
        (("people.csv", "--quasi", "age", "--quasi", "age"), "named more than once", 2),
        (("people.csv", "--quasi", "age", "--threshold", "0"), "threshold", 2),
        (("people.csv", "--quasi", "age", "--population-size", "3"), "population_size", 1),
        (("people.csv", "--quasi", "age", "--population", "release.csv"), "column 'age'", 1),
        (("absent.csv", "--quasi", "age"), "absent.csv", 1),
        (("people.csv",), "--quasi", 2),
    ],
)
def test_one_clear_message_for_what_cannot_be_measured(people: Path, arguments: tuple[str, ...], says: str, code: int) -> None:
    answer = tacit("risk", *arguments, folder=people)
    assert (answer.code, answer.out) == (code, "")
    assert says in " ".join(answer.error.split())
    assert "Traceback" not in answer.error


@pytest.mark.parametrize(
    ("option", "value", "name"),
    [("--population", "everyone.csv", "marketer"), ("--population-size", "500", "population uniqueness")],
)
def test_a_population_adds_its_risks(people: Path, option: str, value: str, name: str) -> None:
    without = tacit("risk", "people.csv", *QUASI, "--json", folder=people).out
    told = tacit("risk", "people.csv", *QUASI, option, value, "--json", folder=people).out
    assert name not in without
    assert name in told


def test_another_encoding_is_read(people: Path) -> None:
    (people / "latin.csv").write_bytes("prénom\nJürgen\nInés\n".encode("latin-1"))
    assert tacit("risk", "latin.csv", "--quasi", "prénom", folder=people).code == 1
    answer = tacit("risk", "latin.csv", "--quasi", "prénom", "--encoding", "latin-1", "--json", folder=people)
    assert json.loads(answer.out)["before"][0]["value"] == 1.0
