"""A released vector is a whole multiple of its grid's step, and its low bits say nothing (SOUNDNESS 15)."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from noise.libraries import LIBRARIES
from tacit.errors import ConfigError, PrivacyError, ShapeError
from tacit.noise.arithmetic import PIECE, Library
from tacit.noise.grid import GridVector, clip_target, grid_step
from tacit.noise.source import OsSource

SEVERAL = PIECE["torch"] + 5000
"""Values of a vector that is worked on in several pieces."""

clip_norms = st.floats(2.0**-200, 2.0**200) | st.sampled_from(
    [1.0, 0.1, 3.0, 2.0**-30, math.nextafter(1.0, 0), math.nextafter(1.0, 2)]
)


@given(clip_norms, st.integers(1, 2**40) | st.integers(0, 40).map(lambda k: 2**k))
def test_the_step_is_the_largest_power_of_two_that_leaves_rounding_its_share(clip_norm: float, dimension: int) -> None:
    step = grid_step(clip_norm, dimension)
    assert math.frexp(step)[0] == 0.5
    room = Fraction(clip_norm) ** 2 / 2**20 / dimension
    assert Fraction(step) ** 2 <= room < Fraction(2 * step) ** 2


# (C, d, g): by hand from sqrt(d) g <= 2^-10 C
@pytest.mark.parametrize(
    ("clip_norm", "dimension", "step"), [(1.0, 1, 2**-10), (1.0, 2, 2**-11), (1.0, 4, 2**-11), (1.0, 5, 2**-12), (3.0, 1, 2**-9)]
)
def test_the_step_of_small_cases(clip_norm: float, dimension: int, step: float) -> None:
    assert grid_step(clip_norm, dimension) == step


@given(clip_norms)
def test_the_clip_target_is_the_largest_float_within_the_margin(clip_norm: float) -> None:
    exact = Fraction(clip_norm) * (1 - Fraction(1, 512))
    assert Fraction(clip_target(clip_norm)) <= exact < Fraction(math.nextafter(clip_target(clip_norm), math.inf))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.sampled_from([0.1, 1.0, 7.0]))
def test_a_sum_is_rounded_to_the_nearest_multiple(total: list[float], clip_norm: float) -> None:
    vector = GridVector.from_sum(np.array(total), clip_norm)
    assert vector.step == grid_step(clip_norm, len(total))
    for unit, value, coordinate in zip(vector.units, vector.values, total, strict=True):
        assert unit == round(Fraction(coordinate) / Fraction(vector.step))
        assert Fraction(value) == Fraction(unit) * Fraction(vector.step)


def test_the_input_is_neither_changed_nor_kept() -> None:
    total = np.array([0.3, 0.7])
    vector = GridVector.from_sum(total, 1.0)
    units = vector.units.copy()
    total[:] = 9.0
    np.testing.assert_array_equal(vector.units, units)
    mine = np.array([1.0, 2.0])
    built = GridVector(units=mine, step=0.5, clip_norm=1.0)
    mine[0] = 7.0
    assert built.units.tolist() == [1.0, 2.0]


def test_a_grid_vector_cannot_be_changed() -> None:
    vector = GridVector.from_sum(np.array([0.3, 0.7]), 1.0)
    with pytest.raises(ValueError, match="read-only"):
        vector.units[0] = 1.0
    with pytest.raises(AttributeError):
        vector.step = 1.0  # type: ignore[misc]


def test_the_sign_of_what_was_rounded_off_does_not_show() -> None:
    """-0.0 + -0.0 is -0.0: noise that rounds to -0.0 would let the sign of a tiny sum through."""
    vector = GridVector.from_sum(np.array([-1e-9, 1e-9]), 1.0)
    assert not np.signbit(vector.units).any()
    noise = GridVector(units=np.array([-0.0, -0.0]), step=vector.step, clip_norm=1.0)
    assert not np.signbit((vector + noise).values).any()
    assert not np.signbit(vector.units + np.array([-0.0, -0.0])).any()


def test_addition_is_exact_and_stays_on_the_grid() -> None:
    one = GridVector(units=np.array([2.0**51, 3.0]), step=0.25, clip_norm=1.0)
    other = GridVector(units=np.array([1.0, -5.0]), step=0.25, clip_norm=1.0)
    total = one + other
    assert total.units.tolist() == [2.0**51 + 1, -2.0]
    assert (total.step, total.clip_norm) == (0.25, 1.0)


@pytest.mark.parametrize(
    "other",
    [
        GridVector(units=np.zeros(2), step=0.5, clip_norm=1.0),
        GridVector(units=np.zeros(2), step=0.25, clip_norm=2.0),
        GridVector(units=np.zeros(3), step=0.25, clip_norm=1.0),
    ],
    ids=["step", "clip norm", "shape"],
)
def test_vectors_of_different_grids_are_not_added(other: GridVector) -> None:
    with pytest.raises(ConfigError, match="one grid only"):
        _ = GridVector(units=np.zeros(2), step=0.25, clip_norm=1.0) + other


@pytest.mark.parametrize("noise", [np.ones(2), 1.0, [1.0, 2.0]], ids=["array", "number", "list"])
def test_plain_numbers_cannot_be_added_from_either_side(noise: Any) -> None:
    vector = GridVector(units=np.zeros(2), step=0.25, clip_norm=1.0)
    with pytest.raises(TypeError):
        _ = vector + noise
    with pytest.raises(TypeError):
        _ = noise + vector


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2.0**52 * 2.0**-11, -(2.0**52) * 2.0**-11, 1e308])
def test_what_is_not_finite_or_too_large_is_refused(bad: float) -> None:
    with pytest.raises(PrivacyError, match="not finite or too large"):
        GridVector.from_sum(np.array([0.5, bad]), 1.0)
    GridVector.from_sum(np.array([0.5, (2.0**52 - 1) * 2.0**-11]), 1.0)


def test_a_sum_of_two_that_grows_too_large_is_refused() -> None:
    half = GridVector(units=np.array([2.0**51]), step=1.0, clip_norm=1.0)
    with pytest.raises(PrivacyError, match="too large"):
        _ = half + half


@pytest.mark.parametrize("by", LIBRARIES)
@pytest.mark.parametrize("bad", [2.0**52, -(2.0**52), 2.0**60, 1e200, -1e308, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, SEVERAL - 1])
def test_noise_that_is_not_finite_or_too_large_is_refused_wherever_it_stands(bad: float, place: int, by: Library) -> None:
    """Warnings are errors here: a sum of squares that overflows gives none."""
    noise = np.zeros(SEVERAL)
    noise[place] = bad
    with pytest.raises(PrivacyError, match="not finite or too large"):
        GridVector.from_sum(np.zeros(SEVERAL), 1.0).plus_noise(noise, by=by)


@pytest.mark.parametrize("by", LIBRARIES)
@pytest.mark.parametrize("place", [0, SEVERAL - 1])
@pytest.mark.parametrize("bad", [2.0**60, 1e200, 1e308, np.nan, -np.inf])
def test_a_sum_too_large_is_refused_wherever_it_stands(place: int, bad: float, by: Library) -> None:
    total = np.zeros(SEVERAL)
    total[place] = bad
    with pytest.raises(PrivacyError, match="too large"):
        GridVector.from_sum(total, 1.0, by=by)


@pytest.mark.parametrize("by", LIBRARIES)
@pytest.mark.parametrize("most", [2.0**52 - 1, 1 - 2.0**52])
def test_the_largest_units_are_let_through_exactly_and_one_more_is_refused(by: Library, most: float) -> None:
    """Their squares add up to far more than one refused value's."""
    vector = GridVector(units=np.full(50, most), step=1.0, clip_norm=1.0)
    assert (vector.plus_noise(np.full(50, 0.4), by=by).units == most).all()
    assert (vector.plus_noise(np.full(50, -most), by=by).units == 0).all()
    with pytest.raises(PrivacyError, match="too large"):
        vector.plus_noise(np.append(np.zeros(49), math.copysign(1.0, most)), by=by)
    step = grid_step(1.0, 3)
    assert (GridVector.from_sum(np.full(3, most * step), 1.0, by=by).units == most).all()


