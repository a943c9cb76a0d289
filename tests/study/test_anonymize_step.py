"""[anonymize]: what its keys do to the released table, what is refused, and that no model ever sees that table."""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import Answer, grant, tacit
from small_study import TEXT, write_small_study
from tacit.cli.console import Silent
from tacit.models import load_model
from tacit.noise.source import SeededSource
from tacit.study import load_study, run_study

_TABLE = TEXT[: TEXT.index("[train]")] + TEXT[TEXT.index("[ledger]") :]
ALONE = _TABLE.replace('role = "label"\ncategories = ["no", "yes"]', 'role = "sensitive"').replace("bounds = [0, 10]", "")
"""The small study without a model: its label is a sensitive column."""

UNDECLARED = ALONE.replace('categories = ["north", "south"]', "").replace(
    "bounds = [20, 80]\nhierarchy = { widths = [10, 20] }", 'kind = "numeric"'
)


def run(folder: Path, text: str) -> Answer:
    write_small_study(folder, text)
    return tacit("run", folder=folder)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs/small/anonymize/table.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "runs/small/anonymize/manifest.json").read_text()))


def findings(folder: Path, step: str = "anonymize") -> dict[str, dict[str, Any]]:
    record = json.loads((folder / "runs/small" / step / "record.json").read_text())
    return {one["name"]: one for one in record["findings"]}


def with_keys(keys: str) -> str:
    return ALONE.replace("suppression_limit = 0.05", f"suppression_limit = 0.05\n{keys}")


