"""A distribution over all attributes as a product of tables of a few, and its exact sums by belief propagation.

    P(x) proportional to exp(sum over sets S of potentials_S(x_S))

Source: Koller & Friedman 2009, chapter 10 (sum-product on a junction tree); McKenna, Sheldon & Miklau 2019, arXiv:1901.09136, for
what it is used for here. Nothing in this file sees data.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.private.junction_tree import Attributes, JunctionTree
from tacit.noise.source import Source

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class GraphicalModel:
    """Potentials on a junction tree, and the distribution that they make.

    tree       -- a junction tree in which each potential's set lies within one clique.
    potentials -- log-weights by attributes, each of the shape that its attributes' sizes make.
    total      -- what the marginals add up to; > 0.
    """

    tree: JunctionTree
    potentials: Mapping[Attributes, Floats]
    total: float

    @cached_property
    def log_beliefs(self) -> list[Floats]:
        """The logarithms of the cliques' marginals, in the tree's order: messages to the root, then back (log domain)."""
        tree = self.tree
        beliefs = [np.zeros(tree.shape(clique)) for clique in tree.cliques]
        for attributes, values in self.potentials.items():
            home = tree.holder(attributes)
            beliefs[home] += spread(values, attributes, tree.cliques[home])
        upward: list[Floats] = [np.zeros(())] * len(beliefs)
        for child in range(len(beliefs) - 1, 0, -1):
            parent, shared = tree.parents[child], tree.separators[child]
            upward[child] = _log_sum(beliefs[child], tree.cliques[child], shared)
            beliefs[parent] += spread(upward[child], shared, tree.cliques[parent])
        beliefs[0] += math.log(self.total) - float(_log_sum(beliefs[0], tree.cliques[0], ()))
        for child in range(1, len(beliefs)):
            parent, shared = tree.parents[child], tree.separators[child]
            message = _log_sum(beliefs[parent], tree.cliques[parent], shared) - upward[child]
            beliefs[child] += spread(message, shared, tree.cliques[child])
        return beliefs

    @cached_property
    def beliefs(self) -> list[Floats]:
        """The cliques' marginals, in the tree's order; each adds up to total."""
        return [np.exp(one) for one in self.log_beliefs]

    @cached_property
    def _given_parent(self) -> list[Floats]:
        """Each clique's probabilities given its separator; the root's own."""
        conditionals = []
        for belief, clique, shared in zip(self.beliefs, self.tree.cliques, self.tree.separators, strict=True):
            below = spread(collapse(belief, clique, shared), shared, clique)
            conditionals.append(np.divide(belief, below, out=np.zeros_like(belief), where=below > 0))
        return conditionals

    def marginal(self, attributes: Attributes) -> Floats:
        """Return the marginal of any attributes, ascending, an array of their sizes; exact, and adds up to total.

        Within a clique it is a sum. Across cliques, those between them are multiplied and summed from the leaves to the root of
        the subtree that joins them; what neither the attributes nor a separator needs is summed out on the way.
        """
        tree, home = self.tree, self.tree.home(attributes)
        if home is not None:
            return collapse(self.beliefs[home], tree.cliques[home], attributes)
        order, carried = tree.between(attributes), dict[int, list[tuple[Floats, Attributes]]]()
        for place in order[:-1]:
            below = carried.pop(place, [])
            kept = _kept(tree.separators[place], attributes, tree.cliques[place], below)
            message = _product([(self._given_parent[place], tree.cliques[place]), *below], kept)
            carried.setdefault(tree.parents[place], []).append((message, kept))
        root = order[-1]
        return _product([(self.beliefs[root], tree.cliques[root]), *carried.pop(root, [])], attributes)

    def sample(self, rows: int, source: Source) -> NDArray[np.int64]:
        """Return synthetic rows, shape (rows, attributes): codes drawn clique by clique from the root.

        Within each group of rows that agree on a clique's separator the rest is drawn by systematic sampling, so that its
        counts are those expected, rounded down or up: less chance than independent draws, and the same expectation.
        """
        drawn = np.zeros((rows, len(self.tree.sizes)), dtype=np.int64)
        for place, (clique, shared) in enumerate(zip(self.tree.cliques, self.tree.separators, strict=True)):
            fresh = tuple(one for one in clique if one not in shared)
            axes = [clique.index(one) for one in (*shared, *fresh)]
            groups = max(1, math.prod(self.tree.shape(shared)))
            chances = self._given_parent[place].transpose(axes).reshape(groups, -1)
            group = _flat(drawn[:, list(shared)], self.tree.shape(shared))
            cells = _systematic(chances, group, source)
            drawn[:, list(fresh)] = np.stack(np.unravel_index(cells, self.tree.shape(fresh)), axis=1)
        return drawn


def spread(values: Floats, attributes: Attributes, onto: Attributes) -> Floats:
    """Return an array of attributes shaped to be added to one of more attributes."""
    sizes = dict(zip(attributes, values.shape, strict=True))
    return values.reshape([sizes.get(one, 1) for one in onto])


def collapse(values: Floats, attributes: Attributes, onto: Attributes) -> Floats:
    """Return an array of attributes summed down to some of them."""
    return np.asarray(values.sum(axis=tuple(place for place, one in enumerate(attributes) if one not in onto)))


def _log_sum(values: Floats, attributes: Attributes, onto: Attributes) -> Floats:
    """Return log(sum(exp(values))) over the attributes that are not in `onto`."""
    axes = tuple(place for place, one in enumerate(attributes) if one not in onto)
    if not axes:
        return values
    top = values.max(axis=axes, keepdims=True)
    return np.asarray(np.log(np.exp(values - top).sum(axis=axes)) + top.squeeze(axes))


def _kept(separator: Attributes, wanted: Attributes, clique: Attributes, below: list[tuple[Floats, Attributes]]) -> Attributes:
    """Return what a message must still tell: the separator, and the wanted attributes found so far."""
    found = set(clique).union(*(attributes for _, attributes in below))
    return tuple(sorted(set(separator) | (set(wanted) & found)))


def _product(factors: list[tuple[Floats, Attributes]], onto: Attributes) -> Floats:
    """Return the product of factors, summed down to `onto`."""
    axes = {one: place for place, one in enumerate(sorted({one for _, attributes in factors for one in attributes}))}
    operands: list[Any] = [part for values, attributes in factors for part in (values, [axes[one] for one in attributes])]
    return np.asarray(np.einsum(*operands, [axes[one] for one in onto], optimize="greedy"))


def _flat(codes: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return each row's codes (n, k) as one number below the product of the shape; 0 for k = 0."""
    flat = np.zeros(len(codes), dtype=np.int64)
    for column, size in zip(codes.T, shape, strict=True):
        flat = flat * size + column
    return flat