@pytest.mark.parametrize("by", LIBRARIES)
def test_noise_is_rounded_to_the_grid_whoever_drew_it(by: Library) -> None:
    """Half steps go to the even neighbour, as in np.rint; the noise's memory holds the result."""
    halves = (np.arange(SEVERAL) - SEVERAL // 2) / 2
    units = (np.arange(SEVERAL) % 1000 - 500).astype(np.float64)
    vector = GridVector(units=units, step=2.0**-20, clip_norm=1.0)
    for noise in (halves, halves * math.pi, halves * 1e-3):
        expected = units + np.rint(noise)
        released = vector.plus_noise(noise, by=by)
        np.testing.assert_array_equal(released.units, expected)
        np.testing.assert_array_equal(released.units, np.rint(released.units))
        assert (released.step, released.clip_norm) == (vector.step, vector.clip_norm)
        assert np.shares_memory(released.units, noise)
    np.testing.assert_array_equal(vector.units, units)
    small = GridVector(units=np.zeros(6), step=1.0, clip_norm=1.0)
    assert small.plus_noise(np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5]), by=by).units.tolist() == [0, 2, 2, 0, -2, -2]


@pytest.mark.parametrize("by", LIBRARIES)
def test_noise_of_another_length_shape_or_precision_is_refused(by: Library) -> None:
    vector = GridVector(units=np.zeros(3), step=1.0, clip_norm=1.0)
    for noise in (np.zeros(2), np.zeros(4), np.zeros(1), np.zeros((3, 1))):
        with pytest.raises(ShapeError):
            vector.plus_noise(noise, by=by)
    with pytest.raises(ConfigError, match="float32"):
        vector.plus_noise(np.zeros(3, dtype=np.float32), by=by)


