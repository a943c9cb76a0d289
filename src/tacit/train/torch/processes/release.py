"""The release when several processes, or weights in pieces, share it: sums added up, each process's part noised, parts put together."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tacit.errors import TacitError
from tacit.noise.grid import GridVector
from tacit.privacy.mechanisms.correlated import Noising
from tacit.train.torch.processes.alone import Processes
from tacit.train.torch.processes.weights import Weights
from tacit.train.torch.sums import RunningSum


class SharedReleaser:
    """Turns all processes' running sums into (sum + noise) / batch_size in the .grad of what the optimizer holds.

    parameters, sums -- by name, in the model's order; noising -- of this process's part, drawn from its own source.
    """

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        sums: Mapping[str, RunningSum],
        noising: Noising,
        processes: Processes,
        weights: Weights,
    ) -> None:
        self._parameters, self._sums, self._noising = parameters, sums, noising
        self._processes, self._weights = processes, weights
        self.dimension = sum(parameter.numel() for parameter in parameters.values())

    def release(self, clip_norm: float, batch_size: int) -> None:
        """Add up, round to the grid of the whole vector, add the noise, divide by the public batch size, and hand each parameter its part.

        Raises, in every process, what one of them raises.
        """
        total = np.concatenate([one.take().detach().flatten().cpu().double().numpy() for one in self._sums.values()])
        self._processes.confirm()
        own = self._noised(self._processes.summed(total), clip_norm)
        update = torch.from_numpy(self._processes.joined(own, self.dimension) / batch_size)
        self._weights.scatter()
        offset = 0
        for name, parameter in self._parameters.items():
            self._weights.give(name, update[offset : offset + parameter.numel()].view(parameter.shape))
            offset += parameter.numel()

    def _noised(self, own: NDArray[np.float64], clip_norm: float) -> NDArray[np.float64]:
        try:
            total = GridVector.from_sum(own, clip_norm, dimension=max(self.dimension, len(own)), by="torch")
            noisy = self._noising.release(total, by="torch").values
        except TacitError as error:
            self._processes.confirm(error)
            raise
        self._processes.confirm()
        return noisy
