"""`tacit anonymize`: a release and its manifest, in 80 columns or JSON; whole or not at all, and never in the place of its input."""

import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from command_line import Answer, start, tacit
from tacit.anonymize.manifest import table_digest

TOWNS = ("Kiel", "Husum", "Jena", "Gera", "Bonn")
ILLNESSES = ("flu", "cold", "gout")


def csv_of(names: list[str], rows: list[list[Any]]) -> str:
    return "\n".join(",".join(map(str, row)) for row in [names, *rows]) + "\n"


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """120 made-up people, 4 of them in a town of their own, with an awkward column name; a file of towns and one of ages."""
    monkeypatch.setenv("COLUMNS", "80")
    chance = random.Random(5)
    rows = [
        [
            20 + chance.randrange(60),
            10000 + 7 * chance.randrange(30),
            TOWNS[n % 4 if n < 116 else 4],
            ILLNESSES[n % 3],
            f"u{n}@example.org",
            n % 2,
        ]
        for n in range(120)
    ]
    names = ["age", "zip [x] code", "town", "illness", "contact", "drawn"]
    (tmp_path / "people.csv").write_text(csv_of(names, rows), encoding="utf-8")
    (tmp_path / "towns.csv").write_text("Kiel;coast\nHusum;coast\nJena;hills\nGera;hills\nBonn;hills\n", encoding="utf-8")
    (tmp_path / "age.json").write_text('{"widths": [10, 20], "low": 0, "high": 100}', encoding="utf-8")
    return tmp_path


BY_AGE = ("people.csv", "--out", "release.csv", "--quasi", "age", "--hierarchy", "age=age.json", "--k", "5")


def released(folder: Path, name: str = "release.csv") -> list[dict[str, Any]]:
    return list(pyarrow.csv.read_csv(folder / name).to_pylist())


def manifest(folder: Path, name: str = "release.csv") -> dict[str, Any]:
    return dict(json.loads((folder / f"{name}.manifest.json").read_text()))


def assert_refused(answer: Answer, folder: Path, code: int, *words: str) -> None:
    """One message with these words, this exit code, no file made or changed by it."""
    assert (answer.code, answer.out) == (code, ""), answer.error
    said = " ".join(answer.error.split())
    for word in words:
        assert word in said, said
    assert "Traceback" not in said
    assert said.count("Error") == 1
    assert len(said) < 700
    assert not list(folder.glob("release*")), "nothing was written"
    assert not list(folder.glob(".tacit*"))


def test_the_screen_fits_80_columns_and_says_what_was_done_and_what_it_is_not(people: Path) -> None:
    arguments = ("--quasi", "zip [x] code", "--quasi", "town", "--hierarchy", "town=towns.csv", "--keep", "illness")
    answer = tacit("anonymize", *BY_AGE, *arguments, "--suppression-limit", "0.1", folder=people)
    assert (answer.code, answer.error) == (0, "")
    assert max(len(line) for line in answer.out.splitlines()) <= 80
    said = " ".join(answer.out.split())
    for words in (
        "zip [x] code ",
        "built from the data",
        "level 1: 11 intervals",
        "of 120 rows released, in ",
        "proved optimal",
        "Holds k-anonymity (k 5): checked by a second implementation",
        "not differential privacy",
        "Not released, being named in no option: contact, drawn.",
        "Written: release.csv and release.csv.manifest.json",
    ):
        assert words in said, (words, said)


def test_the_release_is_what_the_manifest_says_and_k_anonymous_by_hand(people: Path) -> None:
    before = {path.name: path.read_bytes() for path in people.iterdir()}
    assert tacit("anonymize", *BY_AGE, "--quasi", "town", "--keep", "illness", folder=people).code == 0
    rows, told = released(people), manifest(people)
    sizes = Counter((row["age"], row["town"]) for row in rows)
    assert list(rows[0]) == ["age", "town", "illness"]
    assert (len(rows), len(sizes), min(sizes.values())) == (120, told["classes"], told["smallest_class"])
    assert min(sizes.values()) >= 5
    assert set(told["settings"]["hierarchies"]) == {"age", "town"}
    after = {name: (people / name).read_bytes() for name in before}
    assert after == before
    assert sorted(set(os.listdir(people)) - set(before)) == ["release.csv", "release.csv.manifest.json"]


