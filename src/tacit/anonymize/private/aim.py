"""AIM: marginals chosen round by round, each where the model is still most wrong for the workload, and measured.

The workload is every marginal of `degree` attributes; candidates are they and all marginals within them. In each round candidate
r of n_r cells, to be measured with noise of deviation s, scores

    w_r (|true counts - the model's|_1 - sqrt(2 / pi) s n_r),      w_r = sum over workload marginals t of |r and t|,

what measuring it would mend beyond what its noise would spoil, by how much of the workload it serves. Zeroing a row moves one
true count by 1, hence a score by at most the largest w_r; everything else in it was released before.
Candidates whose junction tree would be too large for the share of the budget spent so far are left out: that depends on what
was released, never on rows. When a measured marginal moved the model less than its noise should, rounds become four times
as dear: twice the epsilon, half the noise (annealing). What is left for less than two rounds goes into one.

Privacy, for zero-out neighbours: one block of T Gaussian steps of noise multiplier s, T fixed by the declared columns. Composed
adaptively, with nothing else that looks at rows:
- one Gaussian release of all singles, of L2 sensitivity sqrt(d) and noise multiplier s / sqrt(9 d): 9 d steps;
- in each round of level l (1, 4, 16, ...; the last takes what is left) one exponential choice of score sensitivity max w_r over
  its candidates, sqrt(l)/s-GDP by its bounded range (`Exponential.costing`): l steps; then one Gaussian release of the marginal
  chosen, of L2 sensitivity 1 and noise multiplier s / sqrt(9 l): 9 l steps.
Level, candidates and stopping depend on earlier outcomes alone, and no round starts that the steps left do not pay for; `spending`
proves that such a split of T steps is no easier to tell apart than the T steps. Fit and sampling read what was released.

Source: McKenna, Mullins, Sheldon & Miklau 2022, arXiv:2201.12677, AIM with its initialization and budget annealing. Read
differently in one place: the budget is counted in steps of a Gaussian block instead of zCDP, a choice in ten, which wastes nothing in conversion.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tacit.anonymize.private.descent import fitted
from tacit.anonymize.private.graphical_model import GraphicalModel
from tacit.anonymize.private.junction_tree import Attributes, tree_cells
from tacit.anonymize.private.marginals import Marginals
from tacit.anonymize.private.mst import measure, measure_singles
from tacit.anonymize.private.spending import DRAWS, Spending, check_payable
from tacit.errors import ConfigError

MEASURING = 9
"""Steps of a round's measurement, for one of its choice: nine tenths of the budget are for measuring."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AIM:
    """Adaptive and iterative selection for all marginals of `degree` attributes.

    degree     -- 1 .. 4: how many attributes the marginals have that shall be right.
    rounds     -- first guess of the rounds for each attribute; annealing makes them fewer. 2 .. 1,000.
    most_cells -- cells of the model's cliques together, when the whole budget is spent; >= 1. Memory and time grow with it.
    iterations -- steps of mirror descent in each round; the last takes ten times as many. >= 1.
    """

    degree: int = 3
    rounds: int = 16
    most_cells: int = 200_000
    iterations: int = 50

    def __post_init__(self) -> None:
        for name, least, most in (("degree", 1, 4), ("rounds", 2, 1000), ("most_cells", 1, 10**9), ("iterations", 1, 10**6)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise ConfigError(
                    f"{name} must be a whole number from {least} to {most:,}, got {value!r}: it is fixed before the data are read."
                )

    def steps(self, sizes: tuple[int, ...]) -> int:
        """Return the block's steps: rounds of one choice and nine for measuring, `rounds` for each attribute. sizes -- cells of each.

        Raises ConfigError when the price of a round does not cover the largest attribute.
        """
        check_payable(max(sizes), steps=MEASURING, what="the largest column")
        return (1 + MEASURING) * self.rounds * len(sizes)

    def candidates(self, sizes: tuple[int, ...]) -> dict[Attributes, float]:
        """Return the weight w_r of each candidate: one attribute, or several with few enough cells for the model and a round's noise."""
        places, most = range(len(sizes)), min(self.most_cells, DRAWS * MEASURING)
        workload = [set(one) for one in combinations(places, min(self.degree, len(places)))]
        within = [one for size in range(1, self.degree + 1) for one in combinations(places, size)]
        few = [one for one in within if len(one) == 1 or math.prod(sizes[place] for place in one) <= most]
        return {one: float(sum(len(other & set(one)) for other in workload)) for one in few}

    def fit(
        self, marginals: Marginals, spending: Spending, *, total: float, on_round: Callable[[int], None]
    ) -> tuple[GraphicalModel, tuple[Attributes, ...]]:
        """Return (the fitted model, the marginals chosen, in order). total -- public number of rows; on_round -- called with rounds done."""
        sizes, weights = marginals.sizes, self.candidates(marginals.sizes)
        exact = {one: marginals.counts(one) for one in weights}
        all_steps, level = spending.steps_left, 1
        measured = measure_singles(marginals, spending, steps=len(sizes) * MEASURING)
        model = fitted(sizes, measured, total=total, iterations=self.iterations)
        chosen: list[Attributes] = []
        while spending.steps_left:
            left = spending.steps_left
            last = left < 2 * (1 + MEASURING) * level
            choosing, measuring = (max(1, left // 10), left - max(1, left // 10)) if last else (level, MEASURING * level)
            deviation = spending.noise_multiplier(measuring)
            allowed = self._allowed(marginals, list(weights), chosen, measuring, 1 - left / all_steps)
            scores = [
                weights[one]
                * (float(np.abs(exact[one] - model.marginal(one)).sum()) - math.sqrt(2 / math.pi) * deviation * exact[one].size)
                for one in allowed
            ]
            best = allowed[spending.choice(scores, sensitivity=max(weights[one] for one in allowed), steps=choosing)]
            before = model.marginal(best)
            measured.append(measure(marginals, best, spending, steps=measuring))
            chosen.append(best)
            iterations = self.iterations * (10 if last else 1)
            model = fitted(sizes, measured, total=total, iterations=iterations, start=model.potentials)
            moved = float(np.abs(model.marginal(best) - before).sum())
            if moved <= math.sqrt(2 / math.pi) * deviation * before.size:
                level *= 4
            on_round(len(chosen))
        return model, tuple(chosen)

    def _allowed(
        self, marginals: Marginals, candidates: list[Attributes], chosen: list[Attributes], steps: int, share: float
    ) -> list[Attributes]:
        """Return the candidates whose junction tree stays within the share of most_cells, singles always; it looks at no row."""
        sizes, kept = marginals.sizes, set(chosen)
        within = {one for other in chosen for size in range(1, len(other) + 1) for one in combinations(other, size)}
        room = max(self.most_cells * share, tree_cells(sizes, kept))
        return [
            one
            for one in candidates
            if marginals.cells(one) <= DRAWS * steps
            and (len(one) == 1 or one in within or tree_cells(sizes, [*kept, one]) <= room)
        ]
