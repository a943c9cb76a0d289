"""What the stages agree on: how to ask a model, and how to train one again."""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class Predictor(Protocol):
    """A trained classifier. isinstance() checks that the two members exist, not what they return."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The k labels, in the order of the probability columns."""
        ...

    def predict_proba(self, features: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return class probabilities, shape (n, k), rows adding up to 1, for features of shape (n, d)."""
        ...


class CanaryTrainFn(Protocol):
    """Trains batched twins of a plan with gradient canaries and returns what an observer of every noisy sum saw.

    Each canary is one extra record whose gradient has full clip norm in a coordinate that no other record uses. Twins
    run with the plan's own sampler, mechanism and source.
    """

    @property
    def steps(self) -> int:
        """Number of noisy sums each twin releases; >= 1."""
        ...

    @property
    def probability(self) -> float:
        """Each record's chance to be drawn in one step; 0 < probability <= 1."""
        ...

    def __call__(self, present: "NDArray[np.bool_]") -> "NDArray[np.float64]":
        """Train one twin per row of `present`, shape (twins, canaries): which canaries are in which twin's data.

        Returns shape (twins, canaries): the sum over steps of the noisy sum's canary coordinate, in clip norms. Without
        noise it is the number of times the canary was drawn, about steps * probability when present and 0 when not.
        """
        ...
