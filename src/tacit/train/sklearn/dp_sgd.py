"""What the estimators that train by DP-SGD have in common: the settings of network and training, and the plan they make."""

from collections.abc import Callable
from dataclasses import dataclass

from tacit.train.plan import Plan
from tacit.train.trainer import Network


@dataclass(kw_only=True, repr=False, eq=False)
class DPSGD:
    """Settings of a network that is trained by DP-SGD, each as in Network and Plan.solve.

    n          -- declared public number of rows; len(X) by default, which zeroing a row does not change.
    hidden     -- widths of hidden layers; () is a linear model.
    batch_size -- expected rows in a batch; an eighth of the rows by default.
    on_step    -- called with (step, steps).
    """

    n: int | None = None
    hidden: tuple[int, ...] = ()
    activation: str = "tanh"
    clip_norm: float = 1.0
    batch_size: int | None = None
    epochs: float = 20
    learning_rate: float = 0.5
    momentum: float = 0.9
    on_step: Callable[[int, int], None] | None = None

    def _planned(self, *, epsilon: float, delta: float, n: int, inputs: int, outputs: int) -> tuple[Network, Plan]:
        """Return the network between so many inputs and outputs, and the plan of its training on n rows."""
        network = Network(
            hidden=tuple(self.hidden), activation=self.activation, learning_rate=self.learning_rate, momentum=self.momentum
        )
        plan = Plan.solve(
            epsilon=epsilon,
            delta=delta,
            n=n,
            batch_size=max(1, n // 8) if self.batch_size is None else self.batch_size,
            epochs=self.epochs,
            clip_norm=self.clip_norm,
            parameters=network.parameters(inputs, outputs),
        )
        return network, plan
