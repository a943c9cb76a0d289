"""Every privacy model holds of a file as of a table: the same levels, or the same refusal before anything is counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anonymize.scale.people import as_rows
from tacit.anonymize.privacy_models import MODELS, model_from_json
from tacit.anonymize.release import anonymize
from tacit.errors import ConfigError

pytest.importorskip("ibis", reason="not run: ibis and duckdb")

from tacit.anonymize.scale import anonymize_file

ILL: dict[str, Any] = {"column": "ill"}
TREE = [["flu", "air", "*"], ["cold", "air", "*"], ["cut", "cut", "*"]]
GAME: dict[str, Any] = {"gain": 9, "cost": 2}
FORMS: list[dict[str, Any]] = [
    {"model": "k-anonymity", "k": 5},
    {"model": "alpha-k", **ILL, "alpha": 0.6, "k": 4},
    {"model": "average-risk", "threshold": 0.1},
    {"model": "basic-beta-likeness", **ILL, "beta": 1},
    {"model": "enhanced-beta-likeness", **ILL, "beta": 1},
    {"model": "delta-disclosure", **ILL, "delta": 2, "base": 2},
    {"model": "distinct-l-diversity", **ILL, "l": 3},
    {"model": "entropy-l-diversity", **ILL, "l": 2},
    {"model": "grassberger-l-diversity", **ILL, "l": 2},
    {"model": "recursive-l-diversity", **ILL, "c": 2, "l": 2},
    {"model": "t-closeness", **ILL, "t": 0.3},
    {"model": "t-closeness", **ILL, "t": 0.3, "order": ["cut", "cold", "flu"]},
    {"model": "t-closeness", **ILL, "t": 0.3, "tree": TREE},
    {"model": "lkc", **ILL, "l": 1, "k": 5, "c": 0.9},
    {"model": "sample-uniqueness", "threshold": 0.01},
    {"model": "population-uniqueness", "threshold": 0.05, "population_size": 5000},
    {"model": "estimated-k-map", "k": 5, "population_size": 600, "significance": 0.1, "estimator": "poisson"},
    {"model": "no-profitable-attack", **GAME},
    {"model": "profitability", **GAME, "benefit": 100, "loss": 300},
    {"model": "profitability", **GAME, "benefit": 100, "loss": 5},
]
REFUSED: list[dict[str, Any]] = [
    {"model": "k-map", "k": 5},
    {"model": "delta-presence", "d_min": 0.0, "d_max": 0.5},
    {"model": "no-profitable-attack", **GAME, "attacker": "journalist"},
    {"model": "profitability", **GAME, "benefit": 100, "loss": 5, "attacker": "journalist"},
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet file of 300 people with gaps in both quasi-identifiers."""
    random = np.random.default_rng(0)
    table = pa.table(
        {
            "age": pa.array(random.integers(0, 30, 300), mask=random.random(300) < 0.03),
            "town": pa.array([[*"abcdef", None][i] for i in random.integers(0, 7, 300)]),
            "ill": random.choice(["flu", "cold", "cut"], 300, p=[0.4, 0.35, 0.25]),
        }
    )
    path = tmp_path_factory.mktemp("models") / "people.parquet"
    pq.write_table(table, path)
    return path


def asked(form: dict[str, Any]) -> dict[str, Any]:
    return {
        "quasi": ["age", "town"],
        "require": [model_from_json(form)],
        "sensitive": () if "column" in form else ["ill"],
        "suppression_limit": 0.05,
    }


def test_no_model_is_left_out() -> None:
    assert {form["model"] for form in [*FORMS, *REFUSED]} == set(MODELS)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["model"])
def test_a_model_holds_of_a_file_as_of_a_table(file: Path, tmp_path: Path, form: dict[str, Any]) -> None:
    of_table = anonymize(pq.read_table(file), **asked(form))
    of_file = anonymize_file(file, tmp_path / "a.parquet", **asked(form))
    assert form["model"] in of_file.verification.checks
    assert of_file.score == pytest.approx(of_table.score, abs=2e-10)  # floor10 may fall either way
    if of_file.levels == of_table.levels:  # two nodes may share the optimum
        assert as_rows(pq.read_table(of_file.file)) == as_rows(of_table.table)


@pytest.mark.parametrize("form", REFUSED, ids=lambda form: form["model"])
def test_a_model_that_needs_a_population_is_refused_alike(file: Path, tmp_path: Path, form: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as of_table:
        anonymize(pq.read_table(file), **asked(form))
    with pytest.raises(ConfigError) as of_file:
        anonymize_file(file, tmp_path / "a.parquet", **asked(form))
    assert str(of_file.value) == str(of_table.value)
    assert not any(tmp_path.iterdir())
