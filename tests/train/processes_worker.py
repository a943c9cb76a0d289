"""One of several processes that train together; run by test_processes.py as `processes_worker.py RANK COUNT FOLDER SCENARIO...`.

Each scenario writes what this process saw to FOLDER/SCENARIO.RANK.pt. The same functions, called with rank 0 of 1, are the
single process that the tests compare with.
"""

import datetime
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from tacit.errors import TacitError
from tacit.noise.arithmetic import Library
from tacit.noise.keystream import Keystream
from tacit.noise.normal import Draws, memory_for
from tacit.noise.source import OsSource, SeededSource, Zeros
from tacit.privacy.ledger import Ledger, Reservation
from tacit.train.clipping import AdaptiveClipping
from tacit.train.paying import Payment
from tacit.train.plan import Plan
from tacit.train.torch.loop import fit
from tacit.train.torch.private import PrivateTraining, make_private
from tacit.train.trainer import Checkpoints

ROWS = 64
Seen = dict[str, Any]


class Silence(Draws):
    """Values of zero in place of normal ones."""

    def normal(self, count: int, *, spread: float = 1.0, out: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        values = memory_for(count, spread, out)
        values.fill(0.0)
        return values


class Still(SeededSource):
    """Draws batches as its seed says, and no noise."""

    def draws(self, *, by: Library = "numpy") -> Draws:
        return Silence(Keystream(bytearray(32)), by=by)


class Copied(OsSource):
    """The planted fault: words of its own, and the same noise in every process."""

    def __init__(self) -> None:
        super().__init__()
        self._noise = SeededSource(1)

    def draws(self, *, by: Library = "numpy") -> Draws:
        return self._noise.draws(by=by)


def rows() -> tuple[Tensor, Tensor, Tensor]:
    """Features, class and number of each row; numbers begin at 1, so that 0 is padding."""
    generator = torch.Generator().manual_seed(5)
    features = torch.rand(ROWS, 3, generator=generator) * 2 - 1
    return features, (features[:, 0] > 0).long(), torch.arange(1, ROWS + 1)


def network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))


@contextmanager
def ledger_in(folder: Path, rank: int, epsilon: float = 100.0) -> Iterator[Ledger | None]:
    if rank:
        yield None
        return
    folder.mkdir(exist_ok=True)
    with Ledger.open(folder / "ledger.sqlite", key_folder=folder / "keys") as ledger:
        ledger.grant("people", epsilon=epsilon, delta=1e-3)
        yield ledger


