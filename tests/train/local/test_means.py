import itertools
import math

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.noise import OsSource
from tacit.privacy.local import BoundedVector, OneBit, PrivUnit2, RandomizedResponse, Reports
from tacit.train.local import mean


@pytest.mark.parametrize("epsilon", [0.5, 3.0])
def test_a_mean_of_numbers_is_unbiased_and_its_standard_error_is_never_too_small_over_all_reports(epsilon: float) -> None:
    """Three people: every combination of bits is listed. P(bit 1) = q + (1 - 2 q) (x - low) / (high - low)."""
    mechanism, people = OneBit(epsilon=epsilon, low=-1.0, high=3.0), np.array([-1.0, 0.5, 3.0])
    lie = 1 / (math.exp(epsilon) + 1)
    up = lie + (1 - 2 * lie) * (people + 1) / 4
    average = square = stated = 0.0
    for bits in itertools.product((0, 1), repeat=3):
        chance = math.prod(p if bit else 1 - p for bit, p in zip(bits, up, strict=True))
        found = mean(Reports(values=np.array(bits), mechanism=mechanism, private=True))
        assert found.values.shape == found.standard_errors.shape == ()
        average += chance * float(found.values)
        square += chance * float(found.values - people.mean()) ** 2
        stated += chance * float(found.standard_errors) ** 2
    assert average == pytest.approx(people.mean(), abs=1e-12)
    assert stated == pytest.approx(square + people.var(ddof=1) / 3, rel=1e-10)  # the people's own spread is in it


def test_a_mean_of_numbers_comes_out_near_the_true_one() -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding, reports a range of 10 B apart); a fifth of the range off is seen."""
    n, mechanism = 20_000, OneBit(epsilon=1.0, low=0.0, high=10.0)
    values = np.linspace(-5, 10, n)  # a third below the bound counts as 0
    found = mean(mechanism.randomize(values, OsSource.from_os()))
    width = 10 * (math.e + 1) / (math.e - 1)
    room = width * math.sqrt(math.log(2e9) / (2 * n))
    assert abs(found.values - np.clip(values, 0, 10).mean()) <= room < 2
    assert (found.people, found.guarantee) == (n, mechanism.guarantee)


@pytest.mark.parametrize("make", [BoundedVector, PrivUnit2])
def test_a_mean_of_vectors_comes_out_near_the_true_one(make: type) -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding, three coordinates at 3e-10 each)."""
    n, mechanism = 20_000, make(epsilon=4.0, dimension=3)
    angles = np.linspace(0, 1, n)
    values = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(n)])
    found = mean(mechanism.randomize(values, OsSource.from_os()))
    norm = getattr(mechanism, "unit", mechanism).norm
    room = math.sqrt(2 * math.log(2 / 3e-10) / n) / norm
    assert np.abs(found.values - values.mean(axis=0)).max() <= room < 0.1
    assert (found.standard_errors < room / 4).all()
    assert found.guarantee == mechanism.guarantee


def test_what_has_no_mean_is_refused() -> None:
    with pytest.raises(ConfigError, match="RandomizedResponse"):
        mean(Reports(values=np.array([0, 1]), mechanism=RandomizedResponse(epsilon=1.0, categories=("a", "b")), private=True))
    with pytest.raises(ConfigError, match="two reports"):
        mean(Reports(values=np.array([1]), mechanism=OneBit(epsilon=1.0, low=0.0, high=1.0), private=True))
