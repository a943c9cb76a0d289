"""Runs a study's steps in order, skipping what is already done with the same settings and inputs."""

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import tacit
from tacit.errors import LedgerError, RunError
from tacit.noise.source import OsSource, Source
from tacit.privacy.ledger import Ledger
from tacit.study.keeping import restore, retire
from tacit.study.loading import Study
from tacit.study.record import Record, artifact_digests, digest, read_record, step_folder
from tacit.study.rows import hierarchies_of
from tacit.study.run import Listener, Run, Step
from tacit.study.steps import STEPS

_SHOWN_VERSIONS = ("numpy", "pyarrow", "dp-accounting", "torch")


def run_study(
    study: Study,
    *,
    runs: Path,
    listener: Listener,
    source: Source | None = None,
    only: Sequence[str] | None = None,
    exports: bool = True,
) -> Run:
    """Run the study below the folder `runs` and return the run with a record per step.

    only    -- names of the steps to run; all that apply by default.
    exports -- False writes nothing releasable.
    Finished steps with the same key are reused. A killed run resumes; a refusal or an interruption leaves finished steps
    as they were. Raises the steps' own errors, RunError for a folder of another version or one in use.
    """
    folder = runs / study.settings.study.name
    folder.mkdir(parents=True, exist_ok=True)
    os.chmod(folder, 0o700)  # exact statistics, a model without privacy, secrets: what may leave is copied out
    ledger_path = study.beside(study.settings.ledger.path)
    anchor = study.settings.ledger.anchor
    with _locked(folder), Ledger.open(ledger_path, anchor=None if anchor is None else study.beside(anchor)) as ledger:
        run = Run(
            study=study, folder=folder, ledger=ledger, source=OsSource.from_os() if source is None else source, exports=exports
        )
        wanted = [step for step in STEPS if step.applies(study) and (only is None or step.name in only)]
        if study.settings.anonymize is not None:
            hierarchies_of(study)  # a typing error is found before anything is charged
        for number, step in enumerate(wanted):
            if number == 1:  # the first step has read the table and released nothing; money is asked for only now
                _refuse_unaffordable(run, wanted)
            _do(run, step, listener)
        for step in STEPS:
            if not step.applies(study):  # a setting took it out of the study: its result would mislead
                retire(run, step)
    return run


def _refuse_unaffordable(run: Run, steps: Sequence[Step]) -> None:
    """Raise BudgetExceeded before anything is released, unless what costs epsilon is done or paid for already."""
    for step in steps:
        if step.afford is not None:
            _identify(run, step)
            if _finished(run, step) is None and run.ledger.find(run.request_id(step.name)) is None:
                step.afford(run)


def _identify(run: Run, step: Step) -> tuple[dict[str, object], dict[str, str]]:
    """Return the settings and inputs the step depends on, and note their digest as its key."""
    settings, inputs = dict(step.settings(run.study)), _inputs(run, step)
    run.keys[step.name] = digest({"step": step.name, "settings": settings, "inputs": inputs, "source": run.source.name})
    return settings, inputs


def _finished(run: Run, step: Step) -> Record | None:
    """Return the record of the same work done before and unharmed, where it is or kept aside; None when there is none."""
    final = run.folder / step.name
    record = read_record(final)
    if (record is None or record.key != run.keys[step.name]) and restore(run, step):
        record = read_record(final)
    if record is None or record.key != run.keys[step.name] or artifact_digests(final) != record.artifacts:
        return None
    if step.charges and not run.paid_for(step.name):
        raise LedgerError(
            f"{final} was made with these settings, but this ledger has no entry for it under {run.study.settings.budget!r}: it was paid for "
            "elsewhere, or the ledger was replaced or rolled back. A report from it would say too little. Bring back the ledger (or the "
            f"[ledger] path and dataset) that paid for it, or move {run.folder} away to start afresh."
        )
    return record


def _do(run: Run, step: Step, listener: Listener) -> None:
    settings, inputs = _identify(run, step)
    record = _finished(run, step)
    reused = record is not None
    listener.step_starts(step)
    if record is None:
        record = _work(run, step, run.folder / step.name, settings, inputs, listener)
    if step.paid:
        run.checkpoint(step.name).unlink(missing_ok=True)  # only now that the finished step is in its place
    run.records[step.name] = record
    listener.step_ends(step, record, reused=reused)


def _work(run: Run, step: Step, final: Path, settings: dict[str, object], inputs: dict[str, str], listener: Listener) -> Record:
    started = time.perf_counter()
    with step_folder(final, lambda: retire(run, step)) as folder:
        findings = step.work(run, folder, lambda done, total: listener.step_moves(step, done, total))
        record = Record(
            step=step.name,
            key=run.keys[step.name],
            settings=settings,
            inputs=inputs,
            findings=tuple(findings),
            seconds=round(time.perf_counter() - started, 3),
            versions=_versions(),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            artifacts=artifact_digests(folder),
        )
        record.write(folder)
    return record


def _inputs(run: Run, step: Step) -> dict[str, str]:
    """Return what the step reads, by hash: the data file, and for each step it needs the record's key and artifacts."""
    inputs = {"data": run.data_digest}
    if step.reads_ledger:
        inputs["ledger"] = run.ledger.head().hash
    for name in step.needs:
        if name in run.records:
            inputs[name] = digest({"key": run.records[name].key, "artifacts": dict(run.records[name].artifacts)})
    return inputs


def _versions() -> dict[str, str]:
    versions = {"tacit": tacit.__version__, "python": platform.python_version()}
    for name in _SHOWN_VERSIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the run folder for one process; the operating system lets go when the process dies."""
    import fcntl

    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"another process is running in {folder}. Wait for it, or give this study another name.") from None
        yield
