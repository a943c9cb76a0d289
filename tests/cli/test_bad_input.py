"""Bad input: one clear message that says what to do, a non-zero exit code, no traceback, nothing lost or half-written."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command_line import Answer, grant, kill_in_mid_training, start, tacit
from small_study import TEXT, write_small_study
from tacit.privacy.ledger import verify


def assert_clear(answer: Answer, code: int, *words: str) -> None:
    """The answer has this exit code and one message with these words, and no traceback."""
    assert answer.code == code, (answer.code, answer.error)
    assert "Traceback" not in answer.error + answer.out
    for word in words:
        assert word in answer.error, answer.error
    assert len(answer.error) < 1500


def assert_nothing_half_written(folder: Path) -> None:
    assert not [path for path in folder.rglob("*") if path.name.endswith((".partial", ".old", ".part"))]
    if (folder / "ledger.sqlite").exists():
        assert verify(folder / "ledger.sqlite").ok


def edit(folder: Path, old: str, new: str, file: str = "study.toml") -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")


def test_a_missing_study_file(tmp_path: Path) -> None:
    assert_clear(tacit("run", "nothing.toml", folder=tmp_path), 2, "nothing.toml", "tacit init")


def test_a_missing_data_file(small: Path) -> None:
    (small / "people.csv").unlink()
    assert_clear(tacit("run", folder=small), 1, "people.csv", "relative to the study file")
    assert_nothing_half_written(small)


def test_a_data_file_in_another_encoding(small: Path) -> None:
    text = (small / "people.csv").read_text().replace("Ada", "Zoë")
    (small / "people.csv").write_bytes(text.encode("latin-1"))
    assert_clear(tacit("run", folder=small), 1, "people.csv", "encoding")
    assert_nothing_half_written(small)
    edit(small, 'path = "people.csv"', 'path = "people.csv"\nencoding = "latin-1"')
    edit(small, TEXT[TEXT.index("[train]") : TEXT.index("[ledger]")], "")
    assert tacit("run", folder=small).code == 0


def test_a_column_the_table_lacks(small: Path) -> None:
    edit(small, "[columns.score]", "[columns.scores]")
    assert_clear(tacit("run", folder=small), 1, "'scores'", "score")
    assert_nothing_half_written(small)


@pytest.mark.parametrize("content", ["", "id,name,age,town,score,ill\n"])
def test_an_empty_table(small: Path, content: str) -> None:
    (small / "people.csv").write_text(content)
    assert_clear(tacit("run", folder=small), 1, "people.csv")
    assert_nothing_half_written(small)


def test_labels_of_one_class_only(small: Path) -> None:
    edit(small, ",yes\n", ",no\n", "people.csv")
    assert_clear(tacit("run", folder=small), 1, "'ill'", "nothing to tell apart")
    assert_nothing_half_written(small)
    assert verify(small / "ledger.sqlite").datasets["people"].epsilon == 0, "nothing was charged for a model that cannot be"


def test_missing_labels(small: Path) -> None:
    edit(small, ",yes\n", ",NaN\n", "people.csv")
    assert_clear(tacit("run", folder=small), 1, "'ill'", "row")
    assert_nothing_half_written(small)


def test_a_text_column_given_as_a_number(small: Path) -> None:
    edit(small, 'categories = ["north", "south"]', "bounds = [0, 1]")
    answer = tacit("run", folder=small)
    assert_clear(answer, 1, "'town'", "row")
    assert "north" not in answer.error, "values of private rows do not appear in messages"
    assert_nothing_half_written(small)


def test_a_label_that_was_not_declared(small: Path) -> None:
    edit(small, ",yes\n", ",perhaps\n", "people.csv")
    answer = tacit("run", folder=small)
    assert_clear(answer, 1, "'ill'")
    assert "perhaps" not in answer.error


def test_another_number_of_rows_than_declared(small: Path) -> None:
    edit(small, "rows = 400", "rows = 500")
    assert_clear(tacit("run", folder=small), 1, "400", "500", "public")


def test_a_budget_never_granted_and_one_already_spent(tmp_path: Path) -> None:
    write_small_study(tmp_path)
    assert_clear(tacit("run", folder=tmp_path), 3, "tacit ledger grant", "people")
    grant(tmp_path)
    assert tacit("run", folder=tmp_path).code == 0
    assert_clear(tacit("run", "--epsilon", "0.3", folder=tmp_path), 3, "left")
    assert_nothing_half_written(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epsilon = 2.0", "epsilonn = 2.0", ["train.epsilonn", "Did you mean `epsilon`", "study.toml:"]),
        ("[anonymize]", "[anonymise]", ["anonymise", "Did you mean `anonymize`"]),
        ("k = 4", "kk = 4", ["anonymize.kk", "Did you mean `k`"]),
        ('role = "feature"', 'rol = "feature"', ["columns.score.rol", "Did you mean `role`"]),
        ('role = "feature"', 'role = "featur"', ["columns.score.role", "feature"]),
        ("epsilon = 2.0", "epsilon = -2.0", ["train.epsilon", "greater than 0"]),
        ("epsilon = 2.0", 'epsilon = "two"', ["train.epsilon", "number"]),
        ("rows = 400", "", ["data.rows", "missing"]),
        ("k = 4", "k = 4 4", ["TOML"]),
        ("bounds = [0, 10]", "bounds = [10, 0]", ["low < high"]),
        ("bounds = [0, 10]", "", ["score", "bounds"]),
        ("widths = [10, 20]", "width = [10, 20]", ["age", "widths"]),
        ('role = "label"', 'role = "feature"', ["label"]),
        ('id = "id"', 'id = "idd"', ["idd"]),
        ("delta = 1e-5", "delta = 1.5", ["train.delta"]),
    ],
)
def test_a_study_that_is_written_wrongly(small: Path, old: str, new: str, words: list[str]) -> None:
    edit(small, old, new)
    answer = tacit("run", folder=small)
    assert_clear(answer, 2, *words)
    assert not (small / "runs/small/train").exists()


def test_a_direct_identifier_given_as_an_ordinary_column(small: Path) -> None:
    edit(small, '[columns.id]\nrole = "identifier"\ntreat = "drop"', '[columns.id]\nrole = "feature"\ncategories = ["x", "y"]')
    assert_clear(tacit("run", folder=small), 1, "'id'", 'role = "identifier"', "would name people")
    assert not (small / "runs/small/anonymize").exists()


def test_a_unit_column_is_refused_until_units_are_trained(small: Path) -> None:
    edit(small, '[columns.name]\nrole = "identifier"', '[columns.name]\nrole = "unit"')
    assert_clear(tacit("run", folder=small), 2, "unit", "one row")


def test_a_run_folder_of_another_version(again: Path) -> None:
    path = again / "runs/small/train/record.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    before = path.read_bytes()
    assert_clear(tacit("run", folder=again), 1, "another version", "runs/small")
    assert path.read_bytes() == before


def test_a_damaged_record(again: Path) -> None:
    path = again / "runs/small/twin/record.json"
    path.write_text(path.read_text()[:100])
    assert_clear(tacit("run", folder=again), 1, "damaged", "Nothing was changed")


def test_a_full_disk(small: Path) -> None:
    """A limit on the size of files stands for a full disk: writes fail in the middle of a step, for any user."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    command = [sys.executable, "-m", "tacit", "run"]
    (small / "ledger.sqlite").unlink()
    text = (small / "study.toml").read_text()
    (small / "study.toml").write_text(
        text[: text.index("[anonymize]")] + text[text.index("[ledger]") :].replace("ledger.sqlite", "l.sqlite")
    )
    process = subprocess.run(command, cwd=small, capture_output=True, text=True, preexec_fn=limit, check=False)
    assert_clear(Answer(process.returncode, process.stdout, process.stderr), 1, "room" if "room" in process.stderr else "disk")
    assert_nothing_half_written(small)
    assert tacit("run", folder=small).code == 0, "with space, the same command goes on"


