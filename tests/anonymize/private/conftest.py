"""A ledger with a grant, a small table with its domain, and a source whose coins all fall one way."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from tacit.anonymize.private.domain import Domain
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.tables import Bounds, Categories, Column, Kind, Role, Schema, Table


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite", key_folder=tmp_path / "keys") as opened:
        opened.grant("people", epsilon=100.0, delta=0.5)
        yield opened


SCHEMA = Schema.of(
    [
        Column(name="age", role=Role.QUASI, kind=Kind.NUMERIC, bounds=Bounds(low=0, high=100)),
        Column(name="sex", role=Role.QUASI, kind=Kind.CATEGORICAL, categories=Categories(values=("f", "m"))),
        Column(name="ill", role=Role.SENSITIVE, kind=Kind.CATEGORICAL, categories=Categories(values=("no", "yes"))),
        Column(name="town", role=Role.FEATURE, kind=Kind.CATEGORICAL, categories=Categories(values=("a", "b", "c"))),
        Column(name="pay", role=Role.FEATURE, kind=Kind.NUMERIC),
        Column(name="note", role=Role.FEATURE, kind=Kind.TEXT),
        Column(name="name", role=Role.IDENTIFIER, kind=Kind.CATEGORICAL, categories=Categories(values=("x",))),
    ]
)
COLUMNS = ["age", "sex", "ill", "town"]


def people(n: int, seed: int = 0) -> Table:
    """n rows whose town follows from sex and illness, with some values missing and some not declared."""
    random = np.random.default_rng(seed)
    sex, ill = random.integers(0, 2, n), random.integers(0, 2, n)
    data = pa.table(
        {
            "age": pa.array(random.integers(-5, 110, n), pa.int64(), mask=random.random(n) < 0.05),
            "sex": pa.array(np.array(["f", "m"])[sex]),
            "ill": pa.array(np.array(["no", "yes"])[ill]),
            "town": pa.array(np.array(["a", "b", "c", "elsewhere"])[sex + 2 * ill]),
            "pay": pa.array(random.normal(size=n)),
            "note": pa.array(["free"] * n),
            "name": pa.array(["x"] * n),
        }
    )
    return Table.from_arrow(data, SCHEMA)


@pytest.fixture
def table() -> Table:
    return people(400)


@pytest.fixture
def domain() -> Domain:
    return Domain.of(SCHEMA, COLUMNS, bins={"age": [0, 18, 40, 65, 100]}, whole=["age"])


class AllDrawn(SeededSource):
    """A source whose words are all 0, so that every row is sampled; it counts what was asked of it."""

    def __init__(self) -> None:
        super().__init__(0)
        self.asked = 0

    def uniform_words(self, count: int) -> NDArray[np.uint64]:
        self.asked += count
        return np.zeros(count, dtype=np.uint64)
