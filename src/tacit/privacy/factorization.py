"""Which strategy to take: the one whose noise in the model is least for its price, and how much that noise is.

Error is the deviation of the prefix sums A C^-1 Z, since a model trained by SGD is a prefix sum of its updates; "rmse" is the root mean
square over all steps, "max" the last step's. What is minimized is error times sensitivity (Denisov et al. 2022, arXiv:2202.08312,
section 3): the noise multiplier that a price asks for is proportional to the sensitivity. Nothing here bears on privacy: any strategy is priced as
it stands (tacit.privacy.participation).
"""

import math
from typing import TYPE_CHECKING, Any, Literal

from tacit.errors import ConfigError
from tacit.privacy.participation import squared_sensitivity
from tacit.privacy.strategies import MOST_BANDS, MOST_BUFFERS, Banded, Buffered, Strategy, Tree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

__all__ = ["banded_strategy", "buffered_strategy", "prefix_deviation", "step_deviation", "tree_strategy"]

Objective = Literal["rmse", "max"]


def banded_strategy(*, bands: int, steps: int, period: int, objective: Objective = "rmse") -> Banded:
    """Return the banded Toeplitz strategy of least error for its sensitivity.

    bands  -- number of diagonals; 1 <= bands <= steps. 1 gives independent noise.
    steps  -- of the run; period -- steps between two participations of a unit; `steps` or more: at most one, which is also
              what counts when sampling is by cyclic Poisson with a period of at least `bands`.
    Raises ConfigError when a number is out of range.
    Source: Choquette-Choo et al. 2023, arXiv:2306.08153; Toeplitz and banded as in McKenna 2024, arXiv:2405.15913.
    """
    _check(bands=(bands, min(MOST_BANDS, steps)), steps=(steps, 10**7), period=(period, 10**7))
    if bands == 1:
        return Banded(coefficients=(1.0,))
    import numpy as np
    from scipy.optimize import minimize

    k = np.arange(1, bands)
    ratios = (2 * k - 1) / (2 * k)  # of the square root's coefficients (2k choose k) / 4^k, which are optimal when unbanded
    weights = _weights(steps, objective)

    def loss(ratios: "Vector") -> tuple[float, "Vector"]:
        column = np.concatenate([[1.0], np.cumprod(ratios)])
        value, slope = _banded_loss(column, weights, period)
        return value, np.cumsum((slope * column)[:0:-1])[::-1] / ratios  # c_k holds ratio j for all k >= j

    bounds = [(1e-4, 1.0)] * (bands - 1)
    found = minimize(loss, ratios, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 100})
    return Banded(coefficients=(1.0, *np.cumprod(found.x).tolist()))


def buffered_strategy(*, buffers: int, steps: int, period: int, objective: Objective = "rmse") -> Buffered:
    """Return a buffered Toeplitz strategy (BLT) of least error for its sensitivity; arguments as in `banded_strategy`.

    buffers -- 1 to 32; three or four come within a few percent of the best.
    Source: McMahan et al. 2024, arXiv:2408.08868, section 4 (which optimizes the same product).
    """
    _check(buffers=(buffers, MOST_BUFFERS), steps=(steps, 10**7), period=(period, 10**7))
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import expit, logit

    weights = _weights(steps, objective)

    def strategy(x: "Vector") -> Buffered:
        parts = np.exp(np.minimum(x[:buffers], 30.0))
        scales = parts / (1 + parts.sum()) * (1 - 2.0**-40)  # their sum stays below 1
        return Buffered(
            scales=tuple(np.maximum(scales, 1e-12).tolist()), decays=tuple(np.minimum(expit(x[buffers:]), 1 - 2.0**-40).tolist())
        )

    def loss(x: "Vector") -> float:
        one = strategy(x)
        squared = squared_sensitivity(one, steps=steps, period=period)
        return math.log(float(weights @ np.square(np.cumsum(_inverse(one, steps))))) + math.log(squared)

    spread = 1 - float(max(steps, 4)) ** (-(np.arange(buffers) + 0.5) / buffers)
    start = np.concatenate([np.full(buffers, math.log(0.5 / buffers)), logit(spread)])
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(-20.0, 10.0)] * buffers + [(-10.0, 20.0)] * buffers)
    return strategy(found.x)


def tree_strategy(*, steps: int, period: int, height: int | None = None, objective: Objective = "rmse") -> Tree:
    """Return binary trees of that height, or of the height with the least error for its sensitivity.

    height -- a tree spans 2^height steps, then the next begins; None tries all up to one tree over all steps.
    """
    _check(steps=(steps, 10**7), period=(period, 10**7))
    if height is not None:
        return Tree(height=height)

    def cost(one: Tree) -> float:
        squared = squared_sensitivity(one, steps=steps, period=period)
        return prefix_deviation(one, steps=steps, objective=objective) * math.sqrt(squared)

    return min((Tree(height=height) for height in range((steps - 1).bit_length() + 1)), key=cost)


