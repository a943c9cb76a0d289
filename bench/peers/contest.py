"""How one contestant is measured against torch's best plain step, in one process: time interleaved, memory in a process of its own.

A contestant is a module that hands `main` two functions: `attach(case, kind)` returns a step of that kind ("clipping" alone, or
with "noise"), and `ready(spec)` does beforehand what is paid once for a training and not for a step, such as compiling.
"""

import argparse
import ctypes
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from peers.models import SPECS, Spec, mean_loss

THREADS = 2
LEARNING_RATE = 0.01
Step = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Took:
    """Median seconds of a step: of the clock, and of all threads' work (for a machine that others use too)."""

    wall: float
    cpu: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Plain:
    """How the plain step is taken; `fastest` finds the best. Contestants get its threads and its optimizer's path."""

    threads: int = THREADS
    fused: bool = False  # the optimizer's path: fused, or foreach
    channels_last: bool = False
    compiled: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Case:
    """A built model, its optimizer and one batch."""

    spec: Spec
    model: nn.Module
    optimizer: torch.optim.Optimizer
    x: Tensor
    y: Tensor

    @classmethod
    def of(cls, spec: Spec, plain: Plain, make: Callable[[], nn.Module] | None = None, rows: int | None = None) -> "Case":
        """Build the model; every contestant gets the plain step's optimizer path and memory layout."""
        torch.manual_seed(0)
        model, (x, y) = (make or spec.make)(), spec.rows(rows or spec.batch)
        if plain.channels_last:
            model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, fused=plain.fused, foreach=not plain.fused)
        return cls(spec=spec, model=model, optimizer=optimizer, x=x, y=y)


Attach = Callable[[Case, str], Step]


def plain_step(spec: Spec, plain: Plain) -> Step:
    """Return the ordinary step: forward, backward, update."""
    case = Case.of(spec, plain)

    def loss_of(x: Tensor, y: Tensor) -> Tensor:
        return mean_loss(case.model(x), y)

    loss = torch.compile(loss_of) if plain.compiled else loss_of

    def step() -> None:
        case.optimizer.zero_grad(set_to_none=True)
        loss(case.x, case.y).backward()
        case.optimizer.step()

    return step


def interleaved(steps: Mapping[str, tuple[int, Step]], rounds: int, *, warm: int = 1, seconds: float = 60.0) -> dict[str, Took]:
    """Return each step's median times; rounds are interleaved, so that a change of the machine meets all alike.

    steps   -- name -> (threads, step); warm -- rounds that are run before the clocks start.
    seconds -- about how long to go on; at least three rounds are counted whatever they take.
    """
    wall: dict[str, list[float]] = {name: [] for name in steps}
    cpu: dict[str, list[float]] = {name: [] for name in steps}
    began = time.perf_counter()
    for number in range(rounds + warm):
        if number >= warm + 3 and time.perf_counter() - began > seconds:
            break
        for name, (threads, step) in steps.items():
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            start, worked = time.perf_counter(), time.process_time()
            step()
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - worked)
    return {n: Took(wall=statistics.median(wall[n][warm:]), cpu=statistics.median(cpu[n][warm:])) for n in steps}


def fastest(spec: Spec, *, rounds: int, compiling: bool) -> tuple[Plain, dict[str, float]]:
    """Return the fastest way to take the plain step, and what each way that was tried costs relative to it.

    One thing is changed at a time, against the best so far, interleaved.
    """
    best, tried = Plain(), {}
    changes: list[dict[str, Any]] = [{"fused": True}]
    changes += [{"channels_last": True}] if spec.images else []
    changes += [{"compiled": True}] if compiling else []
    changes += [{"compiled": True, "channels_last": False}] if compiling and spec.images else []
    changes += [{"threads": 1}]
    for change in changes:
        other = replace(best, **change)
        if other == best:
            continue
        rivals = {"best": (best.threads, plain_step(spec, best)), "other": (other.threads, plain_step(spec, other))}
        took = interleaved(rivals, rounds, seconds=20.0)
        ratio = took["other"].wall / took["best"].wall
        tried[", ".join(f"{key} {value}" for key, value in change.items())] = ratio
        best = other if ratio < 1 else best
    return best, tried


