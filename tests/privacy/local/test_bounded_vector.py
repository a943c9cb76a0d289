import math

import numpy as np
import pytest

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.noise import OsSource, SeededSource
from tacit.privacy.local import BoundedVector, PrivUnit2, Reports
from tacit.privacy.local.bounded_vector import _lifted


def test_a_vector_is_told_by_priv_unit_one_dimension_up() -> None:
    mechanism = BoundedVector(epsilon=3.0, dimension=2, radius=10.0)
    told = mechanism.randomize([[3.0, 4.0]], SeededSource(9))
    by_hand = PrivUnit2(epsilon=3.0, dimension=3).randomize([[0.3, 0.4, math.sqrt(0.75)]], SeededSource(9))
    assert np.array_equal(told.values, by_hand.values)
    assert mechanism.guarantee == mechanism.unit.guarantee
    unit = mechanism.unit
    assert mechanism.unbiased(told) == pytest.approx(10.0 * unit.unbiased(by_hand)[:, :2])


@pytest.mark.parametrize(
    ("given", "lifted"),
    [
        ([0.0, 0.0], [0.0, 0.0, 1.0]),
        ([0.6, 0.0], [0.6, 0.0, 0.8]),
        ([0.6, 0.8], [0.6, 0.8, 0.0]),
        ([6.0, 8.0], [0.6, 0.8, 0.0]),
        ([3e307, 4e307], [0.6, 0.8, 0.0]),
        ([5e-324, 0.0], [0.0, 0.0, 1.0]),
    ],
)
def test_a_lifted_vector_has_length_one_and_a_longer_one_is_shortened(given: list[float], lifted: list[float]) -> None:
    assert _lifted(np.array([given]))[0] == pytest.approx(lifted, abs=1e-7)


def test_the_mean_of_reports_is_the_vector_shorter_ones_included() -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding, four coordinates at 2.5e-10 each); 30 % off is seen."""
    n, mechanism = 40_000, BoundedVector(epsilon=6.0, dimension=4, radius=2.0)
    x = np.array([0.5, -1.0, 0.0, 0.25])
    mean = mechanism.unbiased(mechanism.randomize(np.tile(x, (n, 1)), OsSource.from_os())).mean(axis=0)
    room = 2.0 / mechanism.unit.norm * math.sqrt(2 * math.log(2 / 2.5e-10) / n)
    assert np.abs(mean - x).max() <= room
    assert np.abs(mean - x * 1.3).max() > room


def test_bad_input_is_refused() -> None:
    for d in (0, 2**16, 1.5, False):
        with pytest.raises(ConfigError, match="dimension"):
            BoundedVector(epsilon=1.0, dimension=d)  # type: ignore[arg-type]
    for radius in (0.0, -1.0, math.nan, math.inf, "1"):
        with pytest.raises(ConfigError, match="radius"):
            BoundedVector(epsilon=1.0, dimension=2, radius=radius)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="epsilon"):
        BoundedVector(epsilon=0.0, dimension=2)
    mechanism = BoundedVector(epsilon=1.0, dimension=2)
    for values in ([1.0, 2.0], [[1.0]], np.empty((0, 2))):
        with pytest.raises(ShapeError):
            mechanism.randomize(values, SeededSource(1))
    with pytest.raises(DataError, match="nothing was reported"):
        mechanism.randomize([[math.nan, 0.0]], SeededSource(1))
    with pytest.raises(DataError):
        Reports(values=np.ones((1, 3)), mechanism=mechanism, private=True)
