"""What an engine asks of the processes that it runs in, and the answer of a single one."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from tacit.errors import ConfigError
from tacit.noise.source import Source

T = TypeVar("T")
State = dict[str, NDArray[Any]]


class Processes(Protocol):
    """The processes of one training. Every method is called by all of them, in the same order.

    rank  -- the number of this one; 0 <= rank < count. The first keeps the ledger and draws the units.
    count -- how many there are; >= 1.
    """

    rank: int
    count: int

    def begin(self, model: nn.Module, settings: Callable[[], Mapping[str, str]], source: Source) -> None:
        """Make sure that all train the same model on the same data by the same plan, from equal weights, each with noise of its own.

        settings -- returns what must be equal, by the name it goes by in an error.
        Raises ConfigError or PrivacyError, in all processes.
        """
        ...

    def from_first(self, run: Callable[[], T]) -> T:
        """Run something in the first process and return its result everywhere. What it raises is raised everywhere."""
        ...

    def share(self, lines: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this process's lines of a draw: each line, one unit, belongs to exactly one process."""
        ...

    def confirm(self, error: Exception | None = None) -> None:
        """Go on only if every process can: an error of one is raised in all."""
        ...

    def summed(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up the processes' vectors of shape (d,), and return this process's own part of the sum, in float64, never empty."""
        ...

    def joined(self, own: NDArray[np.float64], dimension: int) -> NDArray[np.float64]:
        """Return the whole vector, shape (dimension,), from the processes' own parts."""
        ...

    def gathered(self, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return all processes' lengths in the first; in the others nothing that is of use."""
        ...

    def gathered_state(self, state: State) -> State:
        """Return, in the first process, what restores all of them; empty in the others."""
        ...

    def own_state(self, state: State) -> State:
        """Return this process's part of what `gathered_state` gave the first. Raises ConfigError for another number of processes."""
        ...


class Alone:
    """The only process: every answer is what was asked with."""

    rank, count = 0, 1

    def begin(self, model: nn.Module, settings: Callable[[], Mapping[str, str]], source: Source) -> None:
        return

    def from_first(self, run: Callable[[], T]) -> T:
        return run()

    def share(self, lines: NDArray[np.int64]) -> NDArray[np.int64]:
        return lines

    def confirm(self, error: Exception | None = None) -> None:
        if error is not None:
            raise error

    def summed(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        return total

    def joined(self, own: NDArray[np.float64], dimension: int) -> NDArray[np.float64]:
        return own

    def gathered(self, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
        return lengths

    def gathered_state(self, state: State) -> State:
        return state

    def own_state(self, state: State) -> State:
        if any(name.startswith("process ") for name in state):
            raise ConfigError(not_held(self.rank, self.count))
        return state


def not_held(rank: int, count: int) -> str:
    """Return what is said of a checkpoint that was made by another number of processes."""
    return (
        f"the checkpoint holds nothing for process {rank} of {count}. Draws and noise belong to the part that each process had, so another "
        "number of them would repeat or miss some: resume with as many processes as it was made with."
    )
