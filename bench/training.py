"""Time and peak memory of a private training step, as ratios to torch's best plain step; peers in the same run.

Every contestant runs in a process of its own, where its steps and the plain step take turns (bench/peers/contest.py). The plain
step is the fastest of: fused or foreach optimizer, channels_last for images, compiled, one or two threads.
Peers run from the environments in the folder $TACIT_PEERS, each made from a file of bench/peers:

    python -m venv $TACIT_PEERS/opacus && $TACIT_PEERS/opacus/bin/pip install -r bench/peers/opacus.txt

--quick measures the MLP and the CNN alone, against the eager plain step, without peers.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from peers.contest import THREADS, fastest, in_own_process
from peers.floor import floor
from peers.models import SPECS, Spec
from row import Row, main, row


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """Largest time ratios: clipping alone (required, and aimed at), and the whole step."""

    clipping: float
    aim: float
    noise: float


GOALS = {
    "mlp": Goal(clipping=1.2, aim=1.15, noise=1.5),
    "cnn": Goal(clipping=1.5, aim=1.4, noise=1.6),
    "wrn": Goal(clipping=1.6, aim=1.5, noise=1.65),
    "gpt": Goal(clipping=1.35, aim=1.25, noise=1.45),
}
MEMORY = 1.3

PEERS = {  # name -> environment, module, variant
    "Opacus hooks": ("opacus", "peers.with_opacus", "hooks"),
    "Opacus functorch": ("opacus", "peers.with_opacus", "functorch"),
    "Opacus expanded weights": ("opacus", "peers.with_opacus", "ew"),
    "Opacus ghost": ("opacus", "peers.with_opacus", "ghost"),
    "fastDP": ("fastdp", "peers.with_fastdp", ""),
    "JAX vmap+jit": ("jax", "peers.with_jax", ""),
}
KINDS = {"clipping": "clipping alone", "noise": "with noise and optimizer"}


def measure(quick: bool) -> list[Row]:
    torch.set_num_threads(THREADS)
    products, copies = _machine_speed()
    rows = [
        row("float32 product of 2048 x 2048 matrices", products / 1e9, "Gop/s"),
        row("copy of 256 MB, read and written", copies / 1e9, "GB/s"),
    ]
    for name in ("mlp", "cnn") if quick else tuple(SPECS):
        rows += _model(SPECS[name], products, copies, quick)
    return rows


def _model(spec: Spec, products: float, copies: float, quick: bool) -> Iterator[Row]:
    operations, traffic = floor(spec)
    plain, tried = fastest(spec, rounds=3 if quick else 7, compiling=not quick)
    print(f"{spec.name}: plain step with {plain}", file=sys.stderr)
    yield row(f"{spec.name}: floor, operations", operations / 1e9, "Gop")
    yield row(f"{spec.name}: floor, bytes", traffic / 1e6, "MB")
    yield row(f"{spec.name}: floor, at the speeds above", max(operations / products, traffic / copies), "s")
    for what, ratio in tried.items():
        yield row(f"{spec.name}: plain, {what} / best so far", ratio, "ratio")
    arguments = ["--model", spec.name, "--plain", json.dumps(asdict(plain)), "--reps", "5" if quick else "15"]
    ours = _ours(spec, arguments)
    yield from _tacit_rows(spec, ours)
    if not quick:
        yield from _peers(spec, arguments, ours)


def _ours(spec: Spec, arguments: list[str]) -> Any:
    """Return tacit's figures, or the reason why there are none."""
    try:
        return in_own_process("peers.with_tacit", arguments, timeout=900)
    except RuntimeError as refused:
        return str(refused)


def _tacit_rows(spec: Spec, ours: Any) -> Iterator[Row]:
    if isinstance(ours, str):
        yield row(f"{spec.name}: not run: {ours}", 1, "refusal", goal=0)
        return
    goal, wall, cpu, memory = GOALS[spec.name], ours["wall"], ours["cpu"], ours["memory"]
    for parameter, operation, method in ours["report"]:
        print(f"{spec.name}: {parameter:<32} {operation:<16} {method}", file=sys.stderr)
    yield row(f"{spec.name}: plain step", ours["seconds"]["plain"], "s")
    for kind, words in KINDS.items():
        yield row(f"{spec.name}: {words}", ours["seconds"][kind], "s")
    clipping = row(f"{spec.name}: clipping alone / plain (aim {goal.aim:g})", wall["clipping"], "ratio", goal=goal.clipping)
    yield clipping | {"methods": ours["report"]}
    yield row(f"{spec.name}: with noise and optimizer / plain", wall["noise"], "ratio", goal=goal.noise)
    yield row(f"{spec.name}: the same, Poisson draws padded / plain", wall["padded"], "ratio")
    yield row(f"{spec.name}: clipping alone, peak memory / plain", memory["clipping"], "ratio", goal=MEMORY)
    yield row(f"{spec.name}: with noise, peak memory / plain", memory["noise"], "ratio", goal=MEMORY)
    yield row(f"{spec.name}: plain step, peak memory above the model", ours["bytes"]["plain"] / 1e6, "MB")
    for kind, words in KINDS.items():
        yield row(f"{spec.name}: {words} / plain, processor time", cpu[kind], "ratio")


def _peers(spec: Spec, arguments: list[str], ours: Any) -> Iterator[Row]:
    """Measure every peer whose environment is there, and compare tacit with the fastest."""
    best = dict.fromkeys(KINDS, float("inf"))
    for name, (environment, module, variant) in PEERS.items():
        python = Path(os.environ.get("TACIT_PEERS", "")) / environment / "bin" / "python"
        try:
            if not ("TACIT_PEERS" in os.environ and python.exists()):
                raise RuntimeError(f"no environment {environment!r} in $TACIT_PEERS")
            theirs = in_own_process(module, [*arguments, "--variant", variant], timeout=600, python=str(python))
        except RuntimeError as reason:
            print(f"{spec.name}: {name} not run: {reason}", file=sys.stderr)
            yield row(f"{spec.name}: {name}, not run: {reason}"[:120], 1, "failure", peer=name)
            continue
        peer = f"{name} ({theirs['version']})"
        for kind, words in KINDS.items():
            best[kind] = min(best[kind], theirs["wall"][kind])
            yield row(f"{spec.name}: {name}, {words} / plain", theirs["wall"][kind], "ratio", peer=peer)
            yield row(f"{spec.name}: {name}, {words}, processor time", theirs["cpu"][kind], "ratio", peer=peer)
        yield row(f"{spec.name}: {name}, peak memory / plain", theirs["memory"]["noise"], "ratio", peer=peer)
    for kind, words in KINDS.items():
        if not isinstance(ours, str) and best[kind] < float("inf"):
            yield row(f"{spec.name}: {words}, tacit / fastest peer", ours["wall"][kind] / best[kind], "ratio", goal=1.0)


def _machine_speed() -> tuple[float, float]:
    """Return this machine's operations per second in a large float32 product, and bytes per second of a copy: best of several."""
    a, b, out = torch.rand(2048, 2048), torch.rand(2048, 2048), torch.empty(2048, 2048)
    source, target = torch.rand(32_000_000), torch.rand(32_000_000)
    product, copy = [], []
    for _ in range(7):
        start = time.perf_counter()
        torch.mm(a, b, out=out)
        product.append(time.perf_counter() - start)
        start = time.perf_counter()
        target.copy_(source)
        copy.append(time.perf_counter() - start)
    return 2 * 2048**3 / min(product), 2 * source.numel() * 4 / min(copy)


if __name__ == "__main__":
    main("training", measure, packages=("numpy", "torch"))
