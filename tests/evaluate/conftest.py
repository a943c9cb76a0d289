"""An honest simulation of what an observer of a DP-SGD run sees of a gradient canary, without any training code."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray


@dataclass
class NoisySums:
    """Poisson draws of each canary plus normal noise, step by step: exactly a twin's canary coordinate."""

    noise_multiplier: float
    steps: int
    probability: float
    rng: np.random.Generator

    def __call__(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        total = np.zeros(present.shape)
        for _ in range(self.steps):
            drawn = self.rng.random(present.shape, dtype=np.float32) < self.probability
            total += drawn & present
            if self.noise_multiplier:
                total += self.noise_multiplier * self.rng.standard_normal(present.shape)
        return total


@pytest.fixture
def noisy_sums() -> Callable[..., NoisySums]:
    """Return a maker of twins: 200 steps at rate 0.1, with the noise asked for."""

    def make(noise_multiplier: float, *, seed: int = 0, steps: int = 200, probability: float = 0.1) -> NoisySums:
        rng = np.random.default_rng(seed)
        return NoisySums(noise_multiplier=noise_multiplier, steps=steps, probability=probability, rng=rng)

    return make
