"""The trainer: a linear model or an MLP by a plan, resumed after a kill, exported as what may be released."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, ShapeError
from tacit.models.dense import DenseNetwork
from tacit.noise.source import OsSource, Source
from tacit.privacy.ledger import Ledger
from tacit.train.plan import Plan

ACTIVATIONS = ("relu", "tanh", "gelu", "silu", "sigmoid")


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """The shape of a classifier and how fast it learns.

    hidden        -- widths of the hidden layers, each >= 1; () is a linear model (logistic regression).
    activation    -- between layers: "relu", "tanh", "gelu", "silu" or "sigmoid".
    learning_rate -- of SGD with momentum; > 0. momentum -- 0 <= momentum < 1.
    """

    hidden: tuple[int, ...] = ()
    activation: str = "tanh"
    learning_rate: float = 0.5
    momentum: float = 0.9

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))
        if any(not isinstance(width, int) or width < 1 for width in self.hidden):
            raise ConfigError(f"hidden must hold whole numbers >= 1, got {self.hidden}.")
        if self.activation not in ACTIVATIONS:
            raise ConfigError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}.")
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate must be > 0, got {self.learning_rate}.")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum must be >= 0 and < 1, got {self.momentum}.")

    def parameters(self, inputs: int, classes: int) -> int:
        """Return the number of trained values: the dimension of the noise."""
        sizes = [inputs, *self.hidden, classes]
        return sum((wide + 1) * narrow for wide, narrow in pairwise(sizes))


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoints:
    """Where a training keeps its secret state: encrypted, 0600, apart from anything shareable.

    path -- the file, one per request; key -- 32 bytes for AES-256-GCM, kept in another place.
    """

    path: Path
    key: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.key, bytes) or len(self.key) != 32:
            raise ConfigError(
                "the key of a checkpoint must be 32 bytes, for AES-256. Take secrets.token_bytes(32) once, and keep it apart from the file."
            )
        object.__setattr__(self, "path", Path(self.path))


class Trainer:
    """Trains `network` by `plan`.

    source    -- randomness; the operating system's by default.
    steps_run -- steps the network of the last fit has seen; fewer than planned when kills used up the spare.
    trained   -- the network of the last fit, also of one that was interrupted: its weights after the last paid step. None before.
    """

    def __init__(self, *, plan: Plan, network: Network, source: Source | None = None) -> None:
        plan.refuse_underpriced()
        self.plan, self.network = plan, network
        self.steps_run = 0
        self.trained: DenseNetwork | None = None
        self._source = OsSource.from_os() if source is None else source

    def fit(
        self,
        features: NDArray[np.float64],
        labels: NDArray[np.int64],
        classes: Sequence[str],
        *,
        ledger: Ledger,
        budget: str,
        request_id: str,
        purpose: str = "train",
        checkpoints: Checkpoints | None = None,
        average: float | None = None,
        on_step: Callable[[int, int], None] | None = None,
        progress: bool = False,
    ) -> DenseNetwork:
        """Train on rows of shape (n, d) with class numbers of shape (n,), and return the releasable network.

        purpose  -- what the ledger says the block was for.
        average  -- decay of an average of the weights, which the network gets at the end; None for the last weights.
        on_step  -- called with (step, steps) after each step.
        progress -- show steps, epsilon and the time left on the error stream.
        The block is reserved under `request_id` before the first batch is drawn; without `checkpoints` a request that was
        paid for before is refused. With them, a killed run's block is resumed: steps up to the next checkpoint count as
        spent and are replayed from the spare steps with fresh noise; when these are used up, training ends with fewer steps.
        Raises BudgetExceeded, UnsupportedModel, ConfigError (a request id that is taken), RunError (a checkpoint or a block
        of another run, or a block that is used up).
        """
        import torch

        from tacit.train.paying import Payment
        from tacit.train.torch import network as shapes
        from tacit.train.torch.loop import fit
        from tacit.train.torch.private import PrivateTraining, trainable_size
        from tacit.train.torch.threads import threads_for

        check_rows(features, labels, len(classes))
        model = shapes.build(features.shape[1], self.network.hidden, len(classes), self.network.activation)
        optimizer = torch.optim.SGD(model.parameters(), lr=self.network.learning_rate, momentum=self.network.momentum)
        paid_for = purpose_of(self._source, purpose)
        payment = Payment(ledger=ledger, budget=budget, request_id=request_id, purpose=paid_for)
        tensors = (torch.from_numpy(features).float(), torch.from_numpy(labels).long())
        private = PrivateTraining(model, optimizer, tensors, self.plan, pay=payment, source=self._source, checkpoints=checkpoints)
        try:
            with threads_for(self.plan.batch_size, trainable_size(model)):
                fit(private, shapes.cross_entropies, average=average, on_step=on_step, progress=progress)
        finally:
            self.steps_run = private.step
            self.trained = shapes.export(model, classes, self.network.activation)
        return self.trained


def purpose_of(source: Source, what: str = "train") -> str:
    """Return what the ledger says a training is for; noise that protects nobody is called by its name."""
    return what if source.private else f"{what} with noise that protects nobody ({source.name})"


def check_rows(features: NDArray[np.float64], labels: NDArray[np.int64], classes: int) -> None:
    """Raise ConfigError unless features are (n, d), labels (n,) and every label is one of the classes."""
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ShapeError(f"features must have shape (n, d) and labels (n,), got {features.shape} and {labels.shape}.")
    if classes < 2:
        raise ConfigError(
            f"a classifier needs at least two declared classes, got {classes}. Declare every label that could occur."
        )
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise ConfigError(f"labels must be class numbers from 0 to {classes - 1}. Declare every label that could occur.")
