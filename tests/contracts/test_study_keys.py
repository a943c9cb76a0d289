"""Every key of a study file, when changed, changes what comes out or is refused: none is accepted and ignored.

What is compared is what a run leaves (weights, tables, findings, files, pages) or refuses; never a setting that is only repeated.
"""

import json
import shutil
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from small_study import TEXT, write_small_study
from tacit.cli.console import Silent
from tacit.errors import TacitError
from tacit.models import load_model
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.study import load_study, run_study
from tacit.study.settings import StudySettings

ROWS = 80
BASE = TEXT.replace("rows = 400", f"rows = {ROWS}").replace("epochs = 4", "epochs = 2")

DEEP = (("epochs = 2", "epochs = 2\nhidden = [3]"),)
CUT = (
    ('[columns.ill]\nrole = "label"\ncategories = ["no", "yes"]', '[columns.ill]\nrole = "ignore"'),
    ('role = "feature"\nbounds = [0, 10]', 'role = "label"\ncategories = ["low", "high"]\nabove = 5'),
)


@dataclass(frozen=True)
class Case:
    """A key's other value: a text of the study and what stands in its place, the steps that show it, and where it shows.

    base -- texts changed on both sides, where the key matters only then.
    """

    old: str
    new: str
    shows: str = "weights"
    steps: tuple[str, ...] = ("train",)
    base: tuple[tuple[str, str], ...] = ()


_TABLE, _AUDIT = ("anonymize",), ("audit",)

KEYS = {
    "study.name": Case('name = "small"', 'name = "other"', "files", ("scan",)),
    "study.title": Case('name = "small"', 'name = "small"\ntitle = "A title"', "title", ("scan", "report")),
    "data.path": Case('path = "people.csv"', 'path = "others.csv"', "refusal", ("scan",)),
    "data.rows": Case(f"rows = {ROWS}", "rows = 90", "refusal", ("scan",)),
    "data.rows_origin": Case('id = "id"', 'id = "id"\nrows_origin = "public: a census"', "origins"),
    "data.id": Case('id = "id"\n', ""),
    "data.missing": Case('id = "id"', 'id = "id"\nmissing = ["north"]'),
    "data.encoding": Case('id = "id"', 'id = "id"\nencoding = "utf-16"', "refusal", ("scan",)),
    "data.delimiter": Case('id = "id"', 'id = "id"\ndelimiter = ";"', "refusal", ("scan",)),
    "columns.NAME.role": Case('role = "feature"', 'role = "ignore"'),
    "columns.NAME.kind": Case('role = "feature"', 'role = "feature"\nkind = "categorical"', "refusal"),
    "columns.NAME.bounds": Case("bounds = [0, 10]", "bounds = [0, 20]"),
    "columns.NAME.categories": Case('["north", "south"]', '["north", "south", "west"]'),
    "columns.NAME.origin": Case("bounds = [0, 10]", 'bounds = [0, 10]\norigin = "public: the manual"', "origins"),
    "columns.NAME.hierarchy": Case("widths = [10, 20]", "widths = [30]", "table", _TABLE),
    "columns.NAME.treat": Case('treat = "drop"', 'treat = "pseudonymize"', "table", _TABLE),
    "columns.NAME.above": Case("above = 5", "above = 7", base=CUT),
    "anonymize.k": Case("k = 4", "k = 30", "table", _TABLE),
    "anonymize.hold_back": Case("k = 4", "k = 4\nhold_back = 0.3", "table", _TABLE),
    "anonymize.suppression_limit": Case("suppression_limit = 0.05", "suppression_limit = 0.6", "table", _TABLE),
    "anonymize.require": Case("k = 4", 'k = 4\nrequire = [{ model = "t-closeness", column = "ill", t = 0.05 }]', "table", _TABLE),
    "anonymize.recoding": Case("k = 4", 'k = 4\nrecoding = "mondrian"', "table", _TABLE),
    "anonymize.minimize.aggregate": Case("k = 4", 'k = 4\nminimize = { aggregate = "maximum" }', "findings", _TABLE),
    "anonymize.minimize.weights": Case("k = 4", "k = 4\nminimize = { weights = { town = 0.01 } }", "findings", _TABLE),
    "anonymize.minimize.generalization_vs_suppression": Case(
        "k = 4", "k = 4\nminimize = { generalization_vs_suppression = 0.9 }", "findings", _TABLE
    ),
    "anonymize.time_limit": Case("k = 4", "k = 4\ntime_limit = 0.0000001", "search", _TABLE),
    "train.epsilon": Case("epsilon = 2.0", "epsilon = 1.0"),
    "train.delta": Case("delta = 1e-5", "delta = 1e-7"),
    "train.features": Case("epsilon = 2.0", 'epsilon = 2.0\nfeatures = ["score"]'),
    "train.training_share": Case("epsilon = 2.0", "epsilon = 2.0\ntraining_share = 0.5"),
    "train.clip_norm": Case("epsilon = 2.0", "epsilon = 2.0\nclip_norm = 0.1"),
    "train.batch_size": Case("epsilon = 2.0", "epsilon = 2.0\nbatch_size = 32"),
    "train.epochs": Case("epochs = 2", "epochs = 3"),
    "train.hidden": Case("epochs = 2", "epochs = 2\nhidden = [3]"),
    "train.activation": Case("hidden = [3]", 'hidden = [3]\nactivation = "relu"', base=DEEP),
    "train.learning_rate": Case("epsilon = 2.0", "epsilon = 2.0\nlearning_rate = 0.1"),
    "train.momentum": Case("epsilon = 2.0", "epsilon = 2.0\nmomentum = 0.1"),
    "train.twin": Case("epsilon = 2.0", "epsilon = 2.0\ntwin = false", "files", ("train", "twin")),
    "evaluate.confidence": Case("audit_runs = 60", "audit_runs = 60\nconfidence = 0.8", "findings", ("train", "evaluate")),
    "evaluate.audit_runs": Case("audit_runs = 60", "audit_runs = 70", "findings", _AUDIT),
    "evaluate.audit_canaries": Case("audit_canaries = 60", "audit_canaries = 70", "findings", _AUDIT),
    "report.answers": Case("[ledger]", '[report.answers]\nretention = "two years"\n\n[ledger]', "items", ("scan", "report")),
    "ledger.path": Case("ledger.sqlite", "other.sqlite", "refusal"),
    "ledger.dataset": Case('dataset = "people"', 'dataset = "others"', "refusal"),
    "ledger.anchor": Case('dataset = "people"', 'dataset = "people"\nanchor = "head.json"', "files", ("scan",)),
}


