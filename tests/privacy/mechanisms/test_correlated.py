"""The release of correlated noise: on the grid, one with DP-SGD at one band, and true to its run when resumed."""

import numpy as np
import pytest

from noise.libraries import LIBRARIES
from privacy.test_participation import BANDED, BUFFERED, IDENTITY
from tacit.errors import ConfigError, PrivacyError, ShapeError
from tacit.noise import GridVector, OsSource, SeededSource, Source, Zeros
from tacit.noise.arithmetic import Library
from tacit.privacy import Gaussian
from tacit.privacy.mechanisms.correlated import CorrelatedNoising, IndependentNoising, stream_of
from tacit.privacy.strategies import Strategy, Tree

STRATEGIES = [BANDED, BUFFERED, Tree(height=2)]


def total(d: int, value: float = 0.0, clip_norm: float = 2.0) -> GridVector:
    return GridVector.from_sum(np.full(d, float(value)), clip_norm)


def noising(strategy: Strategy, source: Source, *, begin_anew: bool = False) -> CorrelatedNoising:
    return CorrelatedNoising(noise_multiplier=1.5, strategy=strategy, source=source, begin_anew=begin_anew)


def test_independent_noise_is_dp_sgd_bit_for_bit_and_one_band_is_independent_noise() -> None:
    independent, plain = IndependentNoising(mechanism=Gaussian(noise_multiplier=1.5), source=SeededSource(3)), SeededSource(3)
    for step in range(5):
        expected = Gaussian(noise_multiplier=1.5).release(total(1000, step), plain).units
        assert np.array_equal(independent.release(total(1000, step)).units, expected)
    parts = independent.releases([total(600, 1), total(400, 2)], np.empty(600))
    own = Gaussian(noise_multiplier=1.5).releases([total(600, 1), total(400, 2)], plain, np.empty(600))
    assert all(np.array_equal(one.units, other.units) for one, other in zip(parts, own, strict=True))
    assert independent.state() == {}
    with pytest.raises(ConfigError, match="Use IndependentNoising"):
        noising(IDENTITY, SeededSource(3))


@pytest.mark.parametrize("by", LIBRARIES)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_a_release_is_the_sum_and_the_rounded_noise_of_its_step(strategy: Strategy, by: Library) -> None:
    run, stream, source = noising(strategy, SeededSource(4)), stream_of(strategy, 300), SeededSource(4)
    for step in range(6):
        given = GridVector.from_sum(np.linspace(-5.0, 5.0, 300) * step, 2.0)
        before = given.units.copy()
        released = run.release(given, by=by)
        noise = np.rint(stream.draw(source, by=by) * (1.5 * 2.0 / given.step))
        assert np.array_equal(released.units, before + noise)
        assert np.array_equal(given.units, before)
        assert (released.step, released.clip_norm) == (given.step, 2.0)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_the_noise_does_not_depend_on_the_sums(strategy: Strategy) -> None:
    """Post-processing: with the same draws two runs differ by exactly their rounded sums, in every step."""
    one, other = noising(strategy, SeededSource(4)), noising(strategy, SeededSource(4))
    random = np.random.default_rng(0)
    for _ in range(7):
        first, second = (GridVector.from_sum(random.normal(size=50) * 3, 2.0) for _ in range(2))
        gap = one.release(first).units - other.release(second).units
        assert np.array_equal(gap, first.units - second.units)


def residues(strategy: Strategy, start: float, draws: int) -> np.ndarray:
    """Residues modulo 2^8 of a coordinate's releases, one run of three steps each, the sum 0 or one grid step."""
    run = noising(strategy, OsSource.from_os())
    step = total(draws).step
    released = [run.release(GridVector.from_sum(np.full(draws, start * step), 2.0)) for _ in range(3)][-1]
    assert np.array_equal(released.values / released.step, released.units)
    return np.bincount(released.units.astype(np.int64) % 256, minlength=256)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_no_residue_of_the_grid_tells_neighbouring_sums_apart(strategy: Strategy) -> None:
    """SOUNDNESS 15 for correlated noise. Chi-square over 256 residues, for both sums: fails by chance with probability <= 1e-6 each.

    Float noise added to the sum, or rounded off the grid, leaves values off the grid; a GridVector's noise is rounded by itself.
    """
    from scipy.stats import chi2

    for start in (0.0, 1.0):
        counts = residues(strategy, start, 100_000)
        assert counts.min() > 0
        expected = counts.sum() / 256
        assert float(np.square(counts - expected).sum() / expected) < chi2.isf(1e-6, 255)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_a_run_resumed_at_its_checkpoint_is_the_uninterrupted_one(strategy: Strategy) -> None:
    whole = noising(strategy, SeededSource(1))
    expected = [whole.release(total(40)).units for _ in range(8)]
    for begin_anew in (False, True):
        source = SeededSource(1)
        first, second = noising(strategy, source), noising(strategy, source, begin_anew=begin_anew)
        before = [first.release(total(40)).units for _ in range(5)]
        second.restore(first.state(), lost_steps=0)
        assert np.array_equal(before + [second.release(total(40)).units for _ in range(3)], expected)


def test_an_amplified_run_begins_anew_after_a_loss_and_another_goes_on() -> None:
    for begin_anew in (False, True):
        first, second = noising(BANDED, SeededSource(1)), noising(BANDED, Zeros(), begin_anew=begin_anew)
        first.release(total(40))
        second.restore(first.state(), lost_steps=2)
        remembered = second.release(total(40)).units
        assert bool(np.any(remembered != 0)) is not begin_anew


def test_a_run_keeps_its_grid_and_clip_norm() -> None:
    run = noising(BANDED, SeededSource(1))
    run.release(total(40))
    for other in (total(41), total(40, clip_norm=1.0)):
        with pytest.raises(PrivacyError, match="one vector"):
            run.release(other)
    resumed = noising(BANDED, SeededSource(1))
    resumed.restore(run.state(), lost_steps=0)
    with pytest.raises(PrivacyError, match="one vector"):
        resumed.release(total(41))


def test_what_is_no_state_or_no_total_is_refused() -> None:
    with pytest.raises(ConfigError, match="lost_steps"):
        noising(BANDED, Zeros()).restore({}, lost_steps=-1)
    for state in ({"grid": np.zeros(3)}, {"past": np.zeros((3, 4))}, {"grid": np.array([4.0, 0.25, 1.0])}):
        with pytest.raises(ConfigError, match="not the state"):
            noising(BANDED, Zeros()).restore(state, lost_steps=0)
    with pytest.raises(ConfigError, match="no state"):
        IndependentNoising(mechanism=Gaussian(noise_multiplier=1.0), source=Zeros()).restore({"x": np.zeros(1)}, lost_steps=0)
    with pytest.raises(ShapeError):
        noising(BUFFERED, Zeros()).release(GridVector(units=np.zeros(0), step=0.25, clip_norm=1.0))
    with pytest.raises(PrivacyError, match="too coarse"):
        coarse = GridVector(units=np.zeros(4), step=2 * total(4).step, clip_norm=2.0)
        noising(BANDED, Zeros()).release(coarse)
