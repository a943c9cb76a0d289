"""The release: from clipped sums to noisy gradients, piece by piece, so that what is worked on stays in cache."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn

from tacit.noise.grid import GridVector
from tacit.privacy.mechanisms.correlated import IndependentNoising, Noising
from tacit.train.torch.sums import RunningSum

PIECE = 1 << 17
"""Values released at a time by one thread: a mebibyte. Each piece pays for a stream of noise of its own."""

COPIED = 1 << 15
"""Values that torch copies without threads of its own."""

Work = tuple[tuple[int, int], Noising]


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

    def release(self, clip_norm: float, batch_size: int) -> None:
        """Round the sum to the grid, add the noise, divide by the public batch size, and hand each parameter its part."""
        sums = [one.give().detach().flatten() for one in self._sums]
        updates = [_memory_of(parameter, total) for parameter, total in zip(self._parameters, sums, strict=True)]
        workers = min(torch.get_num_threads(), len(self._pieces))
        if workers > 1 and isinstance(self._noising, IndependentNoising):
            noisings: list[Noising] = [
                self._noising.next_release() for _ in self._pieces
            ]  # in order, whichever thread draws first
        else:
            noisings, workers = [self._noising] * len(self._pieces), 1
        work = list(zip(self._pieces, noisings, strict=True))
        if workers == 1:
            self._release(work, sums, updates, clip_norm, batch_size, threads=torch.get_num_threads())
        else:
            with ThreadPoolExecutor(workers) as pool:
                shares = [work[one::workers] for one in range(workers)]
                for part in [pool.submit(self._release, share, sums, updates, clip_norm, batch_size) for share in shares]:
                    part.result()
        for parameter, update in zip(self._parameters, updates, strict=True):
            parameter.grad = update.view_as(parameter).to(parameter.device)

    def _release(
        self,
        work: Sequence[Work],
        sums: Sequence[Tensor],
        updates: Sequence[Tensor],
        clip_norm: float,
        batch_size: int,
        *,
        threads: int = 1,
    ) -> None:
        """Release these pieces one after another in memory that is used again."""
        staging = np.empty(max(stop - start for (start, stop), _ in work))
        for (start, stop), noising in work:
            staged = staging[: stop - start]
            for number, mine, there in self._overlaps(start, stop):
                torch.from_numpy(staged[there]).copy_(sums[number][mine])
            total = GridVector.from_sum(staged, clip_norm, dimension=self.dimension)
            noisy = noising.release(total, threads=threads)
            np.multiply(noisy.units, noisy.step / batch_size, out=staged)
            for number, mine, there in self._overlaps(start, stop):
                updates[number][mine].copy_(torch.from_numpy(staged[there]))

    def _overlaps(self, start: int, stop: int) -> Iterator[tuple[int, slice, slice]]:
        """Yield (parameter, its places, their places in the piece), at most COPIED at once, for the piece start <= i < stop of the vector."""
        offset = 0
        for number, parameter in enumerate(self._parameters):
            low, high = max(start, offset), min(stop, offset + parameter.numel())
            for first in range(low, high, COPIED):
                last = min(high, first + COPIED)
                yield number, slice(first - offset, last - offset), slice(first - start, last - start)
            offset += parameter.numel()


def _memory_of(parameter: nn.Parameter, total: Tensor) -> Tensor:
    """Return memory for a parameter's update, flat and on the CPU: the sum's own where it fits, since the noise takes the sum's place."""
    if total.dtype == parameter.dtype and total.device.type == "cpu":
        return total
    return torch.empty(parameter.numel(), dtype=parameter.dtype)
