"""Correlated noise streams against C^-1 written out as a dense matrix, exactly and in law."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from privacy.test_participation import BANDED, BUFFERED, IDENTITY, rows_of
from tacit.errors import ConfigError
from tacit.noise import OsSource, SeededSource, Source
from tacit.noise.correlated import NoiseStream
from tacit.privacy.mechanisms.correlated import stream_of
from tacit.privacy.strategies import Banded, Strategy, Tree

STEPS = 13
STRATEGIES = [IDENTITY, BANDED, BUFFERED, Tree(height=0), Tree(height=1), Tree(height=2), Tree(height=4)]


def decoder(strategy: Strategy) -> NDArray[np.float64]:
    """Return L with w = L Z, shape (steps, rows): differences of the least squares estimates of the prefixes from the rows so far."""
    rows = sorted(rows_of(strategy, STEPS), key=lambda one: (one[0], one[1].sum()))  # in the order they are drawn
    estimate = np.zeros((STEPS, len(rows)))
    for t in range(STEPS):
        known = [i for i, (step, _) in enumerate(rows) if step <= t]
        estimate[t, known] = (np.arange(STEPS) <= t).astype(float) @ np.linalg.pinv(np.array([rows[i][1] for i in known]))
    return np.asarray(np.diff(estimate, axis=0, prepend=np.zeros((1, len(rows)))))


def drawn(stream: NoiseStream, source: Source, steps: int = STEPS) -> NDArray[np.float64]:
    return np.array([stream.draw(source) for _ in range(steps)])


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_the_stream_is_the_dense_decoder_times_the_raw_draws(strategy: Strategy) -> None:
    matrix, source = decoder(strategy), SeededSource(5)
    raw = np.array([source.normal(7) for _ in range(matrix.shape[1])])
    assert np.allclose(drawn(stream_of(strategy, 7), SeededSource(5)), matrix @ raw, rtol=0, atol=1e-12)


@pytest.mark.parametrize("strategy", [BANDED, BUFFERED], ids=str)
def test_a_toeplitz_decoder_is_the_inverse_of_its_strategy(strategy: Strategy) -> None:
    inverse = np.linalg.inv(np.array([row for _, row in rows_of(strategy, STEPS)]))
    assert np.allclose(decoder(strategy), inverse, rtol=0, atol=1e-10)


def unlikely(values: NDArray[np.float64], covariance: NDArray[np.float64], chance: float) -> bool:
    """Whether the vectors' covariance differs from the stated one, at most `chance` when it does not.

    Whitened by the stated covariance they are independent: the squared length of every step's, and of the scaled sum and
    difference of every two steps', has a chi-square law with d degrees of freedom, and these fix the whole covariance.
    """
    white = np.linalg.solve(np.linalg.cholesky(covariance), values)
    pairs = [(s, t) for s in range(len(white)) for t in range(s)]
    combined = [*white, *[(white[s] + sign * white[t]) / np.sqrt(2) for s, t in pairs for sign in (1, -1)]]
    lengths = [float(np.square(one).sum()) for one in combined]
    share = chance / (2 * len(lengths))
    low, high = float(chi2.ppf(share, values.shape[1])), float(chi2.isf(share, values.shape[1]))
    return min(lengths) < low or max(lengths) > high


@pytest.mark.parametrize("strategy", [BANDED, BUFFERED, Tree(height=2)], ids=str)
def test_the_noise_has_the_covariance_that_is_priced(strategy: Strategy) -> None:
    """Fails by chance with probability <= 1e-9 (union over chi-squares). An error of a few percent in one coefficient is seen."""
    values = drawn(stream_of(strategy, 100_000), OsSource.from_os())
    matrix = decoder(strategy)
    assert not unlikely(values, matrix @ matrix.T, 1e-9)
    assert unlikely(values, np.eye(STEPS), 1e-9), "independent noise would be told apart"
    other = decoder(Banded(coefficients=(1.0, 0.65, 0.4, 0.1))) if strategy is BANDED else 1.03 * matrix
    assert unlikely(values, other @ other.T, 1e-9)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@pytest.mark.parametrize("at", [1, 4, 6])
def test_a_restored_stream_goes_on_as_if_uninterrupted(strategy: Strategy, at: int) -> None:
    whole = drawn(stream_of(strategy, 5), SeededSource(1))
    source, first, second = SeededSource(1), stream_of(strategy, 5), stream_of(strategy, 5)
    before = drawn(first, source, at)
    state = first.state()
    kept = {name: value.copy() for name, value in state.items()}
    first.draw(SeededSource(9))  # what the killed run drew afterwards
    assert all(np.array_equal(state[name], kept[name]) for name in kept), "a state is a copy"
    second.restore(state)
    assert np.array_equal(np.vstack([before, drawn(second, source, STEPS - at)]), whole)


@pytest.mark.parametrize("strategy", [BANDED, BUFFERED, Tree(height=2)], ids=str)
def test_another_state_is_refused(strategy: Strategy) -> None:
    stream, wrong = stream_of(strategy, 5), stream_of(strategy, 6)
    wrong.draw(SeededSource(1))
    for state in (wrong.state(), {}, {"x": np.zeros(1)}, {name: value * np.nan for name, value in stream.state().items()}):
        with pytest.raises(ConfigError, match="not the state"):
            stream.restore(state)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_memory_is_the_stated_number_of_vectors_and_does_not_grow(strategy: Strategy) -> None:
    stream, d = stream_of(strategy, 50), 50
    drawn(stream, SeededSource(1), 3)
    early = sum(value.size for value in stream.state().values())
    drawn(stream, SeededSource(1), 40)
    assert sum(value.size for value in stream.state().values()) == early <= strategy.vectors * d + 1
