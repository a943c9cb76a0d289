"""Who takes part in a step."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.noise.source import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class PoissonSampler:
    """Draws every row independently with the same probability.

    size        -- number of rows at hand; >= 0.
    probability -- of drawing each; 0 < probability <= 1. Drawn with 64-bit words, rounded down by less than 2^-64, so a row
                   is never likelier than was paid for.
    source      -- where the randomness comes from.
    """

    size: int
    probability: float
    source: Source

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            raise ConfigError(f"sampling probability must be > 0 and <= 1, got {self.probability}.")
        if self.size < 0:
            raise ConfigError(f"the sampler needs a size >= 0, got {self.size}.")

    def draw(self) -> NDArray[np.int64]:
        """Return the sorted indices of the rows drawn; possibly none."""
        if self.probability == 1:
            return np.arange(self.size, dtype=np.int64)
        threshold = np.uint64(int(math.ldexp(self.probability, 64)))
        return np.flatnonzero(self.source.uniform_words(self.size) < threshold).astype(np.int64)

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return what the next draw depends on: nothing, since every draw is independent of those before."""
        return {}

    def restore(self, state: dict[str, NDArray[np.float64]]) -> None:
        """Go on after a checkpoint. Raises ConfigError when it holds the state of another sampler."""
        if state:
            raise ConfigError(f"Poisson sampling has no state, got {sorted(state)}. Restore the checkpoint of this very run.")


def physical_size(expected: float, *, pieces: int = 1, limit: int | None = None) -> int:
    """Return a micro-batch size such that one draw in a million needs more than `pieces` of them (it then takes further ones).

    expected -- mean number of rows drawn. pieces -- 1: one micro-batch with room to spare, a quarter of it padding at 500 rows; more:
    smaller ones, of which only the last is padded. limit -- most rows a micro-batch may hold, when memory is short; >= 1.
    Rounded up to a multiple of 8, at least 16. Nothing is ever truncated, so this is a matter of speed, not of privacy.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"a micro-batch holds at least one row, got max_physical_batch = {limit}.")
    size = max(16, 8 * math.ceil((expected + 5 * math.sqrt(expected) + 8) / (8 * pieces)))
    return size if limit is None else min(size, limit)
