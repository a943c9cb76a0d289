"""Gaussian noise correlated between the steps of one run: banded, buffered (BLT) and tree, behind one stateful release."""

import math
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, PrivacyError
from tacit.noise import GridVector, Source
from tacit.noise.arithmetic import Library
from tacit.noise.correlated import BandedNoise, BufferedNoise, NoiseStream, State, TreeNoise
from tacit.privacy.mechanisms.gaussian import Gaussian
from tacit.privacy.strategies import Banded, Buffered, Strategy, Tree

__all__ = ["CorrelatedNoising", "IndependentNoising", "Noising"]


class Noising(Protocol):
    """The noise of one run: called once a step, in order."""

    def release(self, total: GridVector, *, by: Library = "numpy") -> GridVector:
        """Return total + this step's noise, on total's grid. Raises PrivacyError when the grid or the vector's length is not the run's.

        by -- the library that does the arithmetic.
        """
        ...

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return what a checkpoint must hold, after the last release; as secret as the noise. Empty without memory."""
        ...

    def restore(self, state: dict[str, NDArray[np.float64]], *, lost_steps: int) -> None:
        """Go on from a checkpoint.

        lost_steps -- steps that the ledger counts after it: 0 when none can have been released.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class IndependentNoising:
    """Fresh noise in every step, as in DP-SGD: nothing to remember.

    mechanism -- what every step releases through; source -- where the noise comes from.
    """

    mechanism: Gaussian
    source: Source

    def release(self, total: GridVector, *, by: Library = "numpy") -> GridVector:
        return self.mechanism.release(total, self.source, by=by)

    def releases(
        self, totals: Iterable[GridVector], memory: NDArray[np.float64], *, by: Library = "numpy"
    ) -> Generator[GridVector, None, None]:
        """Yield the release of a vector piece by piece, all in the same memory (tacit.privacy.mechanisms.gaussian)."""
        return self.mechanism.releases(totals, self.source, memory, by=by)

    def state(self) -> State:
        return {}

    def restore(self, state: State, *, lost_steps: int) -> None:
        if state:
            raise ConfigError(f"independent noise has no state, got {sorted(state)}. Restore the checkpoint of this very run.")


class CorrelatedNoising:
    """Noise w = C^-1 Z of one run, rounded to the grid of its sums; proof in tacit.noise.correlated.

    noise_multiplier -- s.d. of a raw draw / clip norm; > 0 and finite.
    strategy         -- C.
    source           -- where the raw draws come from.
    begin_anew       -- whether the noise starts afresh after lost steps, as an amplified run's price requires
                        (tacit.privacy.participation); without loss a run always goes on as if uninterrupted.
    Raises ConfigError for one band, which is independent noise.
    """

    def __init__(self, *, noise_multiplier: float, strategy: Strategy, source: Source, begin_anew: bool) -> None:
        if isinstance(strategy, Banded) and strategy.bands == 1:
            raise ConfigError(
                "one band is independent noise: it has nothing to remember, and is released piece by piece. Use IndependentNoising, or "
                "plan.noising(source)."
            )
        self._gaussian = Gaussian(noise_multiplier=noise_multiplier)
        self._strategy, self._source, self._begin_anew = strategy, source, begin_anew
        self._stream: NoiseStream | None = None
        self._grid: tuple[int, float, float] | None = None  # length, step and clip norm of the run's sums

    def release(self, total: GridVector, *, by: Library = "numpy") -> GridVector:
        grid = (len(total.units), total.step, total.clip_norm)
        if self._grid not in (None, grid):
            raise PrivacyError(
                f"this run's sums have (length, grid step, clip norm) {self._grid}, this one {grid}: correlated noise covers one vector "
                "with one clip norm from the first step to the last. Start another run, or use DP-SGD for a clip norm that moves."
            )
        self._grid = grid
        if self._stream is None:
            self._stream = stream_of(self._strategy, len(total.units))
        self._gaussian.check(total)
        noise = self._stream.draw(self._source, by=by)
        noise *= self._gaussian.noise_multiplier * total.clip_norm / total.step
        return total.plus_noise(noise, by=by)

    def state(self) -> State:
        if self._stream is None or self._grid is None:
            return {}
        return {"grid": np.array(self._grid, dtype=np.float64), **self._stream.state()}

    def restore(self, state: State, *, lost_steps: int) -> None:
        if lost_steps < 0:
            raise ConfigError(f"lost_steps must be >= 0, got {lost_steps}: a checkpoint is never ahead of the ledger.")
        if not state or (lost_steps and self._begin_anew):
            self._stream = self._grid = None
            return
        state = dict(state)
        grid = state.pop("grid", np.zeros(0))
        if grid.shape != (3,) or not (grid[0] >= 1 and math.isfinite(grid[0])):
            raise ConfigError("this is not the state of correlated noise. Restore the checkpoint of this very run.")
        stream = stream_of(self._strategy, int(grid[0]))
        stream.restore(state)
        self._grid, self._stream = (int(grid[0]), float(grid[1]), float(grid[2])), stream


def stream_of(strategy: Strategy, dimension: int) -> NoiseStream:
    """Return the stream of w = C^-1 Z for vectors of this length."""
    match strategy:
        case Banded(coefficients=coefficients):
            return BandedNoise(coefficients, dimension)
        case Buffered(scales=scales, decays=decays):
            return BufferedNoise(scales, decays, dimension)
        case Tree():
            return TreeNoise(strategy.variances(), dimension)
