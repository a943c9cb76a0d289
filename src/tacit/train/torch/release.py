"""The release: from clipped sums to noisy gradients, piece by piece, so that what is worked on stays in cache."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tacit.noise import arithmetic
from tacit.noise.grid import GridVector
from tacit.privacy.mechanisms.correlated import IndependentNoising, Noising
from tacit.train.torch.sums import RunningSum

PIECE = arithmetic.PIECE["torch"]
"""Values released at a time: what is worked on stays in cache."""


class Releaser:
    """Turns the running sums of all parameters, in their order, into (sum + noise) / batch_size in .grad.

    Independent noise is drawn piece by piece, each piece on the grid of the whole vector; correlated noise has a memory of whole
    vectors and is released at once.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], sums: Sequence[RunningSum], noising: Noising) -> None:
        self._parameters, self._sums, self._noising = parameters, sums, noising
        self.dimension = sum(parameter.numel() for parameter in parameters)

    def release(self, clip_norm: float, batch_size: int) -> None:
        """Round the sum to the grid, add the noise, divide by the public batch size, and hand each parameter its part."""
        sums = [one.give().detach().flatten() for one in self._sums]
        updates = [_memory_of(parameter, total) for parameter, total in zip(self._parameters, sums, strict=True)]
        if isinstance(self._noising, IndependentNoising):
            staging, memory = np.empty(min(PIECE, self.dimension)), np.empty(min(PIECE, self.dimension))
            released = self._noising.releases(self._totals(sums, staging, clip_norm), memory, by="torch")
        else:
            staging = np.empty(self.dimension)
            released = (self._noising.release(total, by="torch") for total in self._totals(sums, staging, clip_norm))
        start = 0
        with closing(released):
            for piece in released:
                stop = start + len(piece.units)
                piece.write_values(staging[: stop - start], divisor=batch_size, by="torch")
                for number, mine, there in self._overlaps(start, stop):
                    updates[number][mine].copy_(torch.from_numpy(staging[there]))
                start = stop
        for parameter, update in zip(self._parameters, updates, strict=True):
            parameter.grad = update.view_as(parameter).to(parameter.device)

    def _totals(self, sums: Sequence[Tensor], staging: NDArray[np.float64], clip_norm: float) -> Iterator[GridVector]:
        """Yield the sum on its grid, as much of it at a time as there is staging for; in the staging's memory."""
        for start in range(0, self.dimension, len(staging)):
            staged = staging[: min(len(staging), self.dimension - start)]
            for number, mine, there in self._overlaps(start, start + len(staged)):
                torch.from_numpy(staged[there]).copy_(sums[number][mine])
            yield GridVector.from_sum(staged, clip_norm, dimension=self.dimension, by="torch", out=staged)

    def _overlaps(self, start: int, stop: int) -> Iterator[tuple[int, slice, slice]]:
        """Yield (parameter, its places, their places in the piece) for the piece start <= i < stop of the vector."""
        offset = 0
        for number, parameter in enumerate(self._parameters):
            low, high = max(start, offset), min(stop, offset + parameter.numel())
            if low < high:
                yield number, slice(low - offset, high - offset), slice(low - start, high - start)
            offset += parameter.numel()


def _memory_of(parameter: nn.Parameter, total: Tensor) -> Tensor:
    """Return memory for a parameter's update, flat and on the CPU: the sum's own where it fits, since the noise takes the sum's place."""
    if total.dtype == parameter.dtype and total.device.type == "cpu":
        return total
    return torch.empty(parameter.numel(), dtype=parameter.dtype)
