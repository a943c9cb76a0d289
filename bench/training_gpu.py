"""A private training step on one CUDA GPU against the compiled plain step: GPT-2-small in bf16, WRN-16-4.

Time of the device, by events, steps in turns; and peak memory above the built model. Without CUDA it says so and ends.
"""

import gc
import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from peers.contest import LEARNING_RATE, Step
from peers.models import GPT, WideResNet, losses, mean_loss
from peers.with_tacit import clipping
from row import Row, main, row
from tacit.errors import TacitError

GOAL = 1.2


def measure(quick: bool) -> list[Row]:
    if not torch.cuda.is_available():
        print("not run: no CUDA device", file=sys.stderr)
        return []
    torch.set_float32_matmul_precision("high")  # for both sides
    small = partial(GPT, layers=12, width=768, heads=12, length=1024, vocabulary=50257)
    ids = torch.randint(50257, (8, 1025), device="cuda")
    pictures, labels = torch.rand(256, 3, 32, 32, device="cuda"), torch.randint(10, (256,), device="cuda")
    rounds = 10 if quick else 50
    rows = _model("GPT-2-small, bf16", small, ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), rounds, torch.bfloat16)
    return rows + _model("WRN-16-4", WideResNet, pictures, labels, rounds, None)


def _model(name: str, make: Callable[[], nn.Module], x: Tensor, y: Tensor, rounds: int, low: torch.dtype | None) -> list[Row]:
    contest: dict[str, Callable[[], Step]] = {
        "plain": lambda: _plain(make, x, y, low, compiled=False),
        "plain compiled": lambda: _plain(make, x, y, low, compiled=True),
        "clipping alone": lambda: _clipping(make, x, y, low),
    }
    try:
        times, peaks = _interleaved({key: build() for key, build in contest.items()}, rounds), {}
    except TacitError as refused:
        return [row(f"{name}: not run: {refused}"[:120], 1, "refusal", goal=0)]
    for key in ("plain", "clipping alone"):
        peaks[key] = _peak(contest[key])
    best = min(times["plain"], times["plain compiled"])
    device = torch.cuda.get_device_name()
    return [
        row(f"{name}: plain step, {device}", times["plain"], "ms"),
        row(f"{name}: plain step, compiled", times["plain compiled"], "ms"),
        row(f"{name}: clipping alone / fastest plain step", times["clipping alone"] / best, "ratio", goal=GOAL),
        row(f"{name}: clipping alone, peak memory / plain", peaks["clipping alone"] / peaks["plain"], "ratio"),
    ]


def _built(make: Callable[[], nn.Module], low: torch.dtype | None) -> tuple[nn.Module, torch.optim.Optimizer, Any]:
    """Return the model on the device, its optimizer, and the precision its forward pass runs in."""
    torch.manual_seed(0)
    model = make().cuda()
    return (
        model,
        torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, fused=True),
        partial(torch.autocast, "cuda", dtype=low or torch.float32, enabled=low is not None),
    )


def _plain(make: Callable[[], nn.Module], x: Tensor, y: Tensor, low: torch.dtype | None, *, compiled: bool) -> Step:
    model, optimizer, precision = _built(make, low)
    run = torch.compile(model) if compiled else model

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with precision():
            loss = mean_loss(run(x), y)
        loss.backward()
        optimizer.step()

    return step


def _clipping(make: Callable[[], nn.Module], x: Tensor, y: Tensor, low: torch.dtype | None) -> Step:
    model, optimizer, precision = _built(make, low)

    def each() -> Tensor:
        with precision():
            return losses(model(x), y)

    return clipping(model, optimizer, len(x), each)


def _interleaved(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Return each step's median milliseconds on the device, after ten rounds that compile and warm up."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 10):
        for name, step in steps.items():
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            torch.cuda.synchronize()
            begin.record()
            step()
            end.record()
            torch.cuda.synchronize()
            times[name].append(begin.elapsed_time(end))
    return {name: statistics.median(all_times[10:]) for name, all_times in times.items()}


def _peak(build: Callable[[], Step]) -> int:
    """Return the most bytes of device memory above what is held before, over three steps of a freshly built model."""
    gc.collect()
    torch.cuda.empty_cache()
    step = build()
    held = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    for _ in range(3):
        step()
    return torch.cuda.max_memory_allocated() - held


if __name__ == "__main__":
    main("training_gpu", measure, packages=("numpy", "torch"))
