"""Samplers by which a unit takes part at most once in a period: balls-in-bins, fixed shuffle, cyclic Poisson.

All three split the units into groups once, by random words that do not depend on the data, and step t belongs to group t mod period.
So a unit has its chance in steps i, i + period, ... alone, which is the pattern that tacit.privacy.participation prices. The split is part of the
state: a resumed run uses the same one.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.noise.source import Source
from tacit.train.samplers import PoissonSampler

State = dict[str, NDArray[np.float64]]

__all__ = ["BallsInBinsSampler", "CyclicPoissonSampler", "ShuffleSampler"]


@dataclass(kw_only=True, slots=True)
class _Cycle:
    """Groups, and which one's turn it is.

    size   -- number of units at hand; >= 0.
    period -- number of groups; >= 1.
    source -- where the randomness comes from.
    """

    size: int
    period: int
    source: Source
    _group: NDArray[np.int64] = field(init=False, repr=False)
    _step: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for name, least in (("size", 0), ("period", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"the sampler's {name} must be a whole number >= {least}, got {value!r}.")
        self._group = self._split()

    def _split(self) -> NDArray[np.int64]:
        """Return each unit's group, shape (size,): groups of equal size, give or take one, by a uniform order of the units."""
        if self.period == 1:  # nothing to split: the stream stays that of plain Poisson sampling
            return np.zeros(self.size, dtype=np.int64)
        group = np.empty(self.size, dtype=np.int64)
        group[np.argsort(self.source.uniform_words(self.size), kind="stable")] = np.arange(self.size) % self.period
        return group

    def _turn(self) -> NDArray[np.int64]:
        members = np.flatnonzero(self._group == self._step % self.period).astype(np.int64)
        self._step += 1
        return members

    def state(self) -> State:
        """Return the split and the position, for a checkpoint: both are secret."""
        return {"group": self._group.astype(np.float64), "step": np.array([float(self._step)])}

    def restore(self, state: State) -> None:
        """Go on after a checkpoint, with its split. Raises ConfigError when it is not one of this sampler."""
        group, step = state.get("group", np.zeros(0)), state.get("step", np.zeros(0))
        right = set(state) == {"group", "step"} and group.shape == (self.size,) and step.shape == (1,) and step[0] >= 0
        if not (right and np.isin(group, np.arange(self.period)).all()):
            raise ConfigError(
                f"this is not the state of a sampler of {self.size} units in {self.period} groups. With another split a unit could take part "
                "more often than was paid for. Restore the checkpoint of this very run."
            )
        self._group, self._step = group.astype(np.int64), int(step[0])


class ShuffleSampler(_Cycle):
    """Goes through one random order of the units again and again, in batches of equal size, give or take one.

    Source of the price: deterministic participation, no amplification (shuffling has no tight theorem for DP-SGD: Chua et al. 2024,
    arXiv:2411.10614, audit what is claimed for it).
    """

    def draw(self) -> NDArray[np.int64]:
        """Return the sorted indices of the step's batch."""
        return self._turn()


class BallsInBinsSampler(_Cycle):
    """Puts every unit into a bin of its own random choice, once; bins come in turn, the same in every epoch.

    Batches vary in size as Poisson's do. Source: Chua et al. 2024 (arXiv:2412.16802); Choquette-Choo et al. 2024 (arXiv:2410.06266).
    Charged as deterministic participation, without amplification.
    """

    def _split(self) -> NDArray[np.int64]:
        words = self.source.uniform_words(self.size)
        return (words % np.uint64(self.period)).astype(np.int64)

    def draw(self) -> NDArray[np.int64]:
        """Return the sorted indices of the units in the step's bin; possibly none."""
        return self._turn()


@dataclass(kw_only=True, slots=True)
class CyclicPoissonSampler(_Cycle):
    """Draws every member of the group whose turn it is independently, with the same probability.

    probability -- of drawing a member; 0 < probability <= 1. Each unit: once in a period at most.
    Source: Choquette-Choo et al. 2023, arXiv:2306.08153, Algorithm 2 and Theorem 4.
    """

    probability: float

    def __post_init__(self) -> None:
        super(CyclicPoissonSampler, self).__post_init__()
        PoissonSampler(size=self.size, probability=self.probability, source=self.source)  # refuses a probability out of range

    def draw(self) -> NDArray[np.int64]:
        """Return the sorted indices of the units drawn; possibly none."""
        members = self._turn()
        return members[PoissonSampler(size=len(members), probability=self.probability, source=self.source).draw()]


def groups_for(n: int, batch_size: int) -> int:
    """Return how many batches of about batch_size units make an epoch; >= 1."""
    return max(1, math.floor(n / batch_size + 0.5))