def _systematic(chances: Floats, group: NDArray[np.int64], source: Source) -> NDArray[np.int64]:
    """Return a cell for each row, shape (n,), from its group's chances, shape (groups, cells).

    The rows of a group, in random order, take the points (rank + u) / size of its distribution function, u one uniform number.
    """
    ends = np.cumsum(chances, axis=1)
    ends = np.minimum(ends / np.maximum(ends[:, -1:], 1e-300), 1.0)
    ends[:, -1] = 1.0
    shuffled = np.argsort(source.uniform_words(len(group)), kind="stable")
    order = shuffled[np.argsort(group[shuffled], kind="stable")]
    sizes = np.bincount(group, minlength=len(chances))
    rank = np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    start = source.uniform_words(len(chances)).astype(np.float64) * 2.0**-64
    points = np.minimum((rank + np.repeat(start, sizes)) / np.repeat(np.maximum(sizes, 1), sizes), 1 - 2.0**-40)
    numbers = np.searchsorted(
        (ends + np.arange(len(ends))[:, None]).ravel(), np.repeat(np.arange(len(ends)), sizes) + points, "right"
    )
    cells = np.empty(len(group), dtype=np.int64)
    cells[order] = numbers - np.repeat(np.arange(len(ends)), sizes) * chances.shape[1]
    return np.asarray(np.minimum(cells, chances.shape[1] - 1))
