"""A checkpoint goes on with the request that paid for it, and with no other."""

from pathlib import Path

import numpy as np
import pytest

from simple_training import priced
from tacit.errors import RunError
from tacit.models.dense import DenseNetwork
from tacit.privacy.ledger import Ledger
from tacit.train.trainer import Checkpoints, Network, Trainer


class Killed(BaseException):
    """Stands for the death of the process."""


def fit(ledger: Ledger, checkpoints: Checkpoints, request_id: str, *, stop: int = 0) -> DenseNetwork:
    generator = np.random.default_rng(3)
    features, labels = generator.uniform(-1, 1, size=(40, 2)), generator.integers(0, 2, size=40)

    def on_step(step: int, _steps: int) -> None:
        if step == stop:
            raise Killed

    trainer = Trainer(plan=priced(40, 20, steps=6, noise=3.0, every=2, spare=4), network=Network())
    return trainer.fit(
        features,
        labels,
        ["no", "yes"],
        ledger=ledger,
        budget="people",
        request_id=request_id,
        checkpoints=checkpoints,
        on_step=on_step,
    )


def test_a_checkpoint_of_another_request_is_not_continued(ledger: Ledger, tmp_path: Path) -> None:
    checkpoints = Checkpoints(path=tmp_path / "c", key=bytes(range(32)))
    with pytest.raises(Killed):
        fit(ledger, checkpoints, "one", stop=5)
    spent, kept = ledger.spent("people"), checkpoints.path.read_bytes()
    with pytest.raises(RunError, match="belongs to another run or key"):
        fit(ledger, checkpoints, "two")
    assert ledger.spent("people") == spent, "a refused continuation costs nothing"
    assert checkpoints.path.read_bytes() == kept
    assert fit(ledger, checkpoints, "one").classes == ("no", "yes")


def test_without_checkpoints_none_is_written(ledger: Ledger, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    with pytest.raises(Killed):
        trainer = Trainer(plan=priced(40, 20, steps=6, noise=3.0, every=2, spare=4), network=Network())
        trainer.fit(
            np.zeros((40, 2)),
            np.arange(40) % 2,
            ["no", "yes"],
            ledger=ledger,
            budget="people",
            request_id="one",
            on_step=_stop_at_three,
        )
    assert set(tmp_path.iterdir()) == before


def _stop_at_three(step: int, _steps: int) -> None:
    if step == 3:
        raise Killed
