"""`tacit init` looks and suggests; `tacit check` says what a study will promise, before it runs."""

import json
import tomllib
from pathlib import Path

import pytest

from command_line import grant, tacit
from small_study import write_small_study


@pytest.fixture
def table(tmp_path: Path) -> Path:
    write_small_study(tmp_path)
    (tmp_path / "study.toml").unlink()
    return tmp_path


def test_init_writes_what_it_saw_as_comments_and_never_as_values(table: Path) -> None:
    answer = tacit("init", "people.csv", folder=table)
    assert answer.code == 0, answer.error
    text = (table / "study.toml").read_text()
    study = tomllib.loads(text)
    assert "rows" not in study["data"]
    assert "seen: 400" in text
    for name, column in study["columns"].items():
        assert not {"bounds", "categories", "hierarchy", "above"} & column.keys(), name
    assert "seen: 20 to 80" in text
    assert '"north", "south"' in text or '"south", "north"' in text
    assert study["columns"]["age"]["role"] == "quasi"
    assert study["columns"]["id"]["role"] == "identifier"
    assert study["data"]["id"] == "id"


def test_what_init_wrote_becomes_a_running_study_by_declaring_what_it_lists(table: Path) -> None:
    answer = tacit("init", "people.csv", folder=table)
    assert "[data] rows" in answer.out
    text = (table / "study.toml").read_text()
    text = text.replace("# rows = ...", "rows = 400 #")
    declared = {
        "age": "bounds = [20, 80]",
        "score": "bounds = [0, 10]",
        "town": 'categories = ["north", "south"]',
        "ill": 'categories = ["no", "yes"]',
    }
    blocks = text.split("[columns.")
    for number, block in enumerate(blocks):
        name = block.partition("]")[0]
        if name in declared:
            lines = [line for line in block.splitlines() if not line.startswith(("# bounds", "# categories"))]
            lines.insert(1, declared[name])
            blocks[number] = "\n".join(lines) + "\n"
    text = "[columns.".join(blocks)
    label = text.index("[columns.ill]")
    text = text[:label] + text[label:].replace(f'role = "{tomllib.loads(text)["columns"]["ill"]["role"]}"', 'role = "label"', 1)
    text = (
        text.replace("# [train]", "[train]").replace("# epsilon = 3.0", "epsilon = 3.0").replace("# delta = 1e-5", "delta = 1e-5")
    )
    (table / "study.toml").write_text(text + "\n[evaluate]\naudit_runs = 60\naudit_canaries = 60\n")
    assert tacit("check", folder=table).code == 0, text
    grant(table, epsilon=3.0)
    ran = tacit("run", folder=table)
    assert ran.code == 0, ran.error


def test_init_never_overwrites_a_study(table: Path) -> None:
    (table / "study.toml").write_text("mine")
    answer = tacit("init", "people.csv", folder=table)
    assert answer.code == 2
    assert "--out" in answer.error
    assert (table / "study.toml").read_text() == "mine"


def test_init_into_a_folder_that_is_not_there_names_the_file_that_was_asked_for(table: Path) -> None:
    answer = tacit("init", "people.csv", "--out", "nowhere/study.toml", folder=table)
    assert answer.code == 1
    assert "nowhere/study.toml" in answer.error
    assert "Traceback" not in answer.error


def test_init_of_a_missing_table(tmp_path: Path) -> None:
    answer = tacit("init", "none.csv", folder=tmp_path)
    assert answer.code == 1
    assert "none.csv" in answer.error
    assert not list(tmp_path.iterdir())


def test_init_survives_hostile_names_and_values(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text('"a]\n[x","b ""q""",c\n"v\n1",2,"z\\"\n"w",3,y\n', encoding="utf-8")
    answer = tacit("init", "odd.csv", folder=tmp_path)
    assert answer.code == 0, answer.error
    study = tomllib.loads((tmp_path / "study.toml").read_text())
    assert set(study["columns"]) == {"a]\n[x", 'b "q"', "c"}


def test_init_as_json(table: Path) -> None:
    told = json.loads(tacit("init", "people.csv", "--out", "other.toml", "--json", folder=table).out)
    assert told["study"] == "other.toml"
    assert told["declare"]


def test_check_says_what_each_promise_is_about_and_reads_no_data(tmp_path: Path) -> None:
    write_small_study(tmp_path)
    (tmp_path / "people.csv").unlink()
    answer = tacit("check", folder=tmp_path)
    assert answer.code == 0
    for text in (
        "4-anonymous table",
        "no bound for the original person",
        "epsilon 2",
        "row of the original table",
        "tacit ledger grant",
    ):
        assert text in " ".join(answer.out.split())
    promises = json.loads(tacit("check", "--json", folder=tmp_path).out)
    assert [one["epsilon"] for one in promises] == [None, 2.0, None, None]


def test_run_as_json(tmp_path: Path) -> None:
    write_small_study(tmp_path)
    grant(tmp_path)
    told = json.loads(tacit("run", "--json", folder=tmp_path).out)
    assert told["study"] == "small"
    assert told["records"]["train"]["findings"][0]["kind"] == "guarantee"
    assert told["spent"]["epsilon"] == pytest.approx(told["records"]["train"]["findings"][0]["value"], abs=1e-8)
