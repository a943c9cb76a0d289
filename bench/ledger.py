"""What the ledger's promises cost and whether they hold: durable charges a second, kill -9, many spenders over one cap.

The ledger's own path (request id, budget, hash, seal, row, commit) runs in turns with a bare sqlite3 transaction that inserts
the same row into the same tables under the same pragmas; the ratio is the median over batches.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from row import Row, main, row
from tacit.privacy.block import Block
from tacit.privacy.events import GaussianEvent, PoissonSampled
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger import Ledger, schema, verify
from tacit.privacy.ledger.chain import Entry

ROOT = Path(__file__).resolve().parents[1]
BATCH = 50
BLOCK = Block(
    event=PoissonSampled(probability=0.1, event=GaussianEvent(noise_multiplier=100.0)),
    steps=200,
    spare_steps=10,
    checkpoint_every=5,
    guarantee=Guarantee(epsilon=0.25, delta=1e-6),
)
INSERT = f"INSERT INTO entries VALUES ({', '.join('?' * len(Entry._fields))})"


def measure(quick: bool) -> list[Row]:
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:  # the disk the project lies on, not a memory file system
        os.environ["TACIT_KEYS"] = f"{folder}/keys"
        return [
            *speed(Path(folder), batches=40 if quick else 200),
            *kills(Path(folder), 100 if quick else 1000),
            *(line for spenders in ([16] if quick else [16, 64]) for line in race(Path(folder), spenders)),
        ]


def speed(folder: Path, batches: int) -> list[Row]:
    bare = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    schema.create(bare)
    bare.execute("COMMIT")
    with Ledger.open(folder / "speed.sqlite") as ledger:
        for pragma in ("synchronous", "fullfsync"):  # the ledger's own settings
            (value,) = ledger._store.connection.execute(f"PRAGMA {pragma}").fetchone()
            bare.execute(f"PRAGMA {pragma} = {value}")
        ledger.grant("survey", epsilon=1e6, delta=0.5)
        sample = ledger.reserve(BLOCK, dataset="survey", request_id="sample", purpose="train").entry
        times = _interleaved(
            batches, lambda at: _charge(ledger, at), lambda at: _insert(bare, sample, at), lambda at: _sync(folder)
        )
        assert ledger.head().count == 3 + batches * BATCH
    bare.close()
    charges, inserts, syncs = ([BATCH / second for second in column] for column in zip(*times, strict=True))
    ratio = statistics.median(insert / charge for charge, insert, _ in times)
    return [
        row("durable charges, share of a bare transaction's rate", ratio, "ratio", goal=0.7, better="higher", peer="sqlite3"),
        row("durable charges, one writer", statistics.median(charges), "1/s", better="higher"),
        row(
            "bare sqlite3 transactions, same row and pragmas", statistics.median(inserts), "1/s", better="higher", peer="sqlite3"
        ),
        row("bare write + fsync of 4 KiB, same folder", statistics.median(syncs), "1/s", better="higher", peer="os.fsync"),
    ]


def kills(folder: Path, times: int) -> list[Row]:
    path, log = folder / "kill.sqlite", folder / "released"
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=1e6, delta=0.5)
    _worker("spend", path, log, times, 1, "charge-first")
    released = log.read_text().split("\n")[:-1]
    with Ledger.open(path) as ledger:
        charged = {entry.request_id for entry in ledger.entries()}
    uncharged = sum(name not in charged for name in released)
    return [
        row(f"released but not charged after {times} kill -9", uncharged, "releases", goal=0),
        row(f"released in those {times} runs", len(released), "releases"),
        row("problems that verify finds afterwards", len(verify(path).problems), "problems", goal=0),
    ]


def race(folder: Path, spenders: int) -> list[Row]:
    path, cap = folder / f"race-{spenders}.sqlite", 200
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=0.25 * cap, delta=0.5)
    began = time.perf_counter()
    granted = len(_worker("race", path, spenders, 1 + 2 * cap // spenders, "-").split())
    seconds = time.perf_counter() - began
    with Ledger.open(path) as ledger:
        over = ledger._store.last().spent_epsilon - ledger._store.last().granted_epsilon
    return [
        row(
            f"units (1e-9 of epsilon) over the cap, {spenders} spenders",
            max(over, 250_000_000 * (granted - cap)),
            "units",
            goal=0,
        ),
        row(f"granted of a cap of {cap}, {spenders} spenders", granted, "blocks", goal=cap, better="higher"),
        row(f"time of that race with {spenders} starts", seconds, "s"),
    ]


def _interleaved(batches: int, *tasks: Callable[[int], None]) -> list[tuple[float, ...]]:
    """Return the seconds each task took in each batch, the tasks taking turns; the first batch warms up and does not count."""
    for task in tasks:
        task(0)
    seconds = []
    for batch in range(1, batches):
        turn = []
        for task in tasks:
            began = time.perf_counter()
            task(batch)
            turn.append(time.perf_counter() - began)
        seconds.append(tuple(turn))
    return seconds


def _charge(ledger: Ledger, batch: int) -> None:
    for number in range(BATCH):
        ledger.reserve(BLOCK, dataset="survey", request_id=f"train-{batch}-{number}", purpose="train")


def _insert(connection: sqlite3.Connection, sample: Entry, batch: int) -> None:
    for number in range(BATCH):
        entry = (1 + batch * BATCH + number, *sample[1:4], f"train-{batch}-{number}", *sample[5:])
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(INSERT, entry)
        connection.execute("COMMIT")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder / "bare fsync", os.O_WRONLY | os.O_CREAT)
    for _ in range(BATCH):
        os.write(descriptor, bytes(4096))
        os.fsync(descriptor)
    os.close(descriptor)


def _worker(*arguments: object) -> str:
    script = ROOT / "tests" / "privacy" / "ledger" / "worker.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main("ledger", measure, packages=("cryptography",))
