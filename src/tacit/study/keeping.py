"""What becomes of a step's folder when another takes its place: a paid training is kept aside, all else goes."""

import os
import shutil
from pathlib import Path

from tacit.study.record import read_record
from tacit.study.run import Run, Step


def retire(run: Run, step: Step) -> None:
    """Move a paid step's folder aside under its key, so that going back to its settings costs nothing; remove any other."""
    final = run.folder / step.name
    record = read_record(final)
    if record is None or not step.paid:
        shutil.rmtree(final, ignore_errors=True)
        return
    kept = _kept(run, step, record.key)
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    os.rename(final, kept)


def restore(run: Run, step: Step) -> bool:
    """Put the training kept under the step's key back in its place; False when there is none."""
    kept = _kept(run, step, run.keys[step.name])
    if not (step.paid and kept.is_dir()):
        return False
    retire(run, step)
    os.rename(kept, run.folder / step.name)
    return True


def _kept(run: Run, step: Step, key: str) -> Path:
    return run.folder / "kept" / f"{step.name}-{key[:16]}"
