import math
from fractions import Fraction

import numpy as np
import pytest

from privacy.local.exact_law import ALL_WORDS, ChosenWords, largest_ratio, law, within
from tacit.errors import ConfigError, DataError, ShapeError
from tacit.noise import OsSource, SeededSource
from tacit.privacy.local import OneBit, Reports

VALUES = (-3.0, -1.0, 0.25, 2.0, 5.0)


def exact(mechanism: OneBit, value: float) -> dict[int, Fraction]:
    """Return the law of a value's report: the first word rounds, the second lies."""

    def rounded(words: np.ndarray) -> np.ndarray:
        pairs = np.column_stack([words, np.full(len(words), ALL_WORDS - 1, dtype=np.uint64)])
        return mechanism.randomize(np.full(len(words), value), ChosenWords(pairs)).values

    def told(words: np.ndarray) -> np.ndarray:
        pairs = np.column_stack([np.zeros(len(words), dtype=np.uint64), words])  # word 0 rounds up unless the value is low
        return mechanism.randomize(np.full(len(words), 5.0), ChosenWords(pairs)).values

    up, honest = law(rounded).get(1, Fraction(0)), law(told)[1]
    chance = up * honest + (1 - up) * (1 - honest)
    return {0: 1 - chance, 1: chance}


@pytest.mark.parametrize("epsilon", [2.0**-10, 0.1, 1.0, math.log(3), 6.0])
def test_no_report_is_more_than_e_epsilon_likelier_from_one_number_than_from_another(
    epsilon: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    mechanism = OneBit(epsilon=epsilon, low=-1.0, high=2.0)
    ratio = largest_ratio([exact(mechanism, value) for value in VALUES])
    assert within(ratio, epsilon)
    assert not within(ratio * (1 + Fraction(1, 10**12)), epsilon)
    fewer = mechanism.lie_words - 1
    monkeypatch.setattr(OneBit, "lie_words", property(lambda _: fewer))  # planted: one word less for a lie
    assert not within(largest_ratio([exact(mechanism, value) for value in VALUES]), epsilon)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 6.0])
@pytest.mark.parametrize("value", VALUES)
def test_the_mean_of_the_report_is_the_number_clipped(epsilon: float, value: float) -> None:
    mechanism = OneBit(epsilon=epsilon, low=-1.0, high=2.0)
    low, high = mechanism.unbiased(Reports(values=np.array([0, 1]), mechanism=mechanism, private=True))
    chances = exact(mechanism, value)
    assert float(chances[0]) * low + float(chances[1]) * high == pytest.approx(min(max(value, -1.0), 2.0), abs=1e-13 / epsilon)


def test_the_bit_stands_for_the_published_numbers() -> None:
    """On [-1, 1] the reports are +-(e^eps + 1) / (e^eps - 1); at epsilon 1: 2.16395341373865 (mpmath at 30 digits)."""
    mechanism = OneBit(epsilon=1.0, low=-1.0, high=1.0)
    found = mechanism.unbiased(Reports(values=np.array([False, True]), mechanism=mechanism, private=True))
    assert found == pytest.approx([-2.16395341373865, 2.16395341373865], rel=1e-13)


def test_bad_input_is_refused_or_clipped_as_declared() -> None:
    for low, high in ((1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.inf), (-1e308, 1e308), ("a", 1.0)):
        with pytest.raises(ConfigError, match="bounds"):
            OneBit(epsilon=1.0, low=low, high=high)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="epsilon"):
        OneBit(epsilon=0.0, low=0.0, high=1.0)
    mechanism = OneBit(epsilon=1.0, low=0.0, high=1.0)
    for bad in (math.nan, math.inf):
        with pytest.raises(DataError, match="nothing was reported"):
            mechanism.randomize([0.5, bad], SeededSource(1))
    for shape in (0.5, [[0.5]]):
        with pytest.raises(ShapeError):
            mechanism.randomize(shape, SeededSource(1))
    with pytest.raises(ShapeError):
        mechanism.randomize([], SeededSource(1))
    with pytest.raises(DataError):
        Reports(values=np.array([2]), mechanism=mechanism, private=True)
    far, near = (mechanism.randomize([x] * 200, SeededSource(4)).values for x in (1e300, 1.0))
    assert np.array_equal(far, near)
    assert mechanism.randomize([0.5], OsSource.from_os()).guarantee == mechanism.guarantee