def test_units_off_the_grid_are_refused() -> None:
    with pytest.raises(PrivacyError, match="off its grid"):
        GridVector(units=np.array([1.0, 0.5]), step=1.0, clip_norm=1.0)


@pytest.mark.parametrize("step", [0.0, -1.0, 3.0, 0.1, math.nan, math.inf, 2.0**-901, 2.0**901])
def test_a_step_that_is_no_power_of_two_is_refused(step: float) -> None:
    with pytest.raises(ConfigError, match="power of two"):
        GridVector(units=np.zeros(1), step=step, clip_norm=1.0)


@pytest.mark.parametrize("clip_norm", [0.0, -1.0, math.nan, math.inf, 1e-300])
def test_a_clip_norm_out_of_range_is_refused(clip_norm: float) -> None:
    with pytest.raises(ConfigError, match="clip_norm"):
        grid_step(clip_norm, 3)
    with pytest.raises(ConfigError, match="clip_norm"):
        clip_target(clip_norm)
    with pytest.raises(ConfigError, match="clip_norm"):
        GridVector.from_sum(np.zeros(3), clip_norm)


@pytest.mark.parametrize("dimension", [0, -1, 1.5, True])
def test_a_dimension_out_of_range_is_refused(dimension: Any) -> None:
    with pytest.raises(ConfigError, match="dimension"):
        grid_step(1.0, dimension)


def test_other_shapes_and_precisions_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 2\)"):
        GridVector.from_sum(np.zeros((2, 2)), 1.0)
    with pytest.raises(ShapeError, match="list"):
        GridVector.from_sum([0.5], 1.0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="float32"):
        GridVector.from_sum(np.zeros(2, dtype=np.float32), 1.0)
    with pytest.raises(ConfigError, match="dimension"):
        GridVector.from_sum(np.zeros(0), 1.0)


# The release test of SOUNDNESS 15: one check, passed by the grid and failed by each planted fault.

Floats = NDArray[np.float64]
N = 1_000_000
SIGMA, CLIP = 1.0, 1.0


def faults(first: Floats, second: Floats, step: float) -> list[str]:
    """Return what tells outputs on two inputs apart by their low bits; [] when nothing does. By chance with probability 1e-6."""
    found = []
    counts = []
    for name, outputs in (("first", first), ("second", second)):
        units = outputs / step  # exact: step is a power of two
        off = int(np.sum(units != np.rint(units)))
        if off:
            found.append(f"{off} {name} outputs off the grid")
        counts.append(np.bincount(np.rint(units).astype(np.int64) & 255, minlength=256))
        if not counts[-1].all():
            found.append(f"{int(np.sum(counts[-1] == 0))} residues absent for the {name}")
    table = np.array(counts)
    table = table[:, table.sum(axis=0) > 0]
    if stats.chi2_contingency(table).pvalue < 1e-6:
        found.append("residues tell the inputs apart")
    return found


