"""A ledger in a temporary folder, with its key in another, and a block that is honestly (over)priced."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tacit
from tacit.privacy.block import Block
from tacit.privacy.events import GaussianEvent
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger import Ledger

Worker = Callable[..., "subprocess.CompletedProcess[str]"]
MakeBlock = Callable[..., Block]


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "keys"
    monkeypatch.setenv("TACIT_KEYS", str(folder))
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(path) as opened:
        yield opened


@pytest.fixture
def make_block() -> MakeBlock:
    """A block of Gaussian steps at noise multiplier 100: thirty of them cost epsilon 0.2086 at delta 1e-6, so 0.25 is enough."""

    def make(
        *,
        steps: int = 20,
        spare_steps: int = 10,
        checkpoint_every: int = 5,
        epsilon: float = 0.25,
        delta: float = 1e-6,
        noise: float = 100.0,
    ) -> Block:
        return Block(
            event=GaussianEvent(noise_multiplier=noise),
            steps=steps,
            spare_steps=spare_steps,
            checkpoint_every=checkpoint_every,
            guarantee=Guarantee(epsilon=epsilon, delta=delta),
        )

    return make


@pytest.fixture
def worker() -> Worker:
    """Runs worker.py in a fresh process and returns what it printed."""

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        source = str(Path(tacit.__file__).parents[1])
        return subprocess.run(
            [sys.executable, str(Path(__file__).with_name("worker.py")), *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": source},
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )

    return run
