"""What the ledger's tests run in processes of their own: spenders that are killed, race for a cap or meet a full disk.

Imports once, then forks: a child opens its own ledger, so a kill costs milliseconds instead of an interpreter's start.
"""

import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tacit.errors import BudgetExceeded, LedgerError
from tacit.privacy.block import Block
from tacit.privacy.events import GaussianEvent
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger import Ledger

BLOCK = Block(
    event=GaussianEvent(noise_multiplier=100.0),
    steps=20,
    spare_steps=10,
    checkpoint_every=5,
    guarantee=Guarantee(epsilon=0.25, delta=1e-6),
)


def child(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - a child must not run the parent's code
        print(f"{type(error).__name__}: {error}", flush=True)
        os._exit(1)
    os._exit(0)


def wait(pids: list[int]) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def release(log: Path, what: str) -> None:
    """The output that must never exist without its charge: a line, on disk when this returns."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{what}\n".encode())
    os.fsync(descriptor)
    os.close(descriptor)


def spend(path: Path, log: Path, order: str) -> None:
    """Charge and release for ever; with order "release-first" the fault is planted."""
    with Ledger.open(path) as ledger:
        for turn in range(10**9):
            name = f"{os.getpid()}-{turn}"
            if order == "release-first":
                release(log, name)
            if turn % 2:
                ledger.record("not-dp", dataset="survey", request_id=name, what="a table")
            else:
                ledger.reserve(BLOCK, dataset="survey", request_id=name, purpose="test")
            if order == "charge-first":
                release(log, name)


def step(path: Path, log: Path) -> None:
    """Take steps of one block, releasing each, until it is used up."""
    with Ledger.open(path) as ledger, ledger.resume("block") as run:
        while run.steps_left:
            try:
                run.count_step()
            except BudgetExceeded:
                return
            release(log, str(run.block.paid_steps - run.steps_left))
            if run.steps_left % 5 == 0:
                run.checkpoint()


def kill_many(path: Path, log: Path, kills: int, seed: int, work: Callable[[], None]) -> None:
    """Run two children at a time and kill -9 each at a random moment of its first few charges.

    How long those take depends on the disk, so the longest wait grows while children die before they release anything.
    """
    moments, longest = random.Random(seed), 0.01
    for _ in range(0, kills, 2):
        before = log.stat().st_size if log.exists() else 0
        pair = [child(work), child(work)]
        for pid in pair:
            time.sleep(moments.random() * longest)
            os.kill(pid, signal.SIGKILL)
        wait(pair)
        grown = log.exists() and log.stat().st_size > before
        longest = max(0.005, longest * 0.9) if grown else min(0.5, longest * 1.5)


def race(path: Path, spenders: int, tries: int, anchor: str) -> None:
    """Let spenders compete for one cap; each line printed is a reservation granted."""
    gate_read, gate_write = os.pipe()

    def compete() -> None:
        os.close(gate_write)
        os.read(gate_read, 1)  # returns when the parent opens the gate for all
        with Ledger.open(path, anchor=Path(anchor) if anchor != "-" else None) as ledger:
            for turn in range(tries):
                name = f"{os.getpid()}-{turn}"
                try:
                    ledger.reserve(BLOCK, dataset="survey", request_id=name, purpose="race")
                except BudgetExceeded:
                    continue
                os.write(1, f"{name}\n".encode())

    pids = [child(compete) for _ in range(spenders)]
    os.close(gate_write)
    if any(wait(pids)):
        raise SystemExit("a spender failed")


def found(path: Path, founders: int) -> None:
    """Let processes create one ledger and one key together; each line printed is a founder that could charge."""
    gate_read, gate_write = os.pipe()

    def create() -> None:
        os.close(gate_write)
        os.read(gate_read, 1)
        with Ledger.open(path) as ledger:
            entry = ledger.record("read-only", dataset="survey", request_id=f"{os.getpid()}", what="profile")
            os.write(1, f"{ledger.ledger_id} {entry.seq}\n".encode())

    pids = [child(create) for _ in range(founders)]
    os.close(gate_write)
    if any(wait(pids)):
        raise SystemExit("a founder failed")


def fill_disk(path: Path, log: Path, room: int) -> None:
    """Charge and release until the disk takes no more, then again with room; prints what the ledger said."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    turn = 0
    try:
        with Ledger.open(path) as ledger:
            ledger.grant("survey", epsilon=10_000.0, delta=0.5)
            for turn in range(10_000):
                ledger.reserve(BLOCK, dataset="survey", request_id=f"r{turn}", purpose="test")
                os.write(1, f"r{turn}\n".encode())
    except LedgerError as error:
        print(f"refused: {error}".replace("\n", " "), flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=1.0, delta=1e-5)
        ledger.reserve(BLOCK, dataset="survey", request_id=f"again{turn}", purpose="test")
        os.write(1, f"again{turn}\n".encode())


def main() -> None:
    task, path, *rest = sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]
    if task == "spend":
        log, kills, seed, order = Path(rest[0]), int(rest[1]), int(rest[2]), rest[3]
        kill_many(path, log, kills, seed, lambda: spend(path, log, order))
    elif task == "step":
        log, kills, seed = Path(rest[0]), int(rest[1]), int(rest[2])
        kill_many(path, log, kills, seed, lambda: step(path, log))
    elif task == "race":
        race(path, int(rest[0]), int(rest[1]), rest[2])
    elif task == "found":
        found(path, int(rest[0]))
    elif task == "fill-disk":
        fill_disk(path, Path(rest[0]), int(rest[1]))
    else:
        raise SystemExit(f"no task {task}")


if __name__ == "__main__":
    main()
