"""CPU time of normal vectors, one thread: tacit's source against torch.Tensor.normal_, in one run.

Both fill memory that is already there. Repetitions are interleaved, so that a change of the machine's speed meets all alike.
"""

import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from row import Row, main, row
from tacit.noise.keystream import Keystream, Reader
from tacit.noise.source import OsSource

SCALE, STEP = 1.0, 2.0**-22  # the grid of about ten million coordinates at clip norm 1


def measure(quick: bool) -> list[Row]:
    count, repetitions = (2_000_000, 9) if quick else (10_000_000, 15)
    torch.set_num_threads(1)
    source, ours, theirs = OsSource.from_os(), np.zeros(count), torch.zeros(count)
    reader, chunk = Keystream(bytearray(os.urandom(32))).at(0), np.zeros(9 * count // 400, dtype=np.uint8)  # stays in cache
    contest: dict[str, Callable[[], object]] = {
        "torch": lambda: theirs.normal_(),
        "normal": lambda: source.normal(count, out=ours),
        "grid": lambda: source.rounded_normal(count, scale=SCALE, step=STEP, out=ours),
        "fresh": lambda: source.normal(count),
        "torch fresh": lambda: torch.empty(count).normal_(),
        "keystream": lambda: _fill(reader, chunk, 400),
    }
    cpu = {name: seconds * 1e9 / count for name, seconds in _medians(contest, time.process_time, repetitions).items()}
    one_two: dict[str, Callable[[], object]] = {
        "one": lambda: source.normal(count, threads=1, out=ours),
        "two": lambda: source.normal(count, threads=2, out=ours),
    }
    wall = _medians(one_two, time.perf_counter, repetitions)
    peer, unit = f"torch.Tensor.normal_ float32 {torch.__version__}", "ns/value"
    return [
        row("torch.Tensor.normal_, float32", cpu["torch"], unit, peer=peer),
        row("keystream alone (floor), AES-256-CTR, 9 bytes per value", cpu["keystream"], unit),
        row("normal, float64", cpu["normal"], unit),
        row("normal, float64 / torch", cpu["normal"] / cpu["torch"], "ratio", goal=2.0, peer=peer),
        row("rounded_normal, on the grid", cpu["grid"], unit),
        row("rounded_normal, on the grid / torch", cpu["grid"] / cpu["torch"], "ratio", goal=2.5, peer=peer),
        row("normal into fresh memory / torch into fresh memory", cpu["fresh"] / cpu["torch fresh"], "ratio", peer=peer),
        row("normal, one thread, wall time", wall["one"], "s"),
        row("normal, two threads, wall time", wall["two"], "s"),
        row("normal, two threads / one thread, wall time", wall["two"] / wall["one"], "ratio"),
    ]


def _fill(reader: Reader, chunk: NDArray[np.uint8], times: int) -> None:
    for _ in range(times):
        reader.fill(chunk)


def _medians(contest: dict[str, Callable[[], object]], clock: Callable[[], float], repetitions: int) -> dict[str, float]:
    """Return each contestant's median seconds, after one round that is not counted; rounds are interleaved."""
    seconds: dict[str, list[float]] = {name: [] for name in contest}
    for _ in range(repetitions + 1):
        for name, run in contest.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}


if __name__ == "__main__":
    main("noise", measure, packages=("numpy", "torch", "cryptography"))
