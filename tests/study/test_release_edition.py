"""The release edition of a whole study: one private row changes no byte of it, and it hides no release without epsilon."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from command_line import Answer, grant
from small_study import write_small_study
from tacit.cli.console import Silent
from tacit.noise.source import SeededSource
from tacit.study import load_study, run_study
from tacit.study.run import Run

MAY_LEAVE = {
    *(("anonymize", name) for name in ("direct identifiers", "privacy models", "hierarchies")),
    ("train", "proved epsilon of the private model"),
    ("train", "steps run"),  # depends on interruptions, not on rows
    ("train", "taken as public; declared"),
    *(("train", name) for name in ("steps", "spare_steps", "batch_size", "clip_norm", "noise_multiplier")),
    ("twin", "guarantee of the non-private twin"),
    *(("audit", name) for name in ("canary audit, acted on", "canary audit, shown", "one-run audit, shown")),
}
"""Every finding of the small study that depends on declared values alone; what is not here stays inside."""


def run_here(folder: Path, only: Sequence[str]) -> Run:
    """Run the study with noise that repeats, in a ledger of its own; the study's secret keys are kept between calls."""
    for ledger in folder.glob("ledger.sqlite*"):
        ledger.unlink()
    for step in ("scan", "anonymize", "train", "twin", "evaluate", "attack", "report"):
        shutil.rmtree(folder / "runs/small" / step, ignore_errors=True)
    grant(folder)
    return run_study(
        load_study(folder / "study.toml"), runs=folder / "runs", listener=Silent(), source=SeededSource(1), only=only
    )


def pages(folder: Path, edition: str) -> list[str]:
    """Return an edition's files; the ledger's random name, hash and signature are put aside."""
    report = folder / "runs/small/report"
    head = json.loads((report / f"{edition}.json").read_text())["head"]
    texts = [(report / f"{edition}{suffix}").read_text() for suffix in (".json", ".html")]
    for name in ("ledger_id", "hash", "signature"):
        texts = [text.replace(str(head[name]), name) for text in texts]
    return texts


def test_one_private_row_changes_no_byte_of_the_release_edition(tmp_path: Path) -> None:
    steps = ("scan", "anonymize", "train", "twin", "evaluate", "attack", "report")
    write_small_study(tmp_path)
    run_here(tmp_path, steps)
    release, custodian = pages(tmp_path, "release"), pages(tmp_path, "custodian")
    text = (tmp_path / "people.csv").read_text()
    row = text.splitlines()[18]
    (tmp_path / "people.csv").write_text(text.replace(row, f"{row.split(',')[0]},Eve Other,80,south,0.01,yes"))
    run_here(tmp_path, steps)
    assert pages(tmp_path, "custodian") != custodian
    assert pages(tmp_path, "release") == release


def test_only_findings_that_were_decided_on_leave(finished: tuple[Path, Answer]) -> None:
    document = json.loads((finished[0] / "runs/small/report/release.json").read_text())
    left = {(step["name"], finding["name"]) for step in document["steps"] for finding in step["findings"]}
    assert left == MAY_LEAVE


@pytest.mark.parametrize("edition", ["release", "custodian"])
def test_every_edition_lists_what_was_charged_and_what_has_no_epsilon(finished: tuple[Path, Answer], edition: str) -> None:
    document = json.loads((finished[0] / f"runs/small/report/{edition}.json").read_text())
    (book,) = document["ledgers"]
    assert [entry["what"].split()[0] for entry in book["not_dp"]] == ["a", "a", "exact", "membership"]
    assert [entry["purpose"].split()[0] for entry in book["dp"]] == ["train"]
    assert len(book["read_only"]) == 1
    assert book["dp"][0]["epsilon"] == pytest.approx(book["spent_epsilon"], abs=1e-8)
    assert document["guarantees"][0]["intermediate_models_visible"] is True
    assert document["guarantees"][0]["unit"] == "row"
