"""CPU time of normal vectors, one thread: tacit's source against torch.Tensor.normal_, in one run; wall time of torch's arithmetic.

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
from tacit.noise.arithmetic import Library
from tacit.noise.grid import GridVector
from tacit.noise.keystream import Keystream
from tacit.noise.source import OsSource

SCALE, STEP = 1.0, 2.0**-22  # the grid of about ten million coordinates at clip norm 1


def measure(quick: bool) -> list[Row]:
    count, repetitions = (2_000_000, 9) if quick else (10_000_000, 15)
    torch.set_num_threads(1)
    source, ours, theirs = OsSource.from_os(), np.zeros(count), torch.zeros(count)
    stream, chunk = Keystream(bytearray(os.urandom(32))), np.zeros(9 * count // 400, dtype=np.uint8)  # stays in cache
    zero = GridVector(units=np.zeros(count), step=STEP, clip_norm=1.0)

    def on_the_grid(by: Library) -> None:
        zero.plus_noise(source.normal(count, spread=SCALE / STEP, by=by, out=ours), by=by)

    def on_threads(threads: int, run: Callable[[], object]) -> None:
        torch.set_num_threads(threads)
        run()
        torch.set_num_threads(1)

    contest: dict[str, Callable[[], object]] = {
        "torch": lambda: theirs.normal_(),
        "normal": lambda: source.normal(count, out=ours),
        "grid": lambda: on_the_grid("numpy"),
        "fresh": lambda: source.normal(count),
        "torch fresh": lambda: torch.empty(count).normal_(),
        "keystream": lambda: _fill(stream, chunk, 400),
    }
    cpu = {name: seconds * 1e9 / count for name, seconds in _medians(contest, time.process_time, repetitions).items()}
    one_two: dict[str, Callable[[], object]] = {
        "numpy": lambda: source.normal(count, out=ours),
        "one": lambda: on_threads(1, lambda: source.normal(count, by="torch", out=ours)),
        "two": lambda: on_threads(2, lambda: source.normal(count, by="torch", out=ours)),
        "grid one": lambda: on_threads(1, lambda: on_the_grid("torch")),
        "grid two": lambda: on_threads(2, lambda: on_the_grid("torch")),
    }
    wall = {name: seconds * 1e9 / count for name, seconds in _medians(one_two, time.perf_counter, repetitions).items()}
    peer, unit = f"torch.Tensor.normal_ float32 {torch.__version__}", "ns/value"
    return [
        row("torch.Tensor.normal_, float32", cpu["torch"], unit, peer=peer),
        row("keystream alone (floor), AES-256-CTR, 9 bytes per value", cpu["keystream"], unit),
        row("normal, float64", cpu["normal"], unit),
        row("normal, float64 / torch", cpu["normal"] / cpu["torch"], "ratio", goal=2.0, peer=peer),
        row("normal, on the grid", cpu["grid"], unit),
        row("normal, on the grid / torch", cpu["grid"] / cpu["torch"], "ratio", goal=2.5, peer=peer),
        row("normal into fresh memory / torch into fresh memory", cpu["fresh"] / cpu["torch fresh"], "ratio", peer=peer),
        row("normal by numpy, one thread, wall time", wall["numpy"], unit),
        row("normal by torch, one thread, wall time", wall["one"], unit),
        row("normal by torch, two threads, wall time", wall["two"], unit),
        row("normal by torch, two threads / one thread, wall time", wall["two"] / wall["one"], "ratio"),
        row("normal by torch, on the grid, one thread, wall time", wall["grid one"], unit),
        row("normal by torch, on the grid, two threads, wall time", wall["grid two"], unit),
    ]


def _fill(stream: Keystream, chunk: NDArray[np.uint8], times: int) -> None:
    for _ in range(times):
        stream.fill(chunk)


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