def peak_above(prepare: Callable[[], object], run: Callable[[Any], None]) -> int:
    """Return by how many bytes the process grew, at most, while `run` ran on what `prepare` returned (Linux)."""
    prepared = prepare()
    ctypes.CDLL(None).malloc_trim(0)  # memory freed while building would otherwise be taken again unseen
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the high-water mark starts at what is held now
    before = _status("VmRSS")
    run(prepared)
    return _status("VmHWM") - before


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {field}; peak memory is measured on Linux only.")


def peak_of(what: str, spec: Spec, plain: Plain, attach: Attach, make: Callable[[], nn.Module] | None = None) -> int:
    """Return the bytes above the built model that one step takes; what -- "plain" or a kind."""
    torch.set_num_threads(plain.threads)

    def run(case: Case) -> None:
        if what == "plain":
            mean_loss(case.model(case.x), case.y).backward()
            case.optimizer.step()
        else:
            attach(case, what)()

    return peak_above(lambda: Case.of(spec, plain, None if what == "plain" else make), run)


def in_own_process(module: str, arguments: list[str], *, timeout: float, python: str = sys.executable) -> Any:
    """Run bench's module and return the JSON on the last line of its output, or raise RuntimeError with its last words."""
    command = [python, "-m", module, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=Path(__file__).parents[1])
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"took longer than {timeout:g} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise RuntimeError(said[-1].strip() if said else f"ended with status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def main(
    module: str,
    version: str,
    attach: Callable[[str], Attach],
    *,
    variants: tuple[str, ...] = ("",),
    kinds: tuple[str, ...] = ("clipping", "noise"),
    make: Callable[[str, Spec], Callable[[], nn.Module]] | None = None,
    ready: Callable[[Spec], None] | None = None,
    report: Callable[[], Any] = lambda: None,
    warm: int = 1,
) -> None:
    """Measure one contestant on one model and print times and bytes, and their ratios to the plain step, as JSON.

    attach -- variant -> attach(case, kind); make -- (variant, spec) -> the model, where the peer needs it written otherwise.
    report -- what else to say when all is measured; warm -- rounds before the clocks start.
    """
    options = _options(module, variants, kinds)
    spec, plain, peer = SPECS[options.model], Plain(**json.loads(options.plain)), attach(options.variant)
    built = None if make is None else make(options.variant, spec)
    if ready is not None:
        ready(spec)
    if options.memory:
        print(json.dumps(peak_of(options.memory, spec, plain, peer, built)))
        return
    steps = {"plain": (plain.threads, plain_step(spec, plain))}
    steps |= {kind: (plain.threads, peer(Case.of(spec, plain, built), kind)) for kind in kinds}
    took = interleaved(steps, options.reps, warm=warm)
    same = ["--model", spec.name, "--variant", options.variant, "--plain", json.dumps(asdict(plain)), "--memory"]
    peaks = {what: in_own_process(module, [*same, what], timeout=300) for what in ("plain", "clipping", "noise")}
    result = {"version": version, "model": spec.name, "seconds": {name: one.wall for name, one in took.items()}, "bytes": peaks}
    result["wall"] = {kind: took[kind].wall / took["plain"].wall for kind in kinds}
    result["cpu"] = {kind: took[kind].cpu / took["plain"].cpu for kind in kinds}
    result["memory"] = {what: peaks[what] / peaks["plain"] for what in ("clipping", "noise")}
    text = json.dumps(result | {"report": report()})
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def _options(module: str, variants: tuple[str, ...], kinds: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--model", choices=tuple(SPECS), required=True)
    parser.add_argument("--variant", choices=variants, default=variants[0])
    parser.add_argument("--reps", type=int, default=5, help="interleaved rounds")
    parser.add_argument("--plain", default="{}", metavar="JSON", help="how the plain step is taken")
    parser.add_argument("--memory", choices=("plain", "clipping", "noise"), help="one step of this kind; print its bytes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON here too")
    return parser.parse_args()