def test_a_full_disk_in_mid_step(small: Path) -> None:
    ledger = (small / "ledger.sqlite").stat().st_size

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        room = ledger + 60_000  # enough for the ledger and its log, too little for the anonymized table of 4,000 people
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    write_small_study(small, TEXT.replace("rows = 400", "rows = 4000"), rows=4000)
    command = [sys.executable, "-m", "tacit", "run"]
    process = subprocess.run(command, cwd=small, capture_output=True, text=True, preexec_fn=limit, check=False)
    assert_clear(Answer(process.returncode, process.stdout, process.stderr), 1, "disk is full", "run the same command again")
    assert not (small / "runs/small/anonymize").exists()
    assert (small / "runs/small/scan/record.json").exists(), "finished steps are kept"
    assert_nothing_half_written(small)


def test_ctrl_c_in_mid_step_and_then_again(small: Path) -> None:
    edit(small, "audit_runs = 60", "audit_runs = 20000")
    process = start("run", folder=small)
    deadline = time.monotonic() + 120
    while not (small / "runs/small/audit.partial").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert_clear(Answer(process.returncode, out, error), 130, "Interrupted", "resume")
    assert_nothing_half_written(small)
    edit(small, "audit_runs = 20000", "audit_runs = 60")
    answer = tacit("run", folder=small)
    assert answer.code == 0, answer.error
    assert answer.out.count("already done") == 6, "finished steps were kept"


@pytest.mark.slow  # the fast tests have the same kill in test_walk, with runs between
def test_kill_in_mid_training_resumes_the_block_that_was_paid_for(small: Path) -> None:
    edit(small, "epochs = 4", "epochs = 40")
    kill_in_mid_training(small)
    spent = verify(small / "ledger.sqlite").datasets["people"].charged
    assert spent.epsilon > 1.9, "the whole block was charged before the first step"
    answer = tacit("run", folder=small)
    assert answer.code == 0, answer.error
    assert verify(small / "ledger.sqlite").datasets["people"].charged == spent
    assert json.loads((small / "runs/small/train/record.json").read_text())["step"] == "train"


def test_two_runs_of_one_study_at_once(small: Path) -> None:
    edit(small, "audit_runs = 60", "audit_runs = 20000")
    process = start("run", folder=small)
    deadline = time.monotonic() + 120
    while not (small / "runs/small/scan").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        assert_clear(tacit("run", folder=small), 1, "another process")
    finally:
        process.kill()
        process.communicate()
