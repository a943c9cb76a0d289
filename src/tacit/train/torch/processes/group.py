"""Several processes of one torch.distributed group, each with a share of the units and a part of the noise.

Sums. A unit is on one process, so a neighbour differs there alone, and adding up the processes' sums is a few more additions in
float64: tacit.noise.sensitivity counts them (`processes`). Grid and clip norm are those of the whole vector.
Noise. Process r draws the noise of coordinates [r c, (r + 1) c) at the full scale, c the least even number with c * processes >= d:
each coordinate gets one draw, as with one process. Normal values come in pairs, of which none is split between two processes; so those
that are used are the ceil(d / 2) whose missing tail delta pays for. Pairs beyond d are drawn too and dropped, which changes no other.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from tacit import errors
from tacit.errors import ConfigError, PrivacyError, RunError, TacitError
from tacit.noise.source import Source
from tacit.train.torch.processes.alone import Alone, Processes, State, not_held

T = TypeVar("T")
_WORDS = 4
"""64-bit words that two processes' sources are compared by: equal by chance with probability 2^-256."""


def processes_here() -> Processes:
    """Return the processes of the initialized torch.distributed group, or the only one.

    Raises ConfigError when torchrun started several that have no group: each would train, and charge, by itself.
    """
    if not dist.is_available():
        return Alone()
    if dist.is_initialized():
        return Group() if dist.get_world_size() > 1 else Alone()
    if dist.is_torchelastic_launched() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            f"torchrun started {os.environ['WORLD_SIZE']} processes, and this one has joined no group: each would train a model of its own. "
            'Call torch.distributed.init_process_group("gloo") (or "nccl") before make_private.'
        )
    return Alone()


class Group:
    """All processes of the default torch.distributed group."""

    def __init__(self) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        on_processor = any(name in str(dist.get_backend()) for name in ("gloo", "mpi"))
        self._device = torch.device("cpu") if on_processor else torch.device("cuda", torch.cuda.current_device())

    def begin(self, model: nn.Module, settings: Callable[[], Mapping[str, str]], source: Source) -> None:
        self._agree(settings())
        words = self._all(source.uniform_words(_WORDS).tobytes())
        if len(set(words)) < self.count:
            raise PrivacyError(
                f"two of the {self.count} processes draw the same random numbers, so parts of the noise would be copies of one another. Give "
                "each process a source of its own: OsSource.from_os() in each, or SeededSource(seed + rank) in tests."
            )
        from torch.distributed.tensor import DTensor  # costs as much as torch itself, and one process needs none of it

        with torch.no_grad(), _in_touch():
            for one in (*model.parameters(), *model.buffers()):
                if not isinstance(one, DTensor):  # pieces differ on purpose
                    self._send(one)

    def _send(self, value: Tensor) -> None:
        sent = value.detach().to(self._device).contiguous()
        dist.broadcast(sent, src=0)
        value.copy_(sent)

    def _agree(self, settings: Mapping[str, str]) -> None:
        mine = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in settings.items()}
        for rank, theirs in enumerate(self._all(mine)):
            for name in mine:
                if theirs.get(name) != mine[name]:
                    raise ConfigError(
                        f"processes {self.rank} and {rank} differ in {name}. Together they would train something that nobody planned or paid "
                        "for, so nothing starts. Call make_private with the same arguments in every process."
                    )

    def from_first(self, run: Callable[[], T]) -> T:
        sent: list[Any] = [None]
        failure: Exception | None = None
        if self.rank == 0:
            try:
                sent = [(run(), None)]
            except Exception as error:  # noqa: BLE001 - the others wait for an answer, whatever it is
                failure, sent = error, [(None, _described(error))]
        with _in_touch():
            dist.broadcast_object_list(sent, src=0)
        if failure is not None:
            raise failure
        value, refusal = sent[0]
        if refusal is not None:
            raise self._raised(0, refusal)
        return value  # type: ignore[no-any-return]

    def share(self, lines: NDArray[np.int64]) -> NDArray[np.int64]:
        return lines[self.rank :: self.count]

    def confirm(self, error: Exception | None = None) -> None:
        failed = torch.tensor([int(error is not None)], device=self._device)
        with _in_touch():
            dist.all_reduce(failed, op=dist.ReduceOp.MAX)
        if not int(failed):
            return
        found = self._all(None if error is None else _described(error))
        if error is not None:
            raise error
        raise next(self._raised(rank, one) for rank, one in enumerate(found) if one is not None)

    def summed(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        part = self._part(len(total))
        padded = torch.zeros(part * self.count, dtype=torch.float64, device=self._device)
        padded[: len(total)] = torch.from_numpy(total)
        own = torch.empty(part, dtype=torch.float64, device=self._device)
        with _in_touch():
            dist.reduce_scatter(own, list(padded.split(part)))
        return own.cpu().numpy()

    def joined(self, own: NDArray[np.float64], dimension: int) -> NDArray[np.float64]:
        whole = torch.empty(self._part(dimension) * self.count, dtype=torch.float64, device=self._device)
        with _in_touch():
            dist.all_gather(list(whole.split(len(own))), torch.from_numpy(np.ascontiguousarray(own)).to(self._device))
        return whole[:dimension].cpu().numpy()

    def gathered(self, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
        found = self._to_first(lengths)
        return lengths if found is None else np.concatenate(found)

    def gathered_state(self, state: State) -> State:
        found = self._to_first(state)
        return (
            {}
            if found is None
            else {f"{self._prefix(rank)}{name}": one for rank, own in enumerate(found) for name, one in own.items()}
        )

    def own_state(self, state: State) -> State:
        prefix = self._prefix(self.rank)
        found = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        if not found:
            raise ConfigError(not_held(self.rank, self.count))
        return found

    def _prefix(self, rank: int) -> str:
        return f"process {rank} of {self.count}."

    def _part(self, dimension: int) -> int:
        """Return the length of each process's part, even, padded at the end of the last."""
        return 2 * -(-dimension // (2 * self.count))

    def _all(self, mine: Any) -> list[Any]:
        found: list[Any] = [None] * self.count
        with _in_touch():
            dist.all_gather_object(found, mine)
        return found

    def _to_first(self, mine: Any) -> list[Any] | None:
        found: list[Any] | None = [None] * self.count if self.rank == 0 else None
        with _in_touch():
            dist.gather_object(mine, found, dst=0)
        return found

    def _raised(self, rank: int, refusal: tuple[str, str]) -> TacitError:
        name, text = refusal
        kind = getattr(errors, name) if name in errors.__all__ else RunError
        return kind(f"process {rank} of {self.count} stopped, and the others with it: {text}")


def _described(error: Exception) -> tuple[str, str]:
    """Return what another process needs to raise the same: a foreign error is named, its text, which may show rows, is not."""
    if isinstance(error, TacitError):
        return type(error).__name__, str(error)
    return "", f"{type(error).__name__}; its message stays there."


@contextmanager
def _in_touch() -> Iterator[None]:
    """Turn what torch raises when a process is gone into an error that says so."""
    try:
        yield
    except RuntimeError as error:
        raise RunError(
            "another process of this training is gone or does not answer, so no step can be released any more. Every step that was released "
            "had been charged, and what was reserved stays spent. Look for that process's own error, and start all again from the last "
            f"checkpoint. ({type(error).__name__})"
        ) from error
