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


def physical_size(expected: float, *, limit: int | None = None) -> int:
    """Return a micro-batch size that one draw in a million exceeds (it then takes a further micro-batch).

    expected -- mean number of rows drawn; limit -- most rows a micro-batch may hold, when memory is short; >= 1.
    Rounded up to a multiple of 8. Nothing is ever truncated, so this is a matter of speed, not of privacy.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"a micro-batch holds at least one row, got max_physical_batch = {limit}.")
    size = 8 * math.ceil((expected + 5 * math.sqrt(expected) + 8) / 8)
    return size if limit is None else min(size, limit)
