import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from privacy.local.exact_law import ChosenWords, largest_ratio, law, within
from tacit.errors import ConfigError, DataError, ShapeError
from tacit.noise import OsSource, SeededSource
from tacit.privacy import Guarantee, Neighbours
from tacit.privacy.local import RandomizedResponse, Reports


def laws(mechanism: RandomizedResponse) -> list[dict[int, Fraction]]:
    """Return the law of the report of each category."""

    def answers(name: str) -> Callable[[NDArray[np.uint64]], NDArray[Any]]:
        return lambda words: mechanism.randomize([name] * len(words), ChosenWords(words)).values

    return [law(answers(name)) for name in mechanism.categories]


def mechanism(k: int, epsilon: float) -> RandomizedResponse:
    return RandomizedResponse(epsilon=epsilon, categories=tuple("abcdefgh"[:k]))


CASES = [(k, epsilon) for k in (2, 3, 5) for epsilon in (2.0**-10, 0.1, 1.0, math.log(3), 6.0)]


@pytest.mark.parametrize(("k", "epsilon"), CASES)
def test_no_report_is_more_than_e_epsilon_likelier_from_one_person_than_from_another(k: int, epsilon: float) -> None:
    """All pairs of inputs and all outputs, exactly, in words; and no more is given away than was promised."""
    ratio = largest_ratio(laws(mechanism(k, epsilon)))
    assert within(ratio, epsilon)
    assert not within(ratio * (1 + Fraction(1, 10**12)), epsilon)


@pytest.mark.parametrize(("k", "epsilon"), CASES)
def test_one_word_less_for_a_lie_is_seen(k: int, epsilon: float, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = mechanism(k, epsilon).lie_words - 1
    monkeypatch.setattr(RandomizedResponse, "lie_words", property(lambda _: fewer))
    assert not within(largest_ratio(laws(mechanism(k, epsilon))), epsilon)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_law_is_the_stated_one(k: int) -> None:
    one = mechanism(k, 1.0)
    for truth, found in enumerate(laws(one)):
        for reported, chance in found.items():
            assert float(chance) == (one.truth_probability if reported == truth else one.lie_probability)


# (k, epsilon, p, q): e^eps / (e^eps + k - 1) and 1 / (e^eps + k - 1), mpmath at 30 digits
@pytest.mark.parametrize(
    ("k", "epsilon", "p", "q"),
    [
        (2, math.log(3), 0.75, 0.25),
        (3, 1.0, 0.5761168847658291, 0.2119415576170854),
        (5, 4.0, 0.9317384593585715, 0.01706538516035712),
    ],
)
def test_probabilities_are_the_published_ones(k: int, epsilon: float, p: float, q: float) -> None:
    one = mechanism(k, epsilon)
    assert [one.truth_probability, one.lie_probability] == pytest.approx([p, q], rel=1e-14, abs=0)


def test_a_report_carries_its_guarantee_and_none_when_the_source_is_for_tests() -> None:
    one = mechanism(3, 1.5)
    promised = Guarantee(epsilon=1.5, delta=0.0, unit="row", neighbours=Neighbours.REPLACE_ONE)
    assert one.guarantee == promised
    assert one.randomize(["a"], OsSource.from_os()).guarantee == promised
    assert one.randomize(["a"], SeededSource(1)).guarantee is None


@pytest.mark.parametrize("epsilon", [0, -1.0, math.nan, math.inf, 41.0, 1e-9, True, "1", None])
def test_an_epsilon_out_of_range_is_refused(epsilon: float) -> None:
    with pytest.raises(ConfigError, match="epsilon"):
        RandomizedResponse(epsilon=epsilon, categories=("a", "b"))


@pytest.mark.parametrize("categories", [(), ("a",), ("a", "a"), "ab", (1, 2), None, {"a", "b"}])
def test_categories_that_are_not_two_different_texts_are_refused(categories: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="categories"):
        RandomizedResponse(epsilon=1.0, categories=categories)


def test_a_value_that_was_not_declared_is_refused_and_not_repeated_in_the_message() -> None:
    with pytest.raises(DataError) as refusal:
        mechanism(2, 1.0).randomize(["a", "secret"], SeededSource(1))
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("values", "error"),
    [([], ShapeError), ([[0]], ShapeError), ([2], DataError), ([-1], DataError), ([0.5], DataError)],
)
def test_reports_that_no_device_sends_are_refused(values: list[float], error: type[Exception]) -> None:
    with pytest.raises(error):
        Reports(values=np.array(values), mechanism=mechanism(2, 1.0), private=True)


def test_reports_are_kept_as_they_came_and_say_whether_they_protect() -> None:
    values = np.array([0, 1])
    reports = Reports(values=values, mechanism=mechanism(2, 1.0), private=True)
    values[0] = 1
    assert reports.values.tolist() == [0, 1]
    assert len(reports) == 2
    with pytest.raises(ConfigError, match="private"):
        Reports(values=values, mechanism=mechanism(2, 1.0), private="yes")  # type: ignore[arg-type]