def outputs_of(release: Callable[[Floats], Floats], dimension: int) -> tuple[Floats, Floats, float]:
    """Release N values at each of two inputs one step apart, in vectors of this dimension."""
    step = grid_step(CLIP, dimension)
    inputs = (np.full(dimension, 0.123), np.full(dimension, 0.123 + step))
    first, second = (np.concatenate([release(total) for _ in range(N // dimension)]) for total in inputs)
    return first, second, step


def grid_release(total: Floats) -> Floats:
    vector = GridVector.from_sum(total, CLIP)
    noise = OsSource.from_os().normal(len(total), spread=SIGMA * CLIP / vector.step)
    return vector.plus_noise(noise).values


def torch_release(total: Floats) -> Floats:
    vector = GridVector.from_sum(total, CLIP, by="torch")
    noise = OsSource.from_os().normal(len(total), spread=SIGMA * CLIP / vector.step, by="torch")
    return vector.plus_noise(noise, by="torch").values


RELEASES = {"numpy": grid_release, "torch": torch_release}


@pytest.mark.parametrize("by", LIBRARIES)
@pytest.mark.parametrize("dimension", [1_000, 1_000_000])
def test_a_million_outputs_are_on_the_grid_and_their_low_bits_say_nothing(dimension: int, by: Library) -> None:
    first, second, step = outputs_of(RELEASES[by], dimension)
    assert len(first) == len(second) == N
    assert faults(first, second, step) == []


def test_outputs_of_single_numbers_are_on_the_grid() -> None:
    """Many vectors of one coordinate each, on the grid of one coordinate, with the noise that such a vector gets."""
    step = grid_step(CLIP, 1)
    units = [GridVector.from_sum(np.array([total]), CLIP).units[0] for total in (0.123, 0.123 + step)]
    assert units[1] == units[0] + 1
    first, second = (
        GridVector(units=np.full(N, one), step=step, clip_norm=CLIP).plus_noise(
            OsSource.from_os().normal(N, spread=SIGMA * CLIP / step)
        )
        for one in units
    )
    assert faults(first.values, second.values, step) == []


def rounded_normal(count: int, spread: float) -> Floats:
    """Return noise in whole steps."""
    return np.rint(OsSource.from_os().normal(count, spread=spread))


def float_noise(total: Floats) -> Floats:
    """Planted: floating-point noise on the sum."""
    return total + SIGMA * CLIP * OsSource.from_os().normal(len(total))


def float_noise_rounded_off_the_grid(total: Floats) -> Floats:
    """Planted: floating-point noise, then rounded to six decimals, which are no multiples of the step."""
    return np.round(total + SIGMA * CLIP * OsSource.from_os().normal(len(total)), 6)


def sum_not_rounded(total: Floats) -> Floats:
    """Planted: noise on the grid, but the sum off it."""
    step = grid_step(CLIP, len(total))
    return total + step * rounded_normal(len(total), SIGMA * CLIP / step)


def noise_on_a_coarser_grid(total: Floats) -> Floats:
    """Planted: every output is on the grid, but the noise has even multiples only, so parity names the input."""
    vector = GridVector.from_sum(total, CLIP)
    return (vector.units + 2 * rounded_normal(len(total), CLIP / (2 * vector.step))) * vector.step


def noise_with_uneven_residues(total: Floats) -> Floats:
    """Planted: one output in a hundred has the last bit of its noise cleared: all residues appear, unevenly."""
    vector = GridVector.from_sum(total, CLIP)
    noise = rounded_normal(len(total), SIGMA * CLIP / vector.step)
    chosen = OsSource.from_os().uniform_words(len(total)) < np.uint64(2**64 // 20)
    return (vector.units + np.where(chosen, noise - noise % 2, noise)) * vector.step


@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        (float_noise, "off the grid"),
        (float_noise_rounded_off_the_grid, "off the grid"),
        (sum_not_rounded, "off the grid"),
        (noise_on_a_coarser_grid, "128 residues absent"),
        (noise_with_uneven_residues, "tell the inputs apart"),
    ],
)
def test_the_release_check_catches_the_planted_fault(fault: Callable[[Floats], Floats], sign: str) -> None:
    found = faults(*outputs_of(fault, 1_000_000))
    assert any(sign in line for line in found), found
