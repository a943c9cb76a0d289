"""The non-private twin: the same network trained without clipping or noise, to see what privacy costs."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tacit.models.dense import DenseNetwork
from tacit.train.torch import network as shapes
from tacit.train.torch.private import trainable_size
from tacit.train.torch.threads import threads_for
from tacit.train.trainer import Network, check_rows


def train_plain(
    features: NDArray[np.float64],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    network: Network,
    *,
    epochs: int = 100,
    on_step: Callable[[int, int], None] | None = None,
) -> DenseNetwork:
    """Fit the network to the rows by L-BFGS on the whole data set and return it. It has no guarantee of any kind.

    network -- its shape; the learning rate and momentum are the private training's, and L-BFGS needs neither.

    epochs -- most passes over the data; it stops earlier once the loss no longer falls.
    The caller records the release as a not-dp entry before calling.
    """
    check_rows(features, labels, len(classes))
    model = shapes.build(features.shape[1], network.hidden, len(classes), network.activation)
    rows, targets = torch.from_numpy(features).float(), torch.from_numpy(labels).long()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=1, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value: torch.Tensor = torch.nn.functional.cross_entropy(model(rows), targets)
        value.backward()
        return value.detach()

    last = float("inf")
    with threads_for(len(rows), trainable_size(model)):
        for epoch in range(epochs):
            value = float(optimizer.step(loss))
            if on_step is not None:
                on_step(epoch + 1, epochs)
            if not last - value > 1e-7:
                break
            last = value
    return shapes.export(model, classes, network.activation)
