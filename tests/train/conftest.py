"""A ledger with a budget, and a source that repeats."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite", key_folder=tmp_path / "keys") as one:
        one.grant("people", epsilon=10, delta=1e-4)
        yield one


@pytest.fixture
def source() -> SeededSource:
    return SeededSource(7)
