"""How far one unit can move a run of correlated noise, replays included: sensitivities over participation patterns.

Pattern. With period b every unit takes part in steps i, i + b, i + 2b, ... of a run, for one i < b that does not depend on
the data. Contributions are vectors of at most one clip norm. Then the mean of C S + Z moves by C u, and as no entry of C is
negative, |C u| is largest when all contributions are the same unit vector: |C u|^2 = sum over rows r of
(sum of C[r, j] over the pattern's steps j)^2, here maximized over i exactly.

Toeplitz. C u_i is y moved down by i, y_r = sum_m c_(r - m b): so i = 0 is the worst and sum of y_r^2 exact. As the coefficients
do not rise, no pattern whose participations lie b or more apart moves C u further (Kalinin & Lampert 2024, arXiv:2405.13763, Theorem 2).

Trees. A node's row is the number of the pattern's steps below it, squared; a node counts at the step that completes it.

Replays. A killed run goes on from the state of its last checkpoint with fresh draws, so the steps in between are released twice.
The second time they belong to the run that is finished, |C u|^2 as above; the lost ones are further rows C[r] u + Z_r with draws
of their own, in windows of at most `replay_steps` steps, at most `replays` of them. Every total therefore moves, on every path
an observer can see, by at most Delta^2 = max |C u|^2 + replays * max over windows of (sum of the window's squared rows):
a Gaussian mechanism of sensitivity Delta, also when kills and sums depend on what was seen before (Smith & Thakurta 2022,
arXiv:2210.17520: Gaussian DP composes fully adaptively under a bound on the sum of squares).

Amplification. With C banded and b >= bands the rows that two participations of a unit touch are disjoint. If each participation happens
only with probability q, by a coin of its own, the run is ceil(steps / b) Poisson-sampled Gaussian releases of sensitivity
|c| (Choquette-Choo et al. 2023, arXiv:2306.08153, Theorem 4). After a loss the noise starts anew there (no row of the lost
window is touched by what follows), so a window adds ceil(replay_steps / b) further ones.
"""

import math
from typing import TYPE_CHECKING

from tacit.privacy.events import MatrixEvent
from tacit.privacy.strategies import Banded, Strategy, Tree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["matrix_releases", "participations", "squared_column", "squared_sensitivity", "squared_window"]

_ROUNDED_UP = 1 + 2.0**-40
"""Sums of up to 10^6 squares, each off by a few units of 2^-53 relative to itself, stay below this."""


def matrix_releases(event: MatrixEvent) -> tuple[float, float, int]:
    """Return (noise multiplier, probability, count) of Gaussian releases that cost what the run does, replays included."""
    steps, period, replays, length = event.steps, event.period, event.replays, min(event.replay_steps, event.steps)
    if event.probability is not None:
        assert isinstance(event.strategy, Banded)
        count = participations(steps=steps, period=period) + replays * participations(steps=length, period=period)
        return event.noise_multiplier / math.sqrt(squared_column(event.strategy)), event.probability, count
    squared = squared_sensitivity(event.strategy, steps=steps, period=period)
    if replays:
        squared += replays * squared_window(event.strategy, steps=steps, period=period, length=length)
    return event.noise_multiplier / math.sqrt(squared), 1.0, 1


def squared_column(strategy: Banded) -> float:
    """Return |c|^2: what one participation moves when no other touches the same rows."""
    return math.fsum(value * value for value in strategy.coefficients)


def participations(*, steps: int, period: int) -> int:
    """Return how often a unit can take part in `steps` steps in a row, once in a period."""
    return -(-steps // period)


def squared_sensitivity(strategy: Strategy, *, steps: int, period: int) -> float:
    """Return max |C u|^2 over the patterns of this period, in squared clip norms; rounded up."""
    if isinstance(strategy, Tree):
        patterns, _, squares = _tree_rows(strategy, steps, period)
        import numpy as np

        return float(np.bincount(patterns, weights=squares).max())  # whole numbers: exact
    rows = _toeplitz_rows(strategy, steps, period)
    return math.fsum(rows.tolist()) * (1.0 if _whole(strategy) else _ROUNDED_UP)


def squared_window(strategy: Strategy, *, steps: int, period: int, length: int) -> float:
    """Return the most that `length` steps in a row hold of |C u|^2, over all patterns and places; rounded up."""
    import numpy as np

    if isinstance(strategy, Tree):
        patterns, ends, squares = _tree_rows(strategy, steps, period)
        keys = patterns * (steps + length + 1) + ends  # windows of one pattern never reach into the next
        order = np.argsort(keys, kind="stable")
        keys, sums = keys[order], np.concatenate([[0.0], np.cumsum(squares[order])])
        return float((sums[np.searchsorted(keys, keys + length)] - sums[np.searchsorted(keys, keys)]).max())
    sums = np.concatenate([[0.0], np.cumsum(_toeplitz_rows(strategy, steps, period))])
    length = min(length, steps)
    return float((sums[length:] - sums[:-length]).max()) * (1.0 if _whole(strategy) else 1 + 2.0**-30)


def _whole(strategy: Strategy) -> bool:
    return isinstance(strategy, Banded) and strategy.bands == 1


def _toeplitz_rows(strategy: Strategy, steps: int, period: int) -> "NDArray[np.float64]":
    """Return y_r^2, shape (steps,): the rows of C u for the pattern that begins with the first step."""
    import numpy as np

    assert not isinstance(strategy, Tree)
    column = strategy.column(steps)
    padded = np.zeros(participations(steps=steps, period=period) * period)
    padded[:steps] = column
    summed = np.cumsum(padded.reshape(-1, period), axis=0).ravel()[:steps]  # y_r = c_r + c_(r-b) + c_(r-2b) + ...
    return np.square(summed)


def _tree_rows(strategy: Tree, steps: int, period: int) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]":
    """Return, for every node that is drawn and every pattern with steps below it: pattern, completing step, squared count."""
    import numpy as np

    span = 1 << strategy.height
    step = np.arange(steps, dtype=np.int64)
    patterns, ends, squares = [], [], []
    for level in range(strategy.height + 1):
        end = ((step >> level) + 1 << level) - 1  # the last step below this step's node; trees begin at multiples of span
        drawn = end < steps
        keys, counts = np.unique((step % period)[drawn] * (steps + span) + end[drawn], return_counts=True)
        patterns.append(keys // (steps + span))
        ends.append(keys % (steps + span))
        squares.append(np.square(counts.astype(np.float64)))
    return np.concatenate(patterns), np.concatenate(ends), np.concatenate(squares)
