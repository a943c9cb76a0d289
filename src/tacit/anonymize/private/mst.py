"""MST: a tree of pairs, chosen privately, measured, and fitted.

1. All single attributes are measured in one release.
2. Pairs are chosen one by one so that they make a spanning tree. Each choice is among the pairs that join two parts of the
   forest so far, and a pair scores how far its true counts lie, in L1, from what the single attributes say if they are
   independent. Zeroing a row moves one true count by 1, hence a score by at most 1.
3. The chosen pairs are measured, each in a release of its own, and a graphical model is fitted to everything.

Privacy, for zero-out neighbours: with d columns the whole is one block of T = 3 (d - 1) Gaussian steps (T = 3 when d = 1) of
noise multiplier s, composed adaptively in this order, with nothing else that looks at rows:
- one Gaussian release of all singles, of L2 sensitivity sqrt(d) and noise multiplier s / sqrt(t) for the t steps that the rest
  leaves;
- d - 1 exponential choices of score sensitivity 1, each of bounded range such that it is 1/s-GDP (`Exponential.costing`): a step
  each. Which pairs are candidates depends on earlier choices alone, and the model of independent singles on the first release alone;
- d - 1 Gaussian releases of one pair each, of L2 sensitivity 1 and noise multiplier s: a step each.
That these together are no easier to tell apart than T Gaussian steps is proved in `spending`; the fit and the sampling read what
was released, and the public number of rows.

Source: McKenna, Miklau & Sheldon 2021, arXiv:2108.04978, the mechanism MST; its merging of rare values is left out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tacit.anonymize.private.descent import Measured, fitted
from tacit.anonymize.private.graphical_model import GraphicalModel
from tacit.anonymize.private.junction_tree import Attributes
from tacit.anonymize.private.marginals import Marginals
from tacit.anonymize.private.spending import Spending, check_payable
from tacit.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class MST:
    """A maximum spanning tree of pairs. iterations -- steps of mirror descent; >= 1."""

    iterations: int = 1000

    def __post_init__(self) -> None:
        if isinstance(self.iterations, bool) or not isinstance(self.iterations, int) or self.iterations < 1:
            raise ConfigError(
                f"iterations must be a whole number >= 1, got {self.iterations!r}: the model is fitted step by step. Try 1000."
            )

    def steps(self, sizes: tuple[int, ...]) -> int:
        """Return the block's steps: a third each for the singles, the choices and the pairs. sizes -- cells of each attribute.

        Raises ConfigError when the price of a step does not cover the largest pair.
        """
        check_payable(math.prod(sorted(sizes)[-2:]), steps=1, what="the pair of the two largest columns")
        return 3 * max(1, len(sizes) - 1)

    def fit(
        self, marginals: Marginals, spending: Spending, *, total: float, on_round: Callable[[int], None]
    ) -> tuple[GraphicalModel, tuple[Attributes, ...]]:
        """Return (the fitted model, the chosen pairs). total -- public number of rows; on_round -- called with the pairs chosen so far."""
        sizes = marginals.sizes
        edges = len(sizes) - 1
        measured = measure_singles(marginals, spending, steps=spending.steps_left - 2 * edges)
        if not edges:
            return fitted(sizes, measured, total=total, iterations=self.iterations), ()
        pairs = list(combinations(range(len(sizes)), 2))
        alone = fitted(sizes, measured, total=total, iterations=100)
        scores = {pair: float(np.abs(marginals.counts(pair) - alone.marginal(pair)).sum()) for pair in pairs}
        chosen: list[Attributes] = []
        for number in range(edges):
            part = _parts(len(sizes), chosen)
            joining = [pair for pair in pairs if part[pair[0]] != part[pair[1]]]
            chosen.append(joining[spending.choice([scores[pair] for pair in joining], sensitivity=1.0, steps=1)])
            on_round(number + 1)
        measured += [measure(marginals, pair, spending, steps=1) for pair in chosen]
        return fitted(sizes, measured, total=total, iterations=self.iterations), tuple(chosen)


def measure(marginals: Marginals, attributes: Attributes, spending: Spending, *, steps: int) -> Measured:
    """Return one marginal with noise, released for so many steps. Zeroing a row moves one of its counts by 1."""
    counts = marginals.counts(attributes)
    values, deviation = spending.noisy(counts.ravel(), sensitivity=1.0, steps=steps)
    return Measured(attributes=attributes, values=values.reshape(counts.shape), deviation=deviation)


def measure_singles(marginals: Marginals, spending: Spending, *, steps: int) -> list[Measured]:
    """Return every attribute's counts with noise, in one release. Zeroing a row moves one count of each: sqrt(d) in L2."""
    counts = [marginals.counts((one,)) for one in range(len(marginals.sizes))]
    sensitivity = float(np.sqrt(len(counts))) * (1 + 2.0**-50)
    values, deviation = spending.noisy(np.concatenate(counts), sensitivity=sensitivity, steps=steps)
    pieces = np.split(values, np.cumsum(marginals.sizes)[:-1])
    return [Measured(attributes=(one,), values=piece, deviation=deviation) for one, piece in enumerate(pieces)]


def _parts(size: int, edges: list[Attributes]) -> list[int]:
    """Return which part of the forest each attribute is in."""
    part = list(range(size))
    for one, other in edges:
        joined, gone = part[one], part[other]
        part = [joined if own == gone else own for own in part]
    return part
