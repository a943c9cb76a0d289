"""How noise is correlated between the steps of a run: strategy matrices C with entries >= 0, and what they weigh.

A matrix mechanism releases, step by step, S + C^-1 Z for the sums S of all steps and independent normal Z. Multiplied by C
it is C S + Z: one normal vector whose mean moves by C u when a unit is zeroed, u being the unit's contributions in clip norms.
What the noise adds to a model is the prefix sum A C^-1 Z, A the lower triangle of ones.

Every C here is lower triangular in time, so step t needs the draws up to t alone, and the guarantee holds for sums that
depend on earlier releases (Denisov et al. 2022, arXiv:2202.08312, Theorem 2.1). No entry is negative, so no choice of
contributions moves C u further than equal ones at every participation (Choquette-Choo et al. 2023, arXiv:2211.06530, Corollary 2.1).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING, Any

from tacit.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Banded", "Buffered", "Strategy", "Tree", "strategy_from_json", "strategy_to_json"]

MOST_BANDS = 4096
MOST_BUFFERS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Banded:
    """C is Toeplitz with `bands` diagonals: noise depends on the last bands - 1 steps.

    coefficients -- c_0 = 1 >= c_1 >= ... >= c_(bands-1) > 0; (1.0,) is independent noise, as in DP-SGD.
    Source: Choquette-Choo et al. 2023, arXiv:2306.08153, section 4.
    """

    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        values = tuple(_real(value) for value in self.coefficients)
        object.__setattr__(self, "coefficients", values)
        falling = all(a >= b > 0 for a, b in pairwise(values))
        if not (0 < len(values) <= MOST_BANDS and values[0] == 1 and falling):
            raise ConfigError(
                f"the coefficients of a banded strategy begin with 1, do not rise and stay > 0, at most {MOST_BANDS} of them; got "
                f"{str(values)[:100]}. The sensitivity is proved for those alone. Take them from `banded_strategy`."
            )

    @property
    def bands(self) -> int:
        return len(self.coefficients)

    @property
    def vectors(self) -> int:
        """Vectors of the model's length that the noise remembers."""
        return self.bands - 1

    def column(self, steps: int) -> "NDArray[np.float64]":
        """Return C's first column, shape (steps,); the others are it, moved down."""
        import numpy as np

        column = np.zeros(steps)
        column[: self.bands] = self.coefficients[:steps]
        return column


@dataclass(frozen=True, kw_only=True, slots=True)
class Buffered:
    """C is Toeplitz with c_0 = 1, c_k = sum_i scales_i * decays_i^(k-1): noise depends on every step, through few buffers.

    scales -- each > 0, sum <= 1; decays -- as many, each in [0, 1). So the coefficients do not rise.
    Source: buffered linear Toeplitz, Dvijotham et al. 2024, arXiv:2404.16706; McMahan et al. 2024, arXiv:2408.08868.
    """

    scales: tuple[float, ...]
    decays: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("scales", "decays"):
            object.__setattr__(self, name, tuple(_real(value) for value in getattr(self, name)))
        right = all(scale > 0 for scale in self.scales) and math.fsum(self.scales) <= 1
        if not (
            0 < len(self.scales) == len(self.decays) <= MOST_BUFFERS and right and all(0 <= decay < 1 for decay in self.decays)
        ):
            raise ConfigError(
                f"a buffered strategy has 1 to {MOST_BUFFERS} scales > 0 with sum <= 1 and as many decays in [0, 1), got "
                f"{str(self.scales)[:100]} and {str(self.decays)[:100]}. The sensitivity is proved for those alone. "
                "Take them from `buffered_strategy`."
            )

    @property
    def vectors(self) -> int:
        """Vectors of the model's length that the noise remembers."""
        return len(self.scales)

    def column(self, steps: int) -> "NDArray[np.float64]":
        """Return C's first column, shape (steps,); the others are it, moved down."""
        import numpy as np

        powers = np.asarray(self.decays)[:, None] ** np.arange(max(steps - 1, 0))  # 0 ** 0 is 1
        return np.concatenate([[1.0], np.asarray(self.scales) @ powers])[:steps]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """C's rows are the nodes of binary trees over the steps; a node is drawn when the last of its steps has run.

    height -- of one tree, which spans 2^height steps; then the next tree begins. 0 is independent noise.
    The noise of a prefix is the least-variance estimate from the nodes drawn so far.
    Source: Honaker 2015; Kairouz et al. 2021, arXiv:2103.00039, Appendix B ("online Honaker") with restarts (section D.2).
    """

    height: int

    def __post_init__(self) -> None:
        if isinstance(self.height, bool) or not isinstance(self.height, int) or not 0 <= self.height <= 40:
            raise ConfigError(f"a tree's height is a whole number from 0 to 40, got {self.height!r}: it spans 2^height steps.")

    @property
    def vectors(self) -> int:
        """Vectors of the model's length that the noise remembers: a node per level, and the last prefix."""
        return self.height + 2

    def variances(self) -> list[float]:
        """Return the variance of the estimate of a node's noise, by level: its own draw and its children's, best weighted."""
        variances = [1.0]
        for _ in range(self.height):
            variances.append(1 / (1 + 1 / (2 * variances[-1])))
        return variances


Strategy = Banded | Buffered | Tree


def strategy_to_json(strategy: Strategy) -> dict[str, Any]:
    """Return the closed JSON form of a strategy."""
    match strategy:
        case Banded(coefficients=coefficients):
            return {"strategy": "banded-toeplitz", "coefficients": list(coefficients)}
        case Buffered(scales=scales, decays=decays):
            return {"strategy": "buffered-toeplitz", "scales": list(scales), "decays": list(decays)}
        case Tree(height=height):
            return {"strategy": "tree", "height": height}


def strategy_from_json(data: Mapping[str, Any]) -> Strategy:
    """Return the strategy a JSON form describes. Raises KeyError, TypeError, ValueError or ConfigError for anything else."""
    fields = dict(data)
    match fields.pop("strategy"):
        case "banded-toeplitz":
            return Banded(**fields)
        case "buffered-toeplitz":
            return Buffered(**fields)
        case "tree":
            return Tree(**fields)
        case other:
            raise ValueError(f"no strategy is called {other!r:.100}")


def _real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ConfigError(f"a number is needed, got {value!r}: a strategy is made of plain numbers.")
    return float(value)