def prefix_deviation(strategy: Strategy, *, steps: int, objective: Objective = "rmse") -> float:
    """Return the deviation of the prefix sums of w = C^-1 Z, in raw deviations: over all steps ("rmse") or at the last ("max")."""
    import numpy as np

    if isinstance(strategy, Tree):
        variances = _tree_prefixes(strategy, steps)
        return float(np.sqrt(variances.mean() if objective == "rmse" else variances.max()))
    return math.sqrt(float(_weights(steps, objective) @ np.square(np.cumsum(_inverse(strategy, steps)))))


def step_deviation(strategy: Strategy, *, steps: int) -> float:
    """Return the root mean square, over the steps, of the deviation of w_t, in raw deviations; 1 for independent noise."""
    import numpy as np

    if isinstance(strategy, Tree):
        return math.sqrt(float(np.mean(_tree_steps(strategy, steps))))
    return math.sqrt(float(_weights(steps, "rmse") @ np.square(_inverse(strategy, steps))))


def _weights(steps: int, objective: Objective) -> "Vector":
    """Return how often each squared coefficient counts: mean over t of the sum over r <= t, or the sum over all r."""
    import numpy as np

    return 1 - np.arange(steps) / steps if objective == "rmse" else np.ones(steps)


def _inverse(strategy: Banded | Buffered, steps: int) -> "Vector":
    """Return the first column of C^-1, shape (steps,)."""
    import numpy as np
    from scipy.signal import lfilter

    impulse = np.zeros(steps)
    impulse[0] = 1.0
    if isinstance(strategy, Banded):
        return np.asarray(lfilter([1.0], strategy.coefficients, impulse))
    # C(z) = 1 + sum_i s_i z / (1 - q_i z) = P / Q, so C^-1 = Q / P
    factors = [np.array([1.0, -decay]) for decay in strategy.decays]
    below = _product(factors)
    above = below.copy()
    for number, scale in enumerate(strategy.scales):
        above[1:] += scale * _product(factors[:number] + factors[number + 1 :])
    return np.asarray(lfilter(below, above, impulse))


def _product(factors: list[Any]) -> "Vector":
    import numpy as np

    product = np.ones(1)
    for factor in factors:
        product = np.convolve(product, factor)
    return product


def _banded_loss(column: "Vector", weights: "Vector", period: int) -> tuple[float, "Vector"]:
    """Return log(error^2 * sensitivity^2) and its gradient in the column's entries."""
    import numpy as np
    from scipy.signal import lfilter

    steps, bands = len(weights), len(column)
    impulse = np.zeros(steps)
    impulse[0] = 1.0
    inverse = lfilter([1.0], column, impulse)
    prefix = np.cumsum(inverse)
    error = float(weights @ np.square(prefix))
    by_inverse = np.cumsum((2 * weights * prefix)[::-1])[::-1]
    twice = lfilter([1.0], column, inverse)  # the derivative of C^-1 in c_k is -C^-2, moved down by k
    by_error = np.array([-(by_inverse[k:] @ twice[: steps - k]) for k in range(bands)])
    rows = -(-steps // period)
    padded = np.zeros(rows * period)
    padded[:bands] = column
    summed = np.cumsum(padded.reshape(rows, period), axis=0)
    summed.ravel()[steps:] = 0.0
    squared = float(np.square(summed).sum())
    by_squared = 2 * np.cumsum(summed[::-1], axis=0)[::-1].ravel()[:bands]
    return math.log(error) + math.log(squared), by_error / error + by_squared / squared


def _tree_prefixes(strategy: Tree, steps: int) -> "Vector":
    """Return the variance of the noise of every prefix, shape (steps,)."""
    import numpy as np

    after = np.arange(1, steps + 1)
    place, total = after & ((1 << strategy.height) - 1), (after >> strategy.height) * strategy.variances()[-1]
    for level, variance in enumerate(strategy.variances()[:-1]):
        total = total + (place >> level & 1) * variance
    return np.asarray(total)


def _tree_steps(strategy: Tree, steps: int) -> "Vector":
    """Return the variance of N_t - N_(t-1), shape (steps,).

    The estimate of the node that step t completes, of level h, takes the place of those of levels 0 to h - 1 before it. It is
    V_h Z_h + sum over l < h of (1 - V_h) ... (1 - V_(l+1)) (left estimate of level l + own draw of level l), so a left estimate, whose variance is
    V_l, stays with that weight less 1, and the draws of level l made now have weight V_l times it.
    """
    import numpy as np

    variances, span = strategy.variances(), 1 << strategy.height
    by_level = []
    for top in range(strategy.height + 1):
        total, weight = 0.0, 1.0
        for level in range(top, -1, -1):
            total += (weight * variances[level]) ** 2
            if level:
                weight *= 1 - variances[level]
                total += (weight - 1) ** 2 * variances[level - 1]
        by_level.append(total)
    after = (np.arange(steps) % span) + 1
    completed = [(int(one) & -int(one)).bit_length() - 1 for one in after]
    return np.asarray([by_level[level] for level in completed])


def _check(**given: tuple[int, int]) -> None:
    for name, (value, most) in given.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ConfigError(f"{name} must be a whole number from 1 to {most:,}, got {value!r}.")
