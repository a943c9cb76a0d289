"""The graphical model that fits noisy marginals best, by mirror descent.

    minimize  sum over measured S of |mu_S - y_S|^2 / (2 sigma_S^2)   over the marginals mu of distributions

With the entropy as mirror map, a step in the marginals' space is a step of the potentials against the gradient there, and the
way back is belief propagation (McKenna, Sheldon & Miklau 2019, arXiv:1901.09136, proximal estimation). The answer is the distribution of
largest entropy among those that fit as well. Post-processing of what was released: it costs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.private.graphical_model import GraphicalModel, collapse
from tacit.anonymize.private.junction_tree import Attributes, JunctionTree

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A noisy marginal: values, shape by its attributes' sizes, each with normal noise of this standard deviation; > 0."""

    attributes: Attributes
    values: Floats
    deviation: float

    def joined(self, other: "Measured") -> "Measured":
        """Return two measurements of the same marginal as one, weighted by 1 / variance."""
        mine, theirs = self.deviation**-2, other.deviation**-2
        values = (self.values * mine + other.values * theirs) / (mine + theirs)
        return Measured(attributes=self.attributes, values=values, deviation=(mine + theirs) ** -0.5)


def fitted(
    sizes: Sequence[int],
    measured: Sequence[Measured],
    *,
    total: float,
    iterations: int,
    start: Mapping[Attributes, Floats] | None = None,
) -> GraphicalModel:
    """Return the model after so many steps of mirror descent.

    sizes -- cells of each attribute. total -- public number of rows, what marginals add up to. start -- potentials to begin with.
    Each step's length doubles or halves until the loss falls by half of what the gradient promises.
    """
    together: dict[Attributes, Measured] = {}
    for one in measured:
        together[one.attributes] = together[one.attributes].joined(one) if one.attributes in together else one
    tree = JunctionTree.of(sizes, together)
    begin = {attributes: (start or {}).get(attributes, np.zeros(one.values.shape)) for attributes, one in together.items()}
    model = GraphicalModel(tree=tree, potentials=begin, total=total)
    loss, marginals, gradient = _loss(model, together)
    length = min(one.deviation for one in together.values()) ** 2 / total
    for _ in range(iterations):
        while True:
            moved = {one: values - length * gradient[one] for one, values in model.potentials.items()}
            nearer = GraphicalModel(tree=tree, potentials=moved, total=total)
            new_loss, new_marginals, new_gradient = _loss(nearer, together)
            promised = sum(float(np.vdot(gradient[one], marginals[one] - new_marginals[one])) for one in gradient)
            if loss - new_loss >= promised / 2:
                break
            length /= 2
            if length * total < 1e-12:
                return model
        model, loss, marginals, gradient = nearer, new_loss, new_marginals, new_gradient
        length *= 1.5
    return model


def _loss(
    model: GraphicalModel, measured: Mapping[Attributes, Measured]
) -> tuple[float, dict[Attributes, Floats], dict[Attributes, Floats]]:
    """Return (loss, the model's marginals, the loss's gradient in them)."""
    loss, marginals, gradient = 0.0, {}, {}
    for attributes, one in measured.items():
        home = model.tree.holder(attributes)
        marginals[attributes] = collapse(model.beliefs[home], model.tree.cliques[home], attributes)
        gap = marginals[attributes] - one.values
        gradient[attributes] = gap / one.deviation**2
        loss += float(np.vdot(gap, gradient[attributes])) / 2
    return loss, marginals, gradient
