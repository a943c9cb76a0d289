"""The release: from clipped sums to noisy gradients, piece by piece, so that what is worked on stays in cache."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from tacit.noise.grid import GridVector
from tacit.privacy.mechanisms.correlated import IndependentNoising, Noising
from tacit.train.torch.sums import RunningSum

PIECE = 1 << 16
"""Values released at a time: half a mebibyte."""


class Releaser:
    """Turns the running sums of all parameters, in their order, into (sum + noise) / batch_size in .grad.

    Independent noise is drawn piece by piece, each piece on the grid of the whole vector; correlated noise has a memory of whole
    vectors and is released at once.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], sums: Sequence[RunningSum], noising: Noising) -> None:
        self._parameters, self._sums, self._noising = parameters, sums, noising
        self.dimension = sum(parameter.numel() for parameter in parameters)
        size = PIECE if isinstance(noising, IndependentNoising) else max(1, self.dimension)
        self._pieces = [(start, min(start + size, self.dimension)) for start in range(0, self.dimension, size)]
        self._staging = np.empty(min(size, self.dimension))
        self._updates = [torch.empty_like(parameter, device="cpu").flatten() for parameter in parameters]

    def release(self, clip_norm: float, batch_size: int) -> None:
        """Round the sum to the grid, add the noise, divide by the public batch size, and hand each parameter its part."""
        sums = [one.take().detach().flatten() for one in self._sums]
        for start, stop in self._pieces:
            staged = self._staging[: stop - start]
            for number, mine, there in self._overlaps(start, stop):
                torch.from_numpy(staged[there]).copy_(sums[number][mine])
            total = GridVector.from_sum(staged, clip_norm, dimension=self.dimension)
            noisy = self._noising.release(total, threads=torch.get_num_threads())
            np.multiply(noisy.units, noisy.step / batch_size, out=staged)
            for number, mine, there in self._overlaps(start, stop):
                self._updates[number][mine].copy_(torch.from_numpy(staged[there]))
        for parameter, update in zip(self._parameters, self._updates, strict=True):
            parameter.grad = update.view_as(parameter).to(parameter.device)

    def _overlaps(self, start: int, stop: int) -> Iterator[tuple[int, slice, slice]]:
        """Yield (parameter, its places, their places in the piece) for the piece start <= i < stop of the vector."""
        offset = 0
        for number, parameter in enumerate(self._parameters):
            low, high = max(start, offset), min(stop, offset + parameter.numel())
            if low < high:
                yield number, slice(low - offset, high - offset), slice(low - start, high - start)
            offset += parameter.numel()
