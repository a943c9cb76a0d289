"""`tacit risk`: a view of 80 columns, JSON, and one clear message for what cannot be measured."""

import json
from pathlib import Path

import pytest

from command_line import tacit

ROWS = [f"{20 + i % 3},{'ab'[i % 2]},{i},{'xy'[i % 2]}" for i in range(12)] + ["77,a,12,y"]  # six classes of two rows, one of one


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    head = "age,zip [x],n,ill\n"
    released = [f"*,{row.split(',')[1]},{row.split(',')[3]}" for row in ROWS]
    (tmp_path / "people.csv").write_text(head + "\n".join(ROWS) + "\n", encoding="utf-8")
    (tmp_path / "release.csv").write_text("age,zip [x],ill\n" + "\n".join(sorted(released)) + "\n", encoding="utf-8")
    (tmp_path / "everyone.csv").write_text(head + "\n".join(ROWS * 5) + "\n", encoding="utf-8")
    (tmp_path / "others.csv").write_text(head + "20,b,1,x\n21,a,2,y\n22,b,3,y\n", encoding="utf-8")
    return tmp_path


QUASI = ("--quasi", "age", "--quasi", "zip [x]")


def test_the_view_fits_80_columns_and_has_before_beside_after(people: Path) -> None:
    """Every figure by hand: six classes of 2 rows and one of 1, of 10 and 5 people; after, classes of 7 and 6, of 35 and 30 people.

    Age is "*" after: half of the loss. Bits of age: 12 log2(13 / 4) + log2(13). The divergence, with areas of 4:
    3 * 2/13 log2(8 / 7) + 1/13 log2(4 / 7) + 3 * 2/13 log2(8 / 6).
    """
    files = ("--after", "release.csv", "--population", "everyone.csv", "--control", "others.csv")
    more = ("--population-size", "500", "--sensitive", "ill", "--target", "ill")
    answer = tacit("risk", "people.csv", *QUASI, *files, *more, folder=people)
    assert (answer.code, answer.error) == (0, "")
    assert max(len(line) for line in answer.out.splitlines()) <= 80
    said = " ".join(answer.out.split())
    for words in (
        "before after",
        "rows 13 13",
        "highest risk 100.00% 16.67%",
        "average risk 53.85% 15.38%",
        "rows above risk 0.2 100.00% 0.00%",
        "unique rows 1 0",
        "largest journalist risk 20.00% 3.33%",
        "marketer risk 10.77% 3.08%",
        "sample uniqueness 7.69% 0.00%",
        "population uniqueness (dankar)",
        "attacks (95% intervals) singling out: success",
        "linkability: residual risk",
        "inference of ill: success 100.0% (77.2, 100.0) 92.3% (66.7, 98.6)",
        "utility: what was lost loss (NCP) 0.00% 50.00%",
        "precision lost 0.00% 50.00%",
        "discernibility 25 85",
        "average class size 1.86 6.5",
        "non-uniform entropy 0 24.1",
        "Kullback-Leibler divergence 0 0.218",
        "error of counts 0.00%",
        "accuracy of a classifier 92.31% 92.31%",
        "accuracy of one answer to all 46.15% 46.15%",
        "Each attack was tried",
        "Residual risk",
        "Not for release",
    ):
        assert words in said, f"{words}\n{answer.out}"


def test_without_a_control_no_residual_risk_is_claimed(people: Path) -> None:
    answer = tacit("risk", "people.csv", *QUASI, "--after", "release.csv", folder=people)
    said = " ".join(answer.out.split())
    assert "residual risk is known" in said
    assert "residual risk " not in said.replace("residual risk is known", "")
    assert "Inference was not tried" in said
    assert "Linkability" not in tacit("risk", "people.csv", "--quasi", "age", folder=people).out


def test_the_attacks_are_tried_as_often_as_asked(people: Path) -> None:
    answer = tacit("risk", "people.csv", *QUASI, "--after", "release.csv", "--attacks", "3", "--json", folder=people)
    tries = [one["n"] for found in json.loads(answer.out).values() for one in found if one["kind"] == "reidentification-attack"]
    assert set(tries) <= {2, 3}, "a release of two rows has two descriptions"
    assert 3 in tries


def test_a_release_whose_rows_cannot_be_told_shows_risk_and_says_why_utility_is_not_measured(people: Path) -> None:
    lines = (people / "release.csv").read_text().splitlines()
    (people / "release.csv").write_text("\n".join(lines[:-1]) + "\n")
    answer = tacit("risk", "people.csv", *QUASI, "--after", "release.csv", folder=people)
    assert answer.code == 0
    said = " ".join(answer.out.split())
    assert "Utility was not measured: 1 of the release's 2 classes" in said
    assert "highest risk 100.00% 20.00%" in said
    told = json.loads(tacit("risk", "people.csv", *QUASI, "--after", "release.csv", "--json", folder=people).out)
    assert [one["value"] for one in told["after"] if one["kind"] == "anonymization-utility"] == [None]