def leaves(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Yield every key a study file may have, as "table.key"; "NAME" stands for any column."""
    for name, field in model.model_fields.items():
        inner = [one for one in _parts(field.annotation) if isinstance(one, type) and issubclass(one, BaseModel)]
        many = typing.get_origin(field.annotation) is dict
        here = f"{path}{name}"
        if inner:
            yield from leaves(inner[0], f"{here}.NAME." if many else f"{here}.")
        else:
            yield here


def _parts(annotation: Any) -> list[Any]:
    return [annotation, *(part for one in typing.get_args(annotation) for part in _parts(one))]


def test_every_key_of_a_study_is_tried() -> None:
    assert sorted(leaves(StudySettings)) == sorted(KEYS)


def outcome(folder: Path, text: str, steps: tuple[str, ...], secrets: Path) -> dict[str, Any]:
    """Run steps of a study with the same people, keys, grant and noise every time, and return what came of it."""
    import torch

    study = write_small_study(folder, text, rows=ROWS)
    shutil.copytree(secrets, folder / "runs/small/secret")
    torch.manual_seed(1)
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        ledger.grant("people", epsilon=3, delta=1e-4)
    try:
        run_study(load_study(study), runs=folder / "runs", listener=Silent(), source=SeededSource(1), only=steps)
    except TacitError as error:
        return {"refusal": f"{type(error).__name__}: {error}".replace(str(folder), "")}
    return {"refusal": None, **_left(folder)}


def _left(folder: Path) -> dict[str, Any]:
    left: dict[str, Any] = {
        "files": sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "sqlite" not in path.name)
    }
    findings = {
        (step.parent.name, one["name"]): (one["value"], one["interval"], one["confidence"], one["n"])
        for step in folder.glob("runs/*/*/record.json")
        for one in json.loads(step.read_text())["findings"]
    }
    left["origins"] = {name: value for (_, name), (value, *_) in findings.items() if name.startswith("taken as public")}
    left["findings"] = {key: value for key, value in findings.items() if not key[1].startswith("taken as public")}
    runs = folder / "runs/small"
    if (runs / "train/model").exists():
        network, _ = load_model(runs / "train/model")
        left["weights"] = [array.tolist() for array in (*network.weights, *network.biases)]
    if (runs / "anonymize/table.csv").exists():
        left["table"] = (runs / "anonymize/table.csv").read_text()
        left["search"] = json.loads((runs / "anonymize/manifest.json").read_text())["search"]
    if (runs / "report/release.json").exists():
        page = json.loads((runs / "report/release.json").read_text())
        left |= {"title": page["title"], "items": page["items"]}
    return left


def changed(text: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        assert text.count(old) == 1, f"{text.count(old)} times: {old}"
        text = text.replace(old, new)
    return text


Runner = Callable[[str, tuple[str, ...]], dict[str, Any]]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Returns what came of a study's steps; each study runs once."""
    from tacit.anonymize import load_or_create_key

    secrets = tmp_path_factory.mktemp("secret")
    for name in ("split.key", "request.key", "pseudonym.key", "checkpoint.key"):
        load_or_create_key(secrets / name)
    known: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = {}

    def run(text: str, steps: tuple[str, ...]) -> dict[str, Any]:
        if (text, steps) not in known:
            known[text, steps] = outcome(tmp_path_factory.mktemp("study"), text, steps, secrets)
        return known[text, steps]

    return run


@pytest.mark.parametrize("key", KEYS)
def test_a_changed_key_changes_what_comes_out_or_is_refused(key: str, result: Runner) -> None:
    case = KEYS[key]
    text = changed(BASE, *case.base)
    before, after = result(text, case.steps), result(changed(text, (case.old, case.new)), case.steps)
    assert before["refusal"] is None
    assert case.shows == "refusal" or after["refusal"] is None, after["refusal"]
    assert case.shows in before, f"{case.steps} show no {case.shows}"
    assert after[case.shows] != before[case.shows]


@pytest.mark.parametrize("steps", [("train",), ("anonymize",), ("audit",)])
def test_the_same_study_comes_out_the_same(steps: tuple[str, ...], result: Runner) -> None:
    """Else every key would seem to matter."""
    first, again = result(BASE, steps), result(BASE + "\n# the same, with a remark\n", steps)
    assert first is not again
    assert first == again
