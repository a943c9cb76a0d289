"""Junction trees: which attributes are kept together so that a graphical model can be summed exactly.

Source: Koller & Friedman 2009, Probabilistic Graphical Models, chapters 9 and 10.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tacit.errors import ConfigError

Attributes = tuple[int, ...]
"""Places of attributes, ascending: the axes of a marginal's array."""


@dataclass(frozen=True, kw_only=True)
class JunctionTree:
    """Cliques in a tree where all cliques that hold an attribute hang together.

    sizes   -- cells of each attribute. cliques -- the root first, every clique after its parent; together they hold all attributes.
    parents -- each clique's parent, -1 for the root. A clique that shares nothing with the rest has an empty separator.
    """

    sizes: tuple[int, ...]
    cliques: tuple[Attributes, ...]
    parents: tuple[int, ...]

    @classmethod
    def of(cls, sizes: Sequence[int], sets: Iterable[Attributes]) -> "JunctionTree":
        """Return a tree in which each of the given sets, and each single attribute, lies within one clique."""
        cliques = elimination_cliques(sizes, sets)
        order, parents, left = [cliques[0]], [-1], cliques[1:]
        while left:  # Prim's maximum spanning tree over the number of shared attributes
            place, parent = max(
                ((a, b) for a in range(len(left)) for b in range(len(order))),
                key=lambda pair: len(set(left[pair[0]]) & set(order[pair[1]])),
            )
            parents.append(parent)
            order.append(left.pop(place))
        return cls(sizes=tuple(sizes), cliques=tuple(order), parents=tuple(parents))

    @cached_property
    def separators(self) -> tuple[Attributes, ...]:
        """What each clique shares with its parent; empty for the root."""
        pairs = zip(self.cliques, self.parents, strict=True)
        return tuple(() if up < 0 else tuple(sorted(set(own) & set(self.cliques[up]))) for own, up in pairs)

    def shape(self, attributes: Attributes) -> tuple[int, ...]:
        return tuple(self.sizes[one] for one in attributes)

    def home(self, attributes: Attributes) -> int | None:
        """Return the smallest clique that holds these attributes, or None."""
        homes = [place for place, clique in enumerate(self.cliques) if set(attributes) <= set(clique)]
        return min(homes, key=lambda place: math.prod(self.shape(self.cliques[place])), default=None)

    def holder(self, attributes: Attributes) -> int:
        """Return the smallest clique that holds these attributes. Raises ConfigError when none does."""
        home = self.home(attributes)
        if home is None:
            raise ConfigError(
                f"no clique of the tree holds attributes {attributes} together. Make the tree of all sets that it must hold."
            )
        return home

    def between(self, attributes: Attributes) -> list[int]:
        """Return the cliques of the smallest subtree that holds these attributes, children before parents."""
        kept = set(range(len(self.cliques)))
        for place in reversed(range(len(self.cliques))):  # leaves that add nothing fall away
            if any(self.parents[other] == place for other in kept):
                continue
            if set(attributes) & set(self.cliques[place]) <= set(self.separators[place]) and self.parents[place] in kept:
                kept.remove(place)
        ordered = sorted(kept)
        while len(ordered) > 1:  # so does a root with one child that holds all the root is needed for
            children = [other for other in ordered if self.parents[other] == ordered[0]]
            needed = set(attributes) & set(self.cliques[ordered[0]])
            if len(children) != 1 or not needed <= set(self.cliques[children[0]]):
                break
            ordered = [children[0], *(other for other in ordered[1:] if other != children[0])]
        return [*reversed(ordered[1:]), ordered[0]]


def elimination_cliques(sizes: Sequence[int], sets: Iterable[Attributes]) -> list[Attributes]:
    """Return the largest cliques of a triangulated graph that joins each set; every attribute is in one.

    Attributes are eliminated one by one, the one whose clique has the fewest cells first: best for these sizes by experience,
    though no guarantee (finding the best order is NP-hard).
    """
    neighbours = [1 << one for one in range(len(sizes))]
    for group in sets:
        mask = sum(1 << one for one in group)
        for one in group:
            neighbours[one] |= mask
    logs, left = [math.log(size) for size in sizes], set(range(len(sizes)))
    found: list[int] = []
    weight = {one: _weight(neighbours[one], logs) for one in left}
    while left:
        chosen = min(left, key=lambda one: (weight[one], one))
        clique = neighbours[chosen]
        if not any(clique & other == clique for other in found):
            found.append(clique)
        left.remove(chosen)
        for one in _members(clique & ~(1 << chosen)):
            neighbours[one] = (neighbours[one] | clique) & ~(1 << chosen)
            weight[one] = _weight(neighbours[one], logs)
    return [tuple(_members(clique)) for clique in found]


def tree_cells(sizes: Sequence[int], sets: Iterable[Attributes]) -> int:
    """Return how many cells the cliques of the junction tree of these sets have together."""
    return sum(math.prod(sizes[one] for one in clique) for clique in elimination_cliques(sizes, sets))


def _members(mask: int) -> list[int]:
    return [place for place in range(mask.bit_length()) if mask >> place & 1]


def _weight(mask: int, logs: Sequence[float]) -> float:
    return sum(logs[one] for one in _members(mask))