MODELS = """require = [
    { model = "distinct-l-diversity", column = "ill", l = 2 },
    { model = "t-closeness", column = "ill", t = 0.15 },
]"""


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the study with further models has run."""
    folder = tmp_path_factory.mktemp("modelled")
    assert run(folder, with_keys(MODELS)).code == 0
    return folder


def test_every_required_model_holds_in_the_table_by_hand(tmp_path: Path, modelled: Path) -> None:
    """Counted here: l-diversity and t-closeness (half the sum of |p - q|) in every class. Without them a class breaks the latter."""
    far = {}
    assert run(tmp_path, ALONE).code == 0
    for name, folder in (("plain", tmp_path), ("models", modelled)):
        classes = defaultdict(list)
        for row in table(folder):
            classes[row["age"], row["town"]].append(row["ill"])
        with (folder / "people.csv").open(encoding="utf-8") as file:
            everyone = Counter(row["ill"] for row in csv.DictReader(file))
        whole = {value: count / sum(everyone.values()) for value, count in everyone.items()}
        far[name] = max(
            sum(abs(ills.count(value) / len(ills) - share) for value, share in whole.items()) / 2 for ills in classes.values()
        )
        assert all(len(ills) >= 4 for ills in classes.values())
    assert far["models"] <= 0.15 < far["plain"]
    assert all(len(set(ills)) >= 2 for ills in classes.values())
    told = findings(modelled)["privacy models"]
    assert told["value"] == "4-anonymity; distinct 2-diversity of 'ill'; 0.15-closeness (equal distance) of 'ill'"
    assert told["basis"] == "public"


def test_the_manifest_lies_beside_the_table_and_is_of_it(modelled: Path) -> None:
    told, rows = manifest(modelled), table(modelled)
    assert told["rows"] - told["suppressed"] == len(rows)
    assert told["smallest_class"] == min(Counter((row["age"], row["town"]) for row in rows).values())
    assert [form["model"] for form in told["settings"]["models"]] == ["k-anonymity", "distinct-l-diversity", "t-closeness"]
    assert "not differential privacy" in told["claim"]
    assert "epsilon" not in json.dumps(told)


@pytest.mark.parametrize(
    ("keys", "shows"),
    [
        ('recoding = "mondrian"', "score"),
        ('recoding = "local"', "score"),
        ('recoding = "microaggregation"', "settings"),
        ('recoding = "cell-suppression"', "settings"),
        ("hold_back = 0.3", "rows"),
        ('minimize = { aggregate = "geometric mean" }', "score"),
        ("minimize = { weights = { town = 0.01 } }", "score"),
        ("minimize = { generalization_vs_suppression = 0.9 }", "score"),
    ],
)
def test_every_key_changes_the_release(tmp_path: Path, keys: str, shows: str) -> None:
    told = []
    for name, text in (("plain", ALONE), ("other", with_keys(keys))):
        assert run(tmp_path / name, text).code == 0
        told.append(manifest(tmp_path / name))
    assert told[0][shows] != told[1][shows]


def test_a_time_limit_ends_the_search(tmp_path: Path) -> None:
    assert run(tmp_path, with_keys("time_limit = 0.0000001")).code == 0
    assert manifest(tmp_path)["search"].startswith("full-domain search, best found")
    assert run(tmp_path / "again", ALONE).code == 0
    assert manifest(tmp_path / "again")["search"] == "full-domain search, proved optimal"


def test_what_is_not_declared_gets_a_hierarchy_from_the_data_and_that_is_said(tmp_path: Path) -> None:
    assert run(tmp_path, UNDECLARED).code == 0
    found = findings(tmp_path)
    assert found["hierarchies"]["value"] == "age: built from the data; town: built from the data"
    assert found["hierarchies"]["basis"] == "public", "it follows from the study file alone"
    assert found["hierarchy of age"]["basis"] == "exact", "its ends are extreme values"
    assert "level 1: 12 intervals" in " ".join(found["hierarchy of age"]["details"]["by_level"])
    release = (tmp_path / "runs/small/report/release.html").read_text()
    assert "built from the data" in release
    assert "intervals" not in release
    assert min(Counter((row["age"], row["town"]) for row in table(tmp_path)).values()) >= 4


def test_what_is_declared_is_never_built_from_the_data(tmp_path: Path) -> None:
    assert run(tmp_path, ALONE).code == 0
    found = findings(tmp_path)
    assert found["hierarchies"]["value"] == "age: declared; town: declared"
    assert not [name for name in found if name.startswith("hierarchy of")]
    assert all("origin" not in form for form in manifest(tmp_path)["settings"]["hierarchies"].values())


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('require = [{ model = "k-anonimity", k = 5 }]', ["study.toml:", "anonymize", "'k-anonimity'"]),
        ('require = [{ column = "ill", l = 2 }]', ["no privacy model", "distinct-l-diversity"]),
        ('require = [{ model = "distinct-l-diversity", column = "ill" }]', ["distinct-l-diversity", "['column']"]),
        ('require = [{ model = "distinct-l-diversity", column = "ill", l = 1 }]', ["l must be a whole number >= 2"]),
        ('require = [{ model = "distinct-l-diversity", column = "age", l = 2 }]', ["'age'", 'role = "quasi"']),
        ('require = [{ model = "distinct-l-diversity", column = "name", l = 2 }]', ["'name'", 'role = "identifier"']),
        ('require = [{ model = "distinct-l-diversity", column = "illness", l = 2 }]', ["'illness'", "no table under [columns]"]),
        ('require = [{ model = "k-map", k = 5 }]', ["5-map", "--population"]),
        ('require = [{ model = "delta-presence", d_min = 0, d_max = 0.5 }]', ["presence", "--subset"]),
        ('recoding = "mondrain"', ["anonymize.recoding", "'mondrian'"]),
        ("minimize = { aggregat = 1 }", ["anonymize.minimize.aggregat", "Did you mean `aggregate`"]),
        ("minimize = { weights = { town = -1 } }", ["greater than or equal to 0"]),
        ("minimize = { weights = { town = 0 , age = 0 } }", ["weights", "> 0"]),
        (
            'recoding = "local"\nminimize = { generalization_vs_suppression = 0.9 }',
            ["generalization_vs_suppression", "Leave it at 0.5"],
        ),
        ('recoding = "mondrian"\nminimize = { aggregate = "maximum" }', ["mondrian", "maximum", "sum or a mean"]),
        ('recoding = "microaggregation"\nminimize = { aggregate = "rank" }', ["microaggregation", "rank", "sum or a mean"]),
        ("minimize = { weights = { ill = 1 } }", ["role is not quasi", "ill"]),
        ("minimize = { generalization_vs_suppression = 1.5 }", ["less than or equal to 1"]),
        ("time_limit = 0", ["anonymize.time_limit", "greater than 0"]),
        ("hold_back = 1.0", ["anonymize.hold_back", "less than 1"]),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(tmp_path: Path, keys: str, words: list[str]) -> None:
    answer = run(tmp_path, with_keys(keys))
    assert (answer.code, answer.out) == (2, "")
    for word in words:
        assert word in answer.error, answer.error
    assert "Traceback" not in answer.error
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "ledger.sqlite").exists()


def test_no_model_ever_sees_the_anonymized_table(tmp_path: Path) -> None:
    """The same noise gives the same weights whatever is done to the table, and with no table at all (SOUNDNESS 1)."""
    section = TEXT[TEXT.index("[anonymize]") : TEXT.index("[train]")]
    weights: list[list[np.ndarray]] = []
    for name, changed in (("as it is", section), ("coarser", "[anonymize]\nk = 90\n\n"), ("none", "")):
        folder = tmp_path / name
        write_small_study(folder, TEXT.replace(section, changed))
        grant(folder)
        secret = folder / "runs/small/secret"
        if weights:
            secret.parent.mkdir(parents=True)
            secret.symlink_to(tmp_path / "as it is/runs/small/secret")
        steps = ("scan", "anonymize", "train")
        run_study(load_study(folder / "study.toml"), runs=folder / "runs", listener=Silent(), source=SeededSource(1), only=steps)
        network, _ = load_model(folder / "runs/small/train/model")
        weights.append([*network.weights, *network.biases])
        assert (folder / "runs/small/anonymize/table.csv").exists() == bool(changed)
    for other in weights[1:]:
        for one, two in zip(weights[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_the_ledger_names_every_model_of_the_table(modelled: Path) -> None:
    entries = json.loads(tacit("ledger", "export", "ledger.sqlite", folder=modelled).out)["entries"]
    (what,) = (entry["body"]["what"] for entry in entries if entry["kind"] == "not-dp")
    assert what == (
        "a 4-anonymous table of the original rows, with distinct 2-diversity of 'ill', "
        "with 0.15-closeness (equal distance) of 'ill'"
    )


def test_the_report_shows_models_losses_and_risk_in_the_custodians_edition_alone(modelled: Path) -> None:
    custodian, release = ((modelled / f"runs/small/report/{name}.html").read_text() for name in ("custodian", "release"))
    for text in ("Risk of rows before and after", "Class sizes before and after", "Error of counts", "Average class size"):
        assert text in custodian, text
        assert text not in release, text
    assert "distinct 2-diversity" in release


def test_risk_attacks_and_utility_stand_before_and_after(modelled: Path) -> None:
    """As in `tacit risk`; what is sensitive is inferred, and no residual risk is claimed without people outside the table."""
    found = findings(modelled)
    for name in (
        "highest risk",
        "singling out: success",
        "linkability: success",
        "inference of ill: success",
        "loss (NCP)",
        "precision lost",
        "discernibility",
        "average class size",
        "non-uniform entropy",
        "Kullback-Leibler divergence",
        "error of counts",
    ):
        assert f"{name}, before" in found, name
        assert f"{name}, after" in found, name
    assert not [name for name in found if "residual" in name]
    assert found["highest risk, before"]["value"] > found["highest risk, after"]["value"]
    assert found["loss (NCP), before"]["value"] == 0 < found["loss (NCP), after"]["value"]
    rates = [found[f"inference of ill: success, {when}"]["value"] for when in ("before", "after")]
    assert rates[0] > rates[1]
    assert {found[name]["basis"] for name in found if name.endswith((", before", ", after"))} == {"exact"}


def test_the_label_is_what_a_classifier_learns_from_either_table(finished: tuple[Path, Answer]) -> None:
    found = findings(finished[0])
    shares = [found[f"accuracy of a classifier, {when}"]["value"] for when in ("before", "after")]
    assert all(0.4 < share < 0.7 for share in shares), "age and town say nothing of the label here"


def test_rows_held_back_are_the_control_and_are_not_released(tmp_path: Path) -> None:
    """A keyed choice: 30% of 400 rows is 120, and 70 to 170 but for one key in 10^7 (binomial: 3.4e-9 and 4.6e-8)."""
    assert run(tmp_path, with_keys("hold_back = 0.3")).code == 0
    found, told = findings(tmp_path), manifest(tmp_path)
    assert 230 <= told["rows"] <= 330
    assert found["linkability: success outside, after"]["n"] == 400 - told["rows"]
    assert found["inference of ill: residual risk, after"]["interval"]
    assert "residual risk" not in (tmp_path / "runs/small/report/release.html").read_text()


def test_a_sensitive_column_that_no_model_protects_is_named_in_check_and_in_both_editions(tmp_path: Path, modelled: Path) -> None:
    """k-anonymity limits who is found, not what is learned: the study may release such a column, but never silently."""
    warning = "ill: no model limits what a class tells of it"
    write_small_study(tmp_path, ALONE)
    assert warning in " ".join(tacit("check", folder=tmp_path).out.split())
    assert tacit("run", folder=tmp_path).code == 0
    told = findings(tmp_path)["sensitive columns"]
    assert told["basis"] == "public"
    assert warning in told["value"]
    for edition in ("custodian", "release"):
        assert warning in (tmp_path / f"runs/small/report/{edition}.html").read_text(), edition
    assert manifest(tmp_path)["settings"]["sensitive"] == ["ill"]
    protected = findings(modelled)["sensitive columns"]["value"]
    assert protected.startswith("ill: distinct 2-diversity of 'ill'")
    assert "no model" not in protected


def test_a_sensitive_column_with_one_value_is_refused(tmp_path: Path) -> None:
    write_small_study(tmp_path, ALONE)
    data = tmp_path / "people.csv"
    data.write_text(data.read_text().replace(",yes", ",no"))
    answer = tacit("run", folder=tmp_path)
    assert answer.code == 1
    assert "'ill'" in answer.error
    assert not (tmp_path / "runs/small/anonymize/table.csv").exists()
