"""The audit of a study looks at the source that trained: without noise it contradicts, with noise it does not."""

from pathlib import Path

import pytest

from command_line import grant
from small_study import TEXT, write_small_study
from tacit.cli.console import Silent
from tacit.cli.run import refuse_contradicted
from tacit.errors import ClaimContradicted
from tacit.noise.source import OsSource, Source, Zeros
from tacit.study import load_study, run_study
from tacit.study.run import Run


def audited(folder: Path, source: Source) -> Run:
    """200 twins a side can prove epsilon 2.5 at 1 - 1e-6; the study claims 2."""
    study = write_small_study(folder, TEXT.replace("audit_runs = 60", "audit_runs = 200"))
    grant(folder)
    return run_study(load_study(study), runs=folder / "runs", listener=Silent(), source=source, only=("audit",), exports=False)


@pytest.mark.parametrize(("source", "contradicts"), [(Zeros(), True), (OsSource.from_os(), False)], ids=["no noise", "noise"])
def test_an_audit_contradicts_exactly_when_the_noise_is_missing(tmp_path: Path, source: Source, contradicts: bool) -> None:
    """A false alarm has probability <= 1e-6."""
    acted = audited(tmp_path, source).records["audit"].findings[0]
    assert acted.details["can_contradict"] is True
    assert acted.details["contradicts"] is contradicts


def test_the_command_ends_with_exit_code_1_when_an_audit_contradicts(tmp_path: Path) -> None:
    with pytest.raises(ClaimContradicted, match="Release nothing of this run") as refusal:
        refuse_contradicted(audited(tmp_path, Zeros()))
    assert refusal.value.exit_code == 1