def test_a_hierarchy_file_says_what_labels_stand_for(people: Path) -> None:
    (people / "town.csv").write_text("x;north;*\ny;south;*\n", encoding="utf-8")
    text = (people / "people.csv").read_text()
    (people / "release.csv").write_text("ill\n" + "north\n" * 6 + "south\n" * 7, encoding="utf-8")
    options = ("--quasi", "ill", "--after", "release.csv", "--hierarchy", "ill=town.csv", "--population", "people.csv", "--json")
    told = json.loads(tacit("risk", "people.csv", *options, folder=people).out)
    values = {one["name"]: one["value"] for one in told["after"]}
    assert values["largest journalist risk, after"] == 1 / 6
    assert (values["loss (NCP), after"], values["precision lost, after"]) == (0.0, 0.5)
    assert (people / "people.csv").read_text() == text


def test_json_holds_the_findings_and_none_may_leave(people: Path) -> None:
    told = json.loads(tacit("risk", "people.csv", *QUASI, "--json", folder=people).out)
    assert set(told) == {"before"}
    assert {one["name"]: one["value"] for one in told["before"]}["average risk, before"] == 7 / 13
    assert all(one["basis"] == "exact" for one in told["before"])


def test_the_threshold_counts(people: Path) -> None:
    told = json.loads(tacit("risk", "people.csv", *QUASI, "--threshold", "0.5", "--json", folder=people).out)
    assert {one["name"]: one["value"] for one in told["before"]}["rows above risk 0.5, before"] == 1 / 13


BROKEN = {
    "empty.csv": "",
    "head.csv": "age,zip [x]\n",
    "gap.csv": "age,zip [x],ill\n,a,x\n,b,y\n",
    "twice.csv": "age,age,zip [x]\n1,2,a\n",
    "one.csv": "age,zip [x],n,ill\n20,a,1,x\n",
    "other.csv": "town,sex\nKiel,f\n",
    "text.csv": "age,zip [x]\nold,a\n",
    "more.csv": "age,zip [x]\n" + "*,a\n" * 20,
}


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (("people.csv", "--quasi", "absent"), "people.csv: column 'absent' is not in the table", 1),
        (("people.csv", "--quasi", "age", "--quasi", "age"), "named twice", 2),
        (("people.csv", "--quasi", "age", "--threshold", "0"), "threshold", 2),
        (("people.csv", "--quasi", "age", "--population-size", "3"), "population_size", 1),
        (("people.csv", "--quasi", "age", "--population", "release.csv"), "column 'age'", 1),
        (("absent.csv", "--quasi", "age"), "absent.csv", 1),
        (("people.csv",), "--quasi", 2),
        (("empty.csv", "--quasi", "age"), "empty.csv", 1),
        (("head.csv", "--quasi", "age"), "head.csv is an empty table", 1),
        (("gap.csv", "--quasi", "age"), "gap.csv: column 'age' has no value in any row", 1),
        (("twice.csv", "--quasi", "age"), "have the same name", 1),
        (("people.csv", *QUASI, "--after", "head.csv"), "head.csv is an empty table", 1),
        (("people.csv", *QUASI, "--after", "gap.csv"), "gap.csv: column 'age' has no value in any row", 1),
        (("people.csv", *QUASI, "--after", "other.csv"), "other.csv: column 'age' is not in the table", 1),
        (("people.csv", *QUASI, "--after", "more.csv"), "more.csv has 20 rows, more than the 13 of people.csv", 1),
        (("people.csv", *QUASI, "--after", "text.csv"), "column 'age': none of its released values", 1),
        (("people.csv", *QUASI, "--after", "release.csv", "--control", "other.csv"), "other.csv: column 'age' is not", 1),
        (("people.csv", *QUASI, "--after", "release.csv", "--sensitive", "n"), "release.csv: column 'n' is not", 1),
        (("people.csv", *QUASI, "--after", "release.csv", "--sensitive", "age"), "['age'] are quasi-identifiers", 2),
        (("people.csv", *QUASI, "--after", "release.csv", "--target", "n"), "column 'n' needs two classes", 1),
        (("people.csv", *QUASI, "--after", "release.csv", "--attacks", "0"), "attacks must be >= 1, got 0", 2),
        (("people.csv", *QUASI, "--after", "release.csv", "--hierarchy", "n=x.csv"), "of no quasi-identifier", 2),
        (("people.csv", *QUASI, "--sensitive", "ill"), "--sensitive: about a release", 2),
        (("people.csv", *QUASI, "--attacks", "5", "--control", "others.csv"), "--control, --attacks: about a release", 2),
    ],
)
def test_one_clear_message_for_what_cannot_be_measured(people: Path, arguments: tuple[str, ...], says: str, code: int) -> None:
    for name, text in BROKEN.items():
        (people / name).write_text(text, encoding="utf-8")
    answer = tacit("risk", *arguments, folder=people)
    assert (answer.code, answer.out) == (code, "")
    assert says in " ".join(answer.error.split())
    assert "Traceback" not in answer.error


def test_one_row_is_measured(people: Path) -> None:
    (people / "one.csv").write_text(BROKEN["one.csv"], encoding="utf-8")
    answer = tacit("risk", "one.csv", *QUASI, "--after", "one.csv", "--json", folder=people)
    told = json.loads(answer.out)
    assert {one["name"]: one["value"] for one in told["after"]}["highest risk, after"] == 1.0


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