def test_json_is_the_manifest_that_is_written(people: Path) -> None:
    """And, apart from it, what is for the custodian: levels, gap and what a column lost by a hierarchy from the data."""
    answer = tacit("anonymize", *BY_AGE, "--quasi", "town", "--json", folder=people)
    told = json.loads(answer.out)
    assert set(told) == {"manifest", "custodian"}
    assert told["manifest"] == manifest(people)
    assert told["manifest"]["losses"]["town"] is None
    assert told["custodian"]["losses"]["town"] >= 0
    assert not {"levels", "gap", "checked", "nodes"} & set(told["manifest"])
    assert {"levels", "gap", "checked", "nodes"} < set(told["custodian"])


def test_parquet_is_written_where_the_name_says_so(people: Path) -> None:
    arguments = [argument.replace(".csv", ".parquet") if argument == "release.csv" else argument for argument in BY_AGE]
    assert tacit("anonymize", *arguments, folder=people).code == 0
    table = pyarrow.parquet.read_table(people / "release.parquet")
    assert table_digest(table) == manifest(people, "release.parquet")["sha256"]


def run(folder: Path, name: str, *arguments: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the release and its figures under these options, the custodian's before the manifest's."""
    answer = tacit("anonymize", "people.csv", "--out", name, *arguments, "--json", folder=folder)
    assert answer.code == 0, answer.error
    told = json.loads(answer.out)
    return released(folder, name), {**told["manifest"], **told["custodian"]}


_PLAIN = ("--quasi", "age", "--quasi", "town", "--k", "5")


@pytest.mark.parametrize(
    ("more", "shows"),
    [
        (("--k", "9"), "smallest_class"),
        (("--require", "k-anonymity:k=9"), "smallest_class"),
        (("--require", "distinct-l-diversity:column=illness,l=3"), "models"),
        (("--require", '{"model": "distinct-l-diversity", "column": "illness", "l": 3}'), "models"),
        (("--require", 't-closeness:column=illness,t=0.4,order=["cold","flu","gout"]'), "models"),
        (("--hierarchy", "age=age.json"), "levels"),
        (("--keep", "illness"), "columns"),
        (("--sensitive", "illness"), "columns"),
        (("--suppression-limit", "0.1"), "suppressed"),
        (("--recoding", "mondrian"), "score"),
        (("--recoding", "local", "--suppression-limit", "0.1"), "score"),
        (("--recoding", "microaggregation"), "score"),
        (("--recoding", "microaggregation:k=9"), "smallest_class"),
        (("--recoding", "cell-suppression:limit=0.1", "--suppression-limit", "0.1"), "search"),
        (("--aggregate", "geometric mean"), "score"),
        (("--weight", "town=0.01"), "levels"),
        (("--suppression-limit", "0.3", "--generalization-vs-suppression", "0.9"), "score"),
        (("--subset", "drawn"), "rows"),
        (("--require", "k-map:k=5", "--population", "people.csv"), "models"),
    ],
)
def test_every_option_changes_what_comes_out(people: Path, more: tuple[str, ...], shows: str) -> None:
    outcomes = []
    for name, arguments in (("plain.csv", _PLAIN), ("other.csv", (*_PLAIN, *more))):
        rows, told = run(people, name, *arguments)
        outcomes.append({**told, "columns": list(rows[0]), "models": told["settings"]["models"]})
    assert outcomes[0][shows] != outcomes[1][shows]


def test_means_are_called_means_and_odd_columns_are_named(people: Path) -> None:
    lines = (people / "people.csv").read_text(encoding="utf-8").splitlines()
    rows = ["pay,gone", *(f"{n if n else 'unknown'}," for n in range(120))]
    (people / "odd.csv").write_text("\n".join(map(",".join, zip(lines, rows, strict=True))) + "\n", encoding="utf-8")
    asked = ("odd.csv", "--quasi", "age", "--k", "5", "--keep", "gone", "--keep", "pay")
    answer = tacit("anonymize", *asked, "--out", "a.csv", "--recoding", "microaggregation", folder=people)
    assert (answer.code, answer.error) == (0, "")
    said = " ".join(answer.out.split())
    assert "age mean " in said
    assert "gone: missing in every row; it is released and tells nothing." in said
    assert "pay: read as text, not as numbers, as 1 of 120 values are none." in said
    assert "age: read" not in said
    told = json.loads(tacit("anonymize", *asked, "--out", "b.csv", "--json", folder=people).out)
    assert len(told["custodian"]["remarks"]) == 2
    assert "remarks" not in told["manifest"]


def test_k_map_with_automatic_hierarchies_holds_a_larger_population(people: Path) -> None:
    everyone = (people / "people.csv").read_text(encoding="utf-8") + "3,10000,Ulm,flu,x,0\n99,10000,Ulm,flu,x,0\n"
    (people / "everyone.csv").write_text(everyone, encoding="utf-8")
    asked = ("--quasi", "age", "--quasi", "town", "--require", "k-map:k=5", "--population", "everyone.csv")
    answer = tacit("anonymize", "people.csv", "--out", "a.csv", *asked, folder=people)
    assert (answer.code, answer.error) == (0, "")


def test_delta_presence_takes_the_rows_of_a_true_false_column_as_the_subset(people: Path) -> None:
    rows, told = run(
        people, "release.csv", "--quasi", "town", "--require", "delta-presence:d_min=0.4,d_max=0.6", "--subset", "drawn"
    )
    assert told["rows"] == 60
    assert len(rows) == 60


def test_the_encoding_of_text_files_is_used(people: Path) -> None:
    text = (people / "people.csv").read_text(encoding="utf-8").replace("Kiel", "Köln")
    (people / "people.csv").write_bytes(text.encode("latin-1"))
    arguments = ("--quasi", "age", "--keep", "town", "--k", "5")
    assert tacit("anonymize", "people.csv", "--out", "a.csv", *arguments, folder=people).code == 1
    assert tacit("anonymize", "people.csv", "--out", "b.csv", *arguments, "--encoding", "latin-1", folder=people).code == 0
    assert "Köln" in (people / "b.csv").read_text(encoding="utf-8")


def test_a_time_limit_ends_a_search_with_the_best_found_and_says_so(people: Path) -> None:
    wide(people)
    answer = tacit("anonymize", *WIDE, "--time-limit", "0.5", "--json", folder=people)
    assert answer.code == 0, answer.error
    told = json.loads(answer.out)
    assert "best found" in told["manifest"]["search"]
    assert told["custodian"]["checked"] < told["custodian"]["nodes"]


def test_a_column_name_cannot_steer_the_terminal(people: Path) -> None:
    name = "ill\x1b[31m"
    (people / "odd.csv").write_text(f"{name},age\n" + "flu,31\ncold,31\n" * 9, encoding="utf-8")
    model = f"distinct-l-diversity:column={name},l=2"
    answer = tacit("anonymize", "odd.csv", "--out", "release.csv", "--quasi", "age", "--require", model, folder=people)
    assert (answer.code, "column ill?[31m, l 2" in answer.out, "\x1b" in answer.out) == (0, True, False)


# --- Bad input: one clear error each --------------------------------------------------------------------------------------


_TOWN = ("people.csv", "--out", "release.csv", "--quasi", "town")

_WRONG = {
    "a hierarchy that misses values": (
        (*_TOWN, "--k", "5", "--hierarchy", "town=short.csv"),
        1,
        ["'town'", "1 of its 5", "private"],
    ),
    "a hierarchy that is not monotone": (
        (*_TOWN, "--k", "5", "--hierarchy", "town=crossed.csv"),
        2,
        ["town=crossed.csv", "not monotone"],
    ),
    "cuts that are not monotone": (
        (*_TOWN[:4], "age", "--k", "5", "--hierarchy", "age=crossed.json"),
        2,
        ["age=crossed.json", "level 2"],
    ),
    "a hierarchy of no values": ((*_TOWN, "--k", "5", "--hierarchy", "town=empty.csv"), 2, ["town=empty.csv", "rows"]),
    "a hierarchy of nothing": ((*_TOWN, "--k", "5", "--hierarchy", "town=absent.csv"), 2, ["town=absent.csv", "cannot be read"]),
    "a JSON hierarchy of nothing": (
        (*_TOWN, "--k", "5", "--hierarchy", "town=absent.json"),
        2,
        ["absent.json", "cannot be read"],
    ),
    "a JSON hierarchy that is none": ((*_TOWN, "--k", "5", "--hierarchy", "town=towns.json"), 2, ["towns.json", "not JSON"]),
    "a JSON hierarchy that is a list": ((*_TOWN, "--k", "5", "--hierarchy", "town=list.json"), 2, ["list.json", "one object"]),
    "a hierarchy without its column": ((*_TOWN, "--k", "5", "--hierarchy", "towns.csv"), 2, ["COLUMN=FILE"]),
    "two hierarchies of a column": ((*_TOWN, "--k", "5", *("--hierarchy", "town=towns.csv") * 2), 2, ["has a hierarchy already"]),
    "a hierarchy of no quasi-identifier": ((*_TOWN, "--k", "5", "--hierarchy", "age=age.json"), 2, ["['age']", "ignored"]),
    "intervals for texts": ((*_TOWN, "--k", "5", "--hierarchy", "town=age.json"), 1, ["'town'", "need numbers"]),
    "values outside the bounds": ((*_TOWN[:4], "age", "--k", "5", "--hierarchy", "age=narrow.json"), 1, ["'age'", "outside"]),
    "quasi and sensitive": ((*_TOWN, "--k", "5", "--sensitive", "town"), 2, ["['town']", "sensitive"]),
    "quasi and named by a model": ((*_TOWN, "--require", "distinct-l-diversity:column=town,l=2"), 2, ["['town']", "sensitive"]),
    "quasi twice": ((*_TOWN, "--quasi", "town", "--k", "5"), 2, ["['town']", "twice"]),
    "kept and sensitive": ((*_TOWN, "--k", "5", "--keep", "illness", "--sensitive", "illness"), 2, ["['illness']", "twice"]),
    "k above the rows": ((*_TOWN, "--k", "121"), 1, ["121-anonymity", "120 rows", "nearest setting that works is 120"]),
    "k of one": ((*_TOWN, "--k", "1"), 2, ["k must be a whole number >= 2"]),
    "k of no number": ((*_TOWN, "--k", "five"), 2, ["--k"]),
    "no model": (_TOWN, 2, ["--k 5"]),
    "an unknown model": ((*_TOWN, "--require", "k-anonimity:k=5"), 2, ["'k-anonimity'", "k-anonymity"]),
    "a model without a value": ((*_TOWN, "--require", "k-anonymity:k"), 2, ["NAME:KEY=VALUE"]),
    "a parameter twice": ((*_TOWN, "--require", "k-anonymity:k=5,k=2"), 2, ["'k' stands there twice"]),
    "a model renamed": ((*_TOWN, "--require", "k-anonymity:k=5,model=lkc"), 2, ["'model' stands there twice"]),
    "a parameter too many": ((*_TOWN, "--require", "k-anonymity:k=5,t=0.1"), 2, ["['k', 't']"]),
    "JSON that is none": ((*_TOWN, "--require", '{"model": '), 2, ["starts like JSON"]),
    "a limit of one": ((*_TOWN, "--k", "5", "--suppression-limit", "1"), 2, ["suppression_limit", "< 1"]),
    "a limit below zero": ((*_TOWN, "--k", "5", "--suppression-limit", "-0.1"), 2, ["suppression_limit", ">= 0"]),
    "a limit that is no number": ((*_TOWN, "--k", "5", "--suppression-limit", "nan"), 2, ["suppression_limit"]),
    "a slider outside 0 to 1": ((*_TOWN, "--k", "5", "--generalization-vs-suppression", "1.5"), 2, ["0..1"]),
    "a share outside 0 to 1": ((*_TOWN, "--require", "t-closeness:column=illness,t=1.5"), 2, ["t", "1.5"]),
    "a time of zero": ((*_TOWN, "--k", "5", "--time-limit", "0"), 2, ["time_limit"]),
    "a weight that is no number": ((*_TOWN, "--k", "5", "--weight", "town=much"), 2, ["COLUMN=NUMBER"]),
    "a weight twice": ((*_TOWN, "--k", "5", *("--weight", "town=2") * 2), 2, ["COLUMN=NUMBER"]),
    "a weight of another column": ((*_TOWN, "--k", "5", "--weight", "age=2"), 2, ["['age']"]),
    "a weight below zero": ((*_TOWN, "--k", "5", "--weight", "town=-2"), 2, [">= 0"]),
    "an unknown aggregate": ((*_TOWN, "--k", "5", "--aggregate", "median"), 2, ["'median'", "geometric mean"]),
    "an unknown recoding": ((*_TOWN, "--k", "5", "--recoding", "global"), 2, ["'global'", "mondrian"]),
    "a recoding without its limit": ((*_TOWN, "--k", "5", "--recoding", "cell-suppression"), 2, ["limit=0.05"]),
    "a limit of cells above one": ((*_TOWN, "--k", "5", "--recoding", "cell-suppression:limit=2"), 2, ["<= 1", "2"]),
    "a limit of cells in words": ((*_TOWN, "--k", "5", "--recoding", "cell-suppression:limit=few"), 2, ["limit=0.05"]),
    "a setting of no recoding": ((*_TOWN, "--k", "5", "--recoding", "mondrian:k=5"), 2, ["'mondrian:k=5'", "microaggregation"]),
    "a setting twice": ((*_TOWN, "--k", "5", "--recoding", "microaggregation:k=5,k=6"), 2, ["'k' stands there twice"]),
    "microaggregation of texts": ((*_TOWN, "--k", "5", "--recoding", "microaggregation"), 2, ["numbers"]),
    "microaggregation of one row": ((*_TOWN, "--k", "5", "--recoding", "microaggregation:k=1"), 2, [">= 2"]),
    "microaggregation of few": ((*_TOWN, "--k", "5", "--recoding", "microaggregation:k=few"), 2, ["'few'", ">= 2"]),
    "a ledger without a name": ((*_TOWN, "--k", "5", "--ledger", "new.sqlite"), 2, ["--dataset NAME"]),
    "a name without a ledger": ((*_TOWN, "--k", "5", "--dataset", "people"), 2, ["--dataset", "--ledger FILE"]),
    "an anchor without a ledger": ((*_TOWN, "--k", "5", "--anchor", "head"), 2, ["--anchor", "--ledger FILE"]),
    "a ledger in no folder": (
        (*_TOWN, "--k", "5", "--ledger", "nowhere/l.sqlite", "--dataset", "people"),
        2,
        ["no folder 'nowhere'"],
    ),
    "a ledger that is none": ((*_TOWN, "--k", "5", "--ledger", "towns.csv", "--dataset", "people"), 1, ["towns.csv"]),
    "a name no ledger takes": (
        (*_TOWN, "--k", "5", "--suppression-limit", "0.5", "--ledger", "new.sqlite", "--dataset", "a\nb"),
        2,
        ["ledger", "printable"],
    ),
    "a sensitive column of one value": (
        ("one.csv", *_TOWN[1:], "--k", "2", "--sensitive", "illness"),
        1,
        ["'illness'", "one value"],
    ),
    "a column missing in every row": (("gone.csv", *_TOWN[1:], "--k", "2"), 1, ["'town'", "not missing"]),
    "a sensitive column missing in every row": (
        ("void.csv", *_TOWN[1:], "--k", "2", "--sensitive", "illness"),
        1,
        ["'illness'", "missing"],
    ),
    "duplicated column names": (("twins.csv", *_TOWN[1:], "--k", "2"), 1, ["columns 2 and 3", "same name"]),
    "a column the table lacks": (
        ("people.csv", "--out", "release.csv", "--quasi", "city", "--k", "5"),
        1,
        ["'city'", "is not in the table"],
    ),
    "a kept column the table lacks": ((*_TOWN, "--k", "5", "--keep", "city"), 1, ["'city'", "is not in the table"]),
    "a kept column that names people": (
        (*_TOWN, "--k", "5", "--keep", "contact"),
        1,
        ["'contact'", "e-mail", "would name people"],
    ),
    "a model without its population": ((*_TOWN, "--require", "k-map:k=5"), 2, ["population"]),
    "a model without its subset": ((*_TOWN, "--require", "delta-presence:d_min=0,d_max=0.5"), 2, ["subset"]),
    "a subset that is no yes or no": ((*_TOWN, "--k", "5", "--subset", "age"), 1, ["'age'", "true or false"]),
    "a population of other types": (
        (*_TOWN[:4], "age", "--require", "k-map:k=5", "--population", "words.csv"),
        1,
        ["'age'", "population"],
    ),
    "a missing table": (("absent.csv", *_TOWN[1:], "--k", "5"), 1, ["absent.csv"]),
    "a table of no rows": (("bare.csv", *_TOWN[1:], "--k", "5"), 1, ["bare.csv", "empty"]),
    "a release of no known format": (("people.csv", "--out", "release.xls", *_TOWN[3:], "--k", "5"), 2, [".csv or .parquet"]),
    "a release in no folder": (("people.csv", "--out", "nowhere/release.csv", *_TOWN[3:], "--k", "5"), 2, ["'nowhere'"]),
}


@pytest.mark.parametrize("case", _WRONG)
def test_bad_input_ends_in_one_clear_error_and_nothing_is_written(people: Path, case: str) -> None:
    rows = "".join(f"{'Kiel' if n % 2 else 'Jena'},ill\n" for n in range(8))
    texts = {
        "short.csv": "Kiel;coast\nHusum;coast\nJena;hills\nGera;hills\n",
        "crossed.csv": "Kiel;coast;north\nHusum;coast;west\nJena;hills;south\nGera;hills;south\nBonn;hills;south\n",
        "crossed.json": '{"cuts": [[30, 60], [40]], "low": 0, "high": 100}',
        "narrow.json": '{"widths": [5], "low": 30, "high": 40}',
        "empty.csv": "",
        "towns.json": "Kiel;coast\n",
        "list.json": "[1, 2]",
        "one.csv": f"town,illness\n{rows}",
        "gone.csv": "town,illness\n" + ",flu\n,cold\n" * 4,
        "void.csv": "town,illness\n" + "Kiel,NA\nJena,NA\n" * 4,
        "twins.csv": f"town,illness,illness\n{rows.replace('ill', 'flu,ill')}",
        "words.csv": "age\nyoung\nold\n",
        "bare.csv": "town,illness\n",
    }
    for name, text in texts.items():
        (people / name).write_text(text, encoding="utf-8")
    before = {name: (people / name).read_bytes() for name in os.listdir(people)}
    arguments, code, words = _WRONG[case]
    answer = tacit("anonymize", *arguments, folder=people)
    if answer.error.startswith("Usage"):  # the command line's own words
        answer = Answer(answer.code, answer.out, answer.error[answer.error.index("Error") :])
    assert_refused(answer, people, code, *words)
    assert {name: (people / name).read_bytes() for name in os.listdir(people)} == before
    for town in (*TOWNS, "coast"):
        assert town not in answer.error, "values of private rows do not appear in messages"


def test_mixed_types_are_texts_and_are_released_as_such(people: Path) -> None:
    (people / "mixed.csv").write_text("age,x\n" + "31,a\nunknown,b\n31,c\n4.5,d\n" * 5, encoding="utf-8")
    answer = tacit("anonymize", "mixed.csv", "--out", "release.csv", "--quasi", "age", "--k", "5", folder=people)
    assert answer.code == 0, answer.error
    assert Counter(row["age"] for row in released(people)) == {"31": 10, "4.5": 5, "unknown": 5}


def test_lists_in_a_column_are_refused(people: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"town": [["Kiel"], ["Jena"]] * 4}), people / "lists.parquet")
    answer = tacit("anonymize", "lists.parquet", *_TOWN[1:], "--k", "2", folder=people)
    assert_refused(answer, people, 1, "'town'", "list")


@pytest.mark.parametrize("taken", ["people.csv", "towns.csv", "everyone.csv", "linked.csv"])
def test_no_input_is_ever_overwritten(people: Path, taken: str) -> None:
    (people / "everyone.csv").write_bytes((people / "people.csv").read_bytes())
    (people / "linked.csv").symlink_to(people / "people.csv")
    before = (people / taken).read_bytes()
    arguments = ("--quasi", "town", "--hierarchy", "town=towns.csv", "--population", "everyone.csv", "--k", "5")
    answer = tacit("anonymize", "people.csv", "--out", taken, *arguments, folder=people)
    assert_refused(answer, people, 2, taken, "never touched")
    assert (people / taken).read_bytes() == before


@pytest.mark.parametrize("taken", ["release.csv", "release.csv.manifest.json"])
def test_a_file_that_is_there_is_kept(people: Path, taken: str) -> None:
    (people / taken).write_text("mine", encoding="utf-8")
    answer = tacit("anonymize", *BY_AGE, folder=people)
    assert (answer.code, answer.out) == (2, "")
    assert f"{taken} exists already" in answer.error
    assert [path.name for path in people.glob("release*")] == [taken]
    assert (people / taken).read_text() == "mine"


# --- Whole or not at all --------------------------------------------------------------------------------------------------

WIDE = (
    "wide.csv",
    "--out",
    "release.csv",
    "--k",
    "5",
    "--suppression-limit",
    "0.5",
    *(part for n in range(16) for part in ("--quasi", f"q{n}")),
)


def wide(folder: Path) -> None:
    """Write a table whose search takes far longer than any test: 16 columns of 8 levels."""
    chance = random.Random(1)
    rows = [[chance.randrange(1000) for _ in range(16)] for _ in range(400)]
    (folder / "wide.csv").write_text(csv_of([f"q{n}" for n in range(16)], rows), encoding="utf-8")


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_an_interrupted_run_leaves_nothing(people: Path) -> None:
    wide(people)
    before = {name: (people / name).read_bytes() for name in os.listdir(people)}
    process = start("anonymize", *WIDE, folder=people)
    while processor_seconds(process.pid) < 2:  # beyond what starting takes
        assert process.poll() is None, "it must still be searching"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Interrupted" in error
    assert "Traceback" not in error
    assert {name: (people / name).read_bytes() for name in os.listdir(people)} == before


def test_a_manifest_tells_no_value_that_was_left_out(people: Path) -> None:
    """The four people of Bonn are suppressed; a hierarchy that was built from the data would list their town."""
    answer = tacit(
        *("anonymize", "people.csv", "--out", "out.csv", "--quasi", "town", "--k", "5", "--suppression-limit", "0.1"),
        folder=people,
    )
    assert answer.code == 0
    told = (people / "out.csv.manifest.json").read_text(encoding="utf-8")
    assert "Kiel" in (people / "out.csv").read_text(encoding="utf-8")
    assert "Bonn" not in (people / "out.csv").read_text(encoding="utf-8") + told
    assert json.loads(told)["settings"]["hierarchies"]["town"] == {"origin": "data"}
