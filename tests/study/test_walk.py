"""The whole walk on a small study: what is left on disk, what the ledger knows, what is redone."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from command_line import Answer, grant, kill_in_mid_training, tacit
from tacit.privacy.ledger import Ledger, verify

STEPS = ["scan", "anonymize", "train", "twin", "evaluate", "attack", "audit", "report"]


def record(folder: Path, step: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((folder / "runs/small" / step / "record.json").read_text())
    return parsed


def test_each_step_leaves_a_folder_with_its_record(finished: tuple[Path, Answer]) -> None:
    folder, _ = finished
    for step in STEPS:
        one = record(folder, step)
        assert one["step"] == step
        assert one["settings"]
        assert re.fullmatch("[0-9a-f]{64}", one["inputs"]["data"])
        assert one["findings"], step
        assert one["seconds"] >= 0
        assert {"tacit", "python", "numpy"} <= set(one["versions"])
    assert not [path for path in (folder / "runs").rglob("*") if path.name.endswith((".partial", ".old"))]


def test_the_ledger_has_one_entry_for_every_access_and_every_release(finished: tuple[Path, Answer]) -> None:
    """Removing any one charge from the source makes this fail."""
    folder, _ = finished
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        kept = [entry for entry in ledger.entries() if entry.kind in ("dp", "not-dp", "read-only")]
        claimed = sum(entry.kind == "steps" for entry in ledger.entries())
        spent = ledger.spent("people")
    assert [(entry.kind, str(entry.request_id).split("/")[1]) for entry in kept] == [
        ("read-only", "scan"),
        ("not-dp", "anonymize"),
        ("dp", "train"),
        ("not-dp", "twin"),
        ("not-dp", "evaluate"),
        ("not-dp", "attack"),
    ]
    block = kept[2].content["block"]
    assert claimed == -(-block["steps"] // block["checkpoint_every"]) - 1, "every window of steps was claimed durably"
    assert 1.9 < spent.epsilon <= 2.0
    assert spent.delta == 1e-5


def test_the_epsilon_on_screen_is_that_of_the_ledger_in_a_fresh_process(finished: tuple[Path, Answer]) -> None:
    folder, answer = finished
    verified = json.loads(tacit("ledger", "verify", "ledger.sqlite", "--json", folder=folder).out)
    shown = re.search(r"epsilon spent, by the ledger\s+([\d.]+) of ([\d.]+)", answer.out)
    assert shown
    spent = verified["datasets"]["people"]["epsilon"]
    assert spent <= float(shown[1]) < spent + 2e-3, "an upper bound is rounded up"
    assert float(shown[2]) == 2.0


def test_the_screen_fits_80_columns_and_names_the_report(finished: tuple[Path, Answer]) -> None:
    _, answer = finished
    assert max(map(len, answer.out.splitlines())) <= 80
    for text in (
        "accuracy",
        "membership attack",
        "epsilon, proved at most",
        "epsilon, audited at least",
        "report/custodian.html",
    ):
        assert text in answer.out


def test_reports_and_models_carry_the_anchor_and_verify_with_it(finished: tuple[Path, Answer]) -> None:
    folder, _ = finished
    for anchor in ("runs/small/report/release.json", "runs/small/report/custodian.json", "runs/small/train/model"):
        answer = tacit("ledger", "verify", "ledger.sqlite", "--anchor", anchor, folder=folder)
        assert answer.code == 0, answer.error
        assert "are anchored" in answer.out
    assert "not protected against rollback" in tacit("ledger", "verify", "ledger.sqlite", folder=folder).out


def test_a_second_run_redoes_nothing(again: Path) -> None:
    before = {step: record(again, step)["finished"] for step in STEPS}
    answer = tacit("run", folder=again)
    assert answer.code == 0
    assert answer.out.count("already done") == len(STEPS)
    assert {step: record(again, step)["finished"] for step in STEPS} == before


@pytest.mark.parametrize(
    ("old", "new", "redone"),
    [
        ("k = 4", "k = 5", {"anonymize", "report"}),
        ("audit_runs = 60", "audit_runs = 61", {"audit", "report"}),
        ("widths = [10, 20]", "widths = [20]", {"anonymize", "report"}),
        ('name = "small"', 'name = "small"\ntitle = "Another title"', {"report"}),
    ],
)
def test_a_changed_setting_redoes_only_what_depends_on_it(again: Path, old: str, new: str, redone: set[str]) -> None:
    before = {step: record(again, step)["key"] for step in STEPS}
    study = again / "study.toml"
    study.write_text(study.read_text().replace(old, new))
    answer = tacit("run", folder=again)
    assert answer.code == 0, answer.error
    assert {step for step in STEPS if record(again, step)["key"] != before[step]} == redone
    assert answer.out.count("already done") == len(STEPS) - len(redone)


def test_a_changed_epsilon_is_refused_when_the_budget_is_spent_and_nothing_is_lost(again: Path) -> None:
    before = {step: record(again, step) for step in STEPS}
    answer = tacit("run", "--epsilon", "1.0", folder=again)
    assert answer.code == 3
    assert "BudgetExceeded" in answer.error
    assert "Traceback" not in answer.error
    assert {step: record(again, step) for step in STEPS} == before


def test_going_back_to_earlier_settings_brings_the_paid_model_back(again: Path) -> None:
    """Retraining would run on the few spare steps of a block that is used up."""
    weights = again / "runs/small/train/model/weights.safetensors"
    first = weights.read_bytes()
    grant(again, epsilon=1.0)
    assert tacit("ledger", "grant", "ledger.sqlite", "people", "--epsilon", "0.001", folder=again).code == 0
    assert tacit("run", "--epsilon", "1.0", folder=again).code == 0
    assert weights.read_bytes() != first
    answer = tacit("run", folder=again)
    assert answer.code == 0, answer.error
    assert weights.read_bytes() == first
    with Ledger.open(again / "ledger.sqlite") as ledger:
        assert sum(entry.kind == "dp" for entry in ledger.entries()) == 2


def test_a_paid_model_that_was_deleted_is_not_made_of_left_over_steps(again: Path) -> None:
    shutil.rmtree(again / "runs/small/train")
    answer = tacit("run", folder=again)
    assert answer.code == 1
    assert "its steps are used up" in answer.error


def test_a_step_that_left_the_study_leaves_the_run_folder(again: Path) -> None:
    study = again / "study.toml"
    study.write_text(study.read_text().replace("epochs = 4", "epochs = 4\ntwin = false"))
    answer = tacit("run", folder=again)
    assert answer.code == 0, answer.error
    assert not (again / "runs/small/twin").exists(), "a model without privacy would lie there unasked for"


@pytest.mark.parametrize("loss", ["another data set", "another ledger", "the ledger deleted", "the ledger rolled back"])
def test_finished_steps_are_reused_only_with_the_ledger_that_paid_for_them(again: Path, loss: str) -> None:
    """Else a report would state a guarantee and nothing spent."""
    study, text = again / "study.toml", (again / "study.toml").read_text()
    if loss == "another data set":
        study.write_text(text.replace('dataset = "people"', 'dataset = "others"'))
    elif loss == "another ledger":
        study.write_text(text.replace("ledger.sqlite", "other.sqlite"))
    else:
        for path in again.glob("ledger.sqlite*"):
            path.unlink()
    if loss == "the ledger rolled back":
        grant(again)
    answer = tacit("run", folder=again)
    assert answer.code == 1, answer.out
    assert "no entry for it" in answer.error
    assert json.loads((again / "runs/small/report/release.json").read_text())["ledgers"][0]["spent_epsilon"] > 1.9


def test_the_report_is_written_again_when_the_ledger_has_more_to_say(again: Path) -> None:
    assert tacit("ledger", "grant", "ledger.sqlite", "people", "--epsilon", "1", "--delta", "2e-5", folder=again).code == 0
    text = (again / "study.toml").read_text()
    (again / "other.toml").write_text(text.replace('name = "small"', 'name = "other"').replace("epsilon = 2.0", "epsilon = 0.8"))
    assert tacit("run", "other.toml", folder=again).code == 0
    assert tacit("run", folder=again).code == 0
    statement = json.loads((again / "runs/small/report/release.json").read_text())
    assert statement["ledgers"][0]["spent_epsilon"] > 2.7
    page = (again / "runs/small/report/release.html").read_text()
    assert "2 trainings are charged to these data" in page, "a search among models is not hidden"


def test_an_interrupted_training_survives_runs_with_other_settings(again: Path) -> None:
    """Its checkpoint belongs to its own request; what was paid is not lost."""
    assert tacit("ledger", "grant", "ledger.sqlite", "people", "--epsilon", "1", folder=again).code == 0
    study, text = again / "study.toml", (again / "study.toml").read_text()
    study.write_text(text.replace("epsilon = 2.0", "epsilon = 1.0").replace("epochs = 4", "epochs = 40"))
    kill_in_mid_training(again)
    assert list(again.glob("runs/small/secret/*.checkpoint"))
    paid = verify(again / "ledger.sqlite").datasets["people"].charged
    assert paid.epsilon > 2.9, "both blocks were charged before their first step"
    long_text = study.read_text()
    study.write_text(text)
    assert tacit("run", folder=again).code == 0
    study.write_text(long_text)
    answer = tacit("run", folder=again)
    assert answer.code == 0, answer.error
    assert verify(again / "ledger.sqlite").datasets["people"].charged == paid
    steps = {one["name"]: one["value"] for one in record(again, "train")["findings"]}
    assert steps["steps run"] == steps["steps"]


def test_an_altered_artifact_is_made_again(again: Path) -> None:
    table = again / "runs/small/anonymize/table.csv"
    table.write_text(table.read_text() + "tampered\n")
    answer = tacit("run", folder=again)
    assert answer.code == 0
    assert "tampered" not in table.read_text()


def test_the_released_table_is_k_anonymous_and_names_nobody(finished: tuple[Path, Answer]) -> None:
    import csv
    from collections import Counter

    with (finished[0] / "runs/small/anonymize/table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 380
    assert min(Counter((row["age"], row["town"]) for row in rows).values()) >= 4
    assert set(rows[0]) == {"age", "town", "score", "ill"}


def test_secrets_are_for_their_owner_alone(finished: tuple[Path, Answer]) -> None:
    folder = finished[0] / "runs/small"
    assert os.stat(folder / "secret").st_mode & 0o777 == 0o700
    private = [
        *(folder / "secret").iterdir(),
        *(folder / step / "record.json" for step in STEPS),
        folder / "report/custodian.html",
    ]
    for path in private:
        assert os.stat(path).st_mode & 0o077 == 0, path
    assert os.stat(folder).st_mode & 0o777 == 0o700, "what may leave is copied out"
    assert not list(folder.rglob("*.checkpoint")), "a finished training keeps no checkpoint"


def test_the_saved_model_predicts_from_its_own_card(finished: tuple[Path, Answer]) -> None:
    import numpy as np

    from tacit.models import load_model

    network, card = load_model(finished[0] / "runs/small/train/model")
    assert card["plan"]["epsilon"] <= 2.0
    assert card["randomness"] == {"source": "os-aes256-ctr", "private": True}
    probabilities = network.predict_proba(np.zeros((3, card_dimension(card))))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def card_dimension(card: Any) -> int:
    from tacit.tables import Encoding

    return Encoding.from_json(card["encoding"]).dimension