def started(model: nn.Module, ledger: Ledger | None, rank: int, **more: Any) -> tuple[PrivateTraining, torch.optim.Optimizer]:
    settings: dict[str, Any] = {
        "dataset": rows(),
        "epsilon": 2.0,
        "delta": 1e-5,
        "clip_norm": 0.5,
        "batch_size": 16,
        "epochs": 2,
        "ledger": ledger,
        "budget": "people",
        "request_id": "one",
        "source": Still(10 + rank),
    } | more
    if dist_count() == 1:  # a single process compares no words with others: the first of several has drawn some
        settings["source"].uniform_words(4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    return make_private(model, optimizer, **settings), optimizer


def dist_count() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def run(
    private: PrivateTraining, optimizer: torch.optim.Optimizer, steps: int = 10_000
) -> tuple[list[list[list[int]]], list[dict[str, Tensor]]]:
    """Return, for each step, the row numbers of each micro-batch, and the weights after it."""
    seen: list[list[list[int]]] = [[]]
    weights = []
    for features, labels, numbers in private.batches():
        seen[-1].append([int(one) for one in numbers if one])
        before = private.step
        private.backward(nn.functional.cross_entropy(private.model(features), labels, reduction="none"))
        optimizer.step()
        if private.step > before:
            weights.append({name: whole(value) for name, value in private.model.state_dict().items()})
            if private.step == steps:
                break
            seen.append([])
    return [one for one in seen if one], weights


def whole(value: Any) -> Tensor:
    found: Tensor = value.full_tensor() if isinstance(value, DTensor) else value
    return found.clone()


def pieces_in(model: nn.Module, what: str = "data") -> dict[str, tuple[int, ...]]:
    """Return the shapes that this process holds of weights or of gradients."""
    return {name: tuple(getattr(one, what).to_local().shape) for name, one in model.named_parameters()}


def trained(folder: Path, rank: int, model: nn.Module | None = None, **more: Any) -> Seen:
    with ledger_in(folder, rank) as ledger:
        private, optimizer = started(network(rank) if model is None else model, ledger, rank, **more)
        batches, weights = run(private, optimizer)
        private.finish()
        seen: Seen = {"batches": batches, "weights": weights, "steps": private.step, "planned": private.plan.steps}
        if ledger is not None:
            seen["paid"] = [one.request_id for one in ledger.entries() if one.kind == "dp"]
            seen["spent"], seen["price"] = ledger.spent("people").epsilon, private.plan.guarantee.epsilon
    return seen


def poisson(folder: Path, rank: int) -> Seen:
    return trained(folder, rank)


def pieces(folder: Path, rank: int) -> Seen:
    """Physical batches as small as to take as many for two processes as for one: sources then serve the same calls."""
    return trained(folder, rank, max_physical_batch=6 // dist_count())


def rare(folder: Path, rank: int) -> Seen:
    return trained(folder, rank, batch_size=1, epochs=0.5)


def users(folder: Path, rank: int) -> Seen:
    owners = np.arange(ROWS) % 16
    return trained(folder, rank, owners=owners, n=16, batch_size=8, unit="user_id", rows_per_user=3)


def adaptive(folder: Path, rank: int) -> Seen:
    clipping = AdaptiveClipping(clip_norm=0.5, bit_noise=8.0)
    norms = []
    with ledger_in(folder, rank) as ledger:
        private, optimizer = started(network(rank), ledger, rank, clipping=clipping)
        for features, labels, _ in private.batches():
            private.backward(nn.functional.cross_entropy(private.model(features), labels, reduction="none"))
            optimizer.step()
            norms.append(private._engine.clip_norm)
    return {"norms": norms}


def sharded(folder: Path, rank: int) -> Seen:
    """Under fully_shard when there are several; the model is also evaluated between steps."""
    model = network(0)
    if dist_count() > 1:
        fully_shard(model[0])
        fully_shard(model)
        local = pieces_in(model)
        seen = trained(folder, rank, model)
        assert pieces_in(model) == local
        model(torch.ones(2, 3)).sum().backward()  # finish() gave fully_shard its own ways back
        assert pieces_in(model, "grad") == local
        return seen | {"local": local}
    return trained(folder, rank, model)


def averaged(folder: Path, rank: int, *, check: bool = False) -> Seen:
    """`fit` with an average, under fully_shard when there are several.

    check -- the loss is tried before, and again between a backward pass and the optimizer's step.
    """
    model = network(0)
    if dist_count() > 1:
        fully_shard(model[0])
        fully_shard(model)

    def losses(model: nn.Module, features: Tensor, labels: Tensor, _: Tensor) -> Tensor:
        return nn.functional.cross_entropy(model(features), labels, reduction="none")

    with ledger_in(folder, rank) as ledger:
        private, optimizer = started(model, ledger, rank)

        def again(*_: Any) -> None:
            if private.step == 2:
                private.check(lambda *batch: losses(model, *batch))

        if check:
            private.check(lambda *batch: losses(model, *batch))
            optimizer.register_step_pre_hook(again)
        fit(private, losses, average=0.5)
    return {"weights": {name: whole(value) for name, value in model.state_dict().items()}, "steps": private.step}


def averaged_checked(folder: Path, rank: int) -> Seen:
    return averaged(folder, rank, check=True)


def noise(folder: Path, rank: int, source: Any = None, clip_norm: float = 0.5, *, cut: bool = False) -> Seen:
    """Updates, times the batch size, of steps whose gradients are all zero. cut -- under fully_shard when there are several."""
    model = nn.Linear(3, 10_050)
    if cut and dist_count() > 1:
        fully_shard(model)
    source = OsSource.from_os() if source is None else source
    found = []
    with ledger_in(folder, rank) as ledger:
        private, optimizer = started(model, ledger, rank, source=source, epochs=1.25, clip_norm=clip_norm)
        for features, _, _ in private.batches():
            private.backward(model(features).sum(dim=1) * 0)
            found.append(
                torch.cat([whole(one.grad).flatten() for one in model.parameters() if one.grad is not None]).double()
                * private.plan.batch_size
            )
            optimizer.step()
    multiplier = private.plan.noise_multiplier
    return {"updates": torch.stack(found), "scale": multiplier * private.plan.clip_norm, "noise": multiplier}


def noise_small(folder: Path, rank: int) -> Seen:
    return noise(folder, rank, clip_norm=0.1)


def noise_large(folder: Path, rank: int) -> Seen:
    return noise(folder, rank, clip_norm=2.0)


def noise_cut(folder: Path, rank: int) -> Seen:
    return noise(folder, rank, cut=True)


def noise_cut_small(folder: Path, rank: int) -> Seen:
    return noise(folder, rank, clip_norm=0.1, cut=True)


def noise_cut_large(folder: Path, rank: int) -> Seen:
    return noise(folder, rank, clip_norm=2.0, cut=True)


def copied(folder: Path, rank: int) -> Seen:
    return noise(folder, rank, Copied())


def banded(folder: Path, rank: int) -> Seen:
    """State after two steps, restored in a new training."""
    more: dict[str, Any] = {"mechanism": "banded", "sampling": "shuffle", "source": SeededSource(20 + rank)}
    with ledger_in(folder, rank) as ledger:
        private, optimizer = started(network(rank), ledger, rank, **more)
        run(private, optimizer, steps=2)
    state = private.state()
    sent: list[Any] = [state]
    dist.broadcast_object_list(sent, src=0)
    again, _ = started(network(rank), None, rank, **(more | {"source": SeededSource(30 + rank), "request_id": "two"}))
    again.restore(sent[0], claimed=2)
    return {"state": state, "again": again.state(), "refused": refusal(lambda: again.restore({"step": np.array([2])}, claimed=2))}


def refusals(folder: Path, rank: int) -> Seen:
    """Whatever one process refuses, all do."""
    with ledger_in(folder, rank) as ledger, ledger_in(folder / "poor", rank, epsilon=0.5) as poor:
        return _refusals(rank, ledger, poor)


def _refusals(rank: int, ledger: Ledger | None, poor: Ledger | None) -> Seen:
    features, labels, numbers = rows()

    def attempt(**more: Any) -> str:
        def go() -> None:
            private, optimizer = started(more.pop("model", network(0)), more.pop("ledger", ledger), rank, **more)
            run(private, optimizer)

        return refusal(go)

    def wrong_loss() -> None:
        private, _ = started(network(0), ledger, rank, request_id="loss")
        for x, y, _ in private.batches():
            losses = nn.functional.cross_entropy(private.model(x), y, reduction="none")
            private.backward(losses.sum() if rank == 1 else losses)

    return {
        "budget": attempt(ledger=poor),
        "unpaid": attempt(ledger=None),
        "plan": attempt(clip_norm=0.5 + rank),
        "rows": attempt(dataset=(features + rank, labels, numbers)),
        "model": attempt(model=nn.Sequential(nn.Linear(3, 2 + rank))),
        "seed": attempt(source=SeededSource(1)),
        "zeros": attempt(source=Zeros(), request_id="zeros"),
        "wrapped": attempt(model=nn.parallel.DistributedDataParallel(network(0))),
        "loss": refusal(wrong_loss),
        "kept": attempt(checkpoints=None if rank else Checkpoints(path=Path("never written"), key=bytes(32))),
        "paid": "" if ledger is None else " ".join(str(one.request_id) for one in ledger.entries() if one.kind == "dp"),
    }


def refusal(go: Callable[[], Any]) -> str:
    try:
        go()
    except TacitError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was refused"


def killed(folder: Path, rank: int) -> Seen:
    """The last process is killed in its third step; the first, in the scenario named so."""
    return _killed(folder, rank, victim=dist_count() - 1)


def first_killed(folder: Path, rank: int) -> Seen:
    return _killed(folder, rank, victim=0)


def _killed(folder: Path, rank: int, victim: int) -> Seen:
    def go(private: PrivateTraining, optimizer: torch.optim.Optimizer) -> None:
        for features, labels, _ in private.batches():
            if rank == victim and private.step == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            private.backward(nn.functional.cross_entropy(private.model(features), labels, reduction="none"))
            optimizer.step()

    with ledger_in(folder, rank) as ledger:
        private, optimizer = started(network(rank), ledger, rank)
        return {"refused": refusal(lambda: go(private, optimizer)), "steps": private.step}


def nobody() -> Reservation:
    raise AssertionError("the first process pays")


def kept(
    folder: Path, rank: int, mechanism: str, *, kill_after: int | None = None, at_checkpoint: bool = True, cut: bool = False
) -> Seen:
    """Train with checkpoints every three steps; both processes are killed after a step, when its checkpoint is there or before.

    cut -- under fully_shard: weights and Adam's moments are in pieces, of uneven sizes.
    """
    torch.manual_seed(100 + (0 if cut else rank))
    model = nn.Sequential(nn.Linear(3, 7), nn.Tanh(), nn.Dropout(0.3), nn.Linear(7, 2))
    if cut:
        fully_shard(model[0])
        fully_shard(model)
    torch.manual_seed(100 + rank)  # dropout differs between processes
    sizes: dict[str, Any] = {"n": ROWS, "batch_size": 16, "epochs": 2, "clip_norm": 0.5, "parameters": 50}
    runs: dict[str, Any] = {"checkpoint_every": 3, "spare_steps": 6, "mechanism": mechanism}
    plan = Plan.solve(epsilon=2.0, delta=1e-5, sampling="shuffle" if mechanism == "banded" else None, **sizes, **runs)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    with ledger_in(folder, rank) as ledger:
        private = PrivateTraining(
            model,
            optimizer,
            rows()[:2],
            plan,
            pay=nobody if ledger is None else Payment(ledger=ledger, budget="people", request_id="one", purpose="test"),
            source=SeededSource(40 + rank),
            checkpoints=Checkpoints(path=folder / f"checkpoint.{0 if rank == 0 else 'none'}", key=bytes(32)),
        )
        begun = private.step
        for features, labels in private.batches():
            private.backward(nn.functional.cross_entropy(model(features), labels, reduction="none"))
            optimizer.step()
            if private.step == kill_after:
                if at_checkpoint:
                    private.checkpoint()
                dist.barrier()
                os.kill(os.getpid(), signal.SIGKILL)
        weights = {name: whole(value).clone() for name, value in private.finish().state_dict().items()}
        spent = None if ledger is None else (ledger.spent("people").epsilon, max(one.claimed or 0 for one in ledger.entries()))
    price = plan.guarantee.epsilon
    return {"weights": weights, "begun": begun, "steps": private.step, "planned": plan.steps, "spent": spent, "price": price}


def whole_banded(folder: Path, rank: int) -> Seen:
    return kept(folder, rank, "banded")


def whole_plain(folder: Path, rank: int) -> Seen:
    return kept(folder, rank, "dp-sgd")


def cut_banded(folder: Path, rank: int) -> Seen:
    return kept(folder, rank, "banded", kill_after=3)


def cut_plain(folder: Path, rank: int) -> Seen:
    return kept(folder, rank, "dp-sgd", kill_after=6)


def cut_between(folder: Path, rank: int) -> Seen:
    return kept(folder, rank, "dp-sgd", kill_after=5, at_checkpoint=False)


def resumed_banded(folder: Path, rank: int) -> Seen:
    return kept(folder.parent / "cut_banded", rank, "banded")


def resumed_plain(folder: Path, rank: int) -> Seen:
    return kept(folder.parent / "cut_plain", rank, "dp-sgd")


def whole_sharded(folder: Path, rank: int) -> Seen:
    return kept(folder, rank, "dp-sgd", cut=True)


def cut_sharded(folder: Path, rank: int) -> Seen:
    return kept(folder, rank, "dp-sgd", kill_after=6, cut=True)


def resumed_sharded(folder: Path, rank: int) -> Seen:
    return kept(folder.parent / "cut_sharded", rank, "dp-sgd", cut=True)


def resumed_between(folder: Path, rank: int) -> Seen:
    return kept(folder.parent / "cut_between", rank, "dp-sgd")


def main(rank: int, count: int, folder: Path, names: list[str]) -> None:
    torch.set_num_threads(1)
    limit = datetime.timedelta(seconds=60)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=count, timeout=limit)
    for name in names:
        place = folder / name
        place.mkdir(exist_ok=True)
        torch.save(globals()[name](place, rank), folder / f"{name}.{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
