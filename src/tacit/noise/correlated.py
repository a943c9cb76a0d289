"""Streams of correlated normal vectors w_1, w_2, ...: w = C^-1 Z for a strategy C, in memory that does not grow with the steps.

    banded     w_t = Z_t - c_1 w_(t-1) - ... - c_(b-1) w_(t-b+1)                      b - 1 vectors
    buffered   w_t = Z_t - sum_i s_i B_i,  then  B_i <- q_i B_i + w_t                 one vector per buffer
    tree       w_t = N_t - N_(t-1), N_t the estimate of the noise of all steps up to t  one vector per level, and one more

What a release may do with them. Let S_t be sums on the integer grid (whole multiples of g, differing between neighbours by u_t).
The release is R_t = S_t / g + round(a w_t), a = noise multiplier * clip norm / g. As S_t / g is whole, R_t = round(S_t / g + a w_t):
all R are the rounding of S / g + a C^-1 Z, hence of C^-1 (C S / g + a Z): a post-processing of the exact matrix mechanism on the
rounded sums. Rounding Z instead, before C^-1, would not be one: C S / g is not whole. So raw draws are kept in full and only what is released
is rounded. For the tree, N is an affine function of the noisy nodes of which the sum of all steps so far is exactly the
mean (least squares: weights w and 1 - w), so the same holds with C's rows the nodes.

Float64. What is computed is a function of the draws alone, never of the sums, so it leaks nothing; it only moves the noise's law. Read
backwards: whatever w_t the recursion computes, Z'_t = w_t + c_1 w_(t-1) + ... (exactly) is a_t = Z_t + e_t, |e_t| at most (bands + 2) 2^-53
times the terms added. So the release is exactly that of raw noise Z' which is as close to normal as the core's own values
are (tacit.noise.normal: 2^-50 of themselves).
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.noise.arithmetic import Library
from tacit.noise.source import Source

State = dict[str, NDArray[np.float64]]

__all__ = ["BandedNoise", "BufferedNoise", "NoiseStream", "State", "TreeNoise"]


class NoiseStream(Protocol):
    """Correlated vectors of one length, one after another."""

    def draw(self, source: Source, *, by: Library = "numpy") -> NDArray[np.float64]:
        """Return the next w_t, shape (d,), in raw deviations; the raw draws are the source's."""
        ...

    def state(self) -> State:
        """Return what the next vectors depend on; it is as secret as the noise."""
        ...

    def restore(self, state: State) -> None:
        """Go on after that state. Raises ConfigError when it is not one of this stream."""
        ...


class BandedNoise:
    """w = C^-1 Z for a banded Toeplitz C.

    coefficients -- c_0 = 1, c_1, ...; dimension -- d >= 1.
    """

    def __init__(self, coefficients: tuple[float, ...], dimension: int) -> None:
        self._coefficients = coefficients[1:]
        self._past = np.zeros((len(coefficients) - 1, dimension))
        self._step = 0

    def draw(self, source: Source, *, by: Library = "numpy") -> NDArray[np.float64]:
        rows, d = self._past.shape
        vector = source.normal(d, by=by)
        for back, coefficient in enumerate(self._coefficients, 1):
            vector -= coefficient * self._past[(self._step - back) % rows]
        if rows:
            self._past[self._step % rows] = vector
        self._step += 1
        return vector

    def state(self) -> State:
        return {"step": np.array([float(self._step)]), "past": self._past.copy()}

    def restore(self, state: State) -> None:
        _check(state, {"step": (1,), "past": self._past.shape})
        self._step, self._past = int(state["step"][0]), state["past"].copy()


class BufferedNoise:
    """w = C^-1 Z for a buffered Toeplitz C (Dvijotham et al. 2024, arXiv:2404.16706, Algorithm 1).

    scales, decays -- as in tacit.privacy.strategies.Buffered; dimension -- d >= 1.
    """

    def __init__(self, scales: tuple[float, ...], decays: tuple[float, ...], dimension: int) -> None:
        self._scales, self._decays = scales, decays
        self._buffers = np.zeros((len(scales), dimension))

    def draw(self, source: Source, *, by: Library = "numpy") -> NDArray[np.float64]:
        vector = source.normal(self._buffers.shape[1], by=by)
        for scale, buffer in zip(self._scales, self._buffers, strict=True):
            vector -= scale * buffer
        for decay, buffer in zip(self._decays, self._buffers, strict=True):
            buffer *= decay
            buffer += vector
        return vector

    def state(self) -> State:
        return {"buffers": self._buffers.copy()}

    def restore(self, state: State) -> None:
        _check(state, {"buffers": self._buffers.shape})
        self._buffers = state["buffers"].copy()


class TreeNoise:
    """Differences of prefix estimates from binary trees of 2^height steps each; then the next tree begins.

    variances -- of a node's estimate by level, 1.0 first (tacit.privacy.strategies.Tree.variances); dimension -- d >= 1.
    """

    def __init__(self, variances: list[float], dimension: int) -> None:
        self._weights = variances  # a node's own draw has variance 1, so its best weight is the estimate's variance
        self._levels = np.zeros((len(variances), dimension))
        self._prefix = np.zeros(dimension)
        self._step = 0  # inside the tree

    def draw(self, source: Source, *, by: Library = "numpy") -> NDArray[np.float64]:
        if self._step == 1 << (len(self._weights) - 1):
            self._step = 0
            self._prefix = np.zeros_like(self._prefix)
        node, level = source.normal(len(self._prefix), by=by), 0
        while self._step >> level & 1:  # the node's left sibling is there: they make their parent
            level += 1
            weight = self._weights[level]
            own = source.normal(len(self._prefix), by=by)
            node = weight * own + (1 - weight) * (self._levels[level - 1] + node)
        self._levels[level] = node
        self._step += 1
        present = [one for one in range(len(self._weights)) if self._step >> one & 1]
        prefix = np.sum(self._levels[present], axis=0)
        vector, self._prefix = prefix - self._prefix, prefix
        return np.asarray(vector)

    def state(self) -> State:
        return {"step": np.array([float(self._step)]), "levels": self._levels.copy(), "prefix": self._prefix.copy()}

    def restore(self, state: State) -> None:
        _check(state, {"step": (1,), "levels": self._levels.shape, "prefix": self._prefix.shape})
        self._step, self._levels, self._prefix = int(state["step"][0]), state["levels"].copy(), state["prefix"].copy()


def _check(state: State, shapes: dict[str, tuple[int, ...]]) -> None:
    given = {name: getattr(value, "shape", None) for name, value in state.items()}
    right = given == shapes and all(value.dtype == np.float64 and np.isfinite(value).all() for value in state.values())
    if not right:
        raise ConfigError(
            f"this is not the state of this noise: arrays of shapes {given}, needed are finite float64 arrays {shapes}. "
            "Going on with other noise would not be what was paid for. Restore the checkpoint of this very run."
        )
