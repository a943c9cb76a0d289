"""The Gaussian mechanism on a grid: the release, its event, and where the proof is."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.errors import PrivacyError, ShapeError
from tacit.noise import GridVector, Source, grid_step
from tacit.noise.arithmetic import Library
from tacit.privacy.events import GaussianEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class Gaussian:
    """Adds normal noise to a sum of clipped vectors.

    noise_multiplier -- noise s.d. / L2 sensitivity; no unit; finite and > 0. Raises ConfigError otherwise.
    """

    noise_multiplier: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "noise_multiplier", self.event().noise_multiplier)  # one rule for both: the event's

    def release(self, total: GridVector, source: Source, *, by: Library = "numpy") -> GridVector:
        """Return total + noise of standard deviation noise_multiplier * total.clip_norm, still on total's grid.

        total  -- shape (d,), d >= 1: a sum to which one unit contributes at most total.clip_norm in L2, grid rounding
                  included (GridVector.from_sum, SOUNDNESS rule "vector noise"). Never mutated.
        source -- where the noise comes from; the release protects someone only when source.private.
        by     -- the library that does the arithmetic (tacit.noise.arithmetic); never changes the law of the result.
        Raises ShapeError for an empty vector and PrivacyError when the grid is coarser than the sensitivity proof allows.
        """
        (released,) = self.releases([total], source, np.empty(len(total.units)), by=by)
        return released

    def releases(
        self, totals: Iterable[GridVector], source: Source, memory: NDArray[np.float64], *, by: Library = "numpy"
    ) -> Generator[GridVector, None, None]:
        """Yield `release` of each piece of a vector, as the pieces come: noise of one release, each piece's after the other's.

        memory -- at least as long as the longest piece: not the totals' own. Every piece is released into it, so use
                  it before the next is asked for.
        """
        with source.draws(by=by) as draws:
            for total in totals:
                self.check(total)
                spread = self.noise_multiplier * total.clip_norm / total.step
                noise = draws.normal(len(total.units), spread=spread, out=memory[: len(total.units)])
                yield total.plus_noise(noise, by=by)

    @staticmethod
    def check(total: GridVector) -> None:
        """Raise unless total is something to release, on a grid fine enough for the sensitivity that the noise covers."""
        d = len(total.units)
        if d == 0:
            raise ShapeError("total has shape (0,): there is nothing to release. Give at least one value.")
        if total.step > grid_step(total.clip_norm, d):
            raise PrivacyError(
                f"the grid step {total.step:g} is too coarse for clip norm {total.clip_norm:g} in {d} dimensions: rounding would "
                "add to the sensitivity that the noise covers, so nothing was released. Build total with GridVector.from_sum."
            )

    def event(self) -> GaussianEvent:
        """Return what the accountant is told: one release, zero-out-one neighbours, sensitivity clip_norm.

        Proof: Balle & Wang 2018, arXiv:1805.06530, Theorem 8, for the noise multiplier as it stands: rounding noise and
        total to one grid is rounding their sum, a post-processing, and clipping to C (1 - 2^-9) pays for the total's own
        rounding (tacit.noise.grid). The noise core's missing tail mass is charged to delta by `price(draws=...)`.
        """
        return GaussianEvent(noise_multiplier=self.noise_multiplier)
