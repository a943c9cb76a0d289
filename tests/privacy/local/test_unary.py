import itertools
import math
from fractions import Fraction
from typing import Literal

import numpy as np
import pytest

from privacy.local.exact_law import ALL_WORDS, ChosenWords, law, within
from tacit.errors import ConfigError, DataError, ShapeError
from tacit.noise import OsSource, SeededSource
from tacit.privacy.local import Reports, UnaryEncoding

Encoding = Literal["optimized", "symmetric"]
NAMES = ("a", "b", "c")
CASES = [(encoding, epsilon) for encoding in ("optimized", "symmetric") for epsilon in (2.0**-10, 0.1, 1.0, math.log(3), 6.0)]


def bit_law(mechanism: UnaryEncoding, truth: int, place: int) -> Fraction:
    """Return the exact chance that the bit at `place` is set for a person of category `truth`."""

    def answer(words: np.ndarray) -> np.ndarray:
        all_words = np.full((len(words), len(NAMES)), ALL_WORDS - 1, dtype=np.uint64)
        all_words[:, place] = words
        return mechanism.randomize([NAMES[truth]] * len(words), ChosenWords(all_words)).values[:, place]

    return law(answer).get(1, Fraction(0))


def largest_ratio(mechanism: UnaryEncoding) -> Fraction:
    """Return the largest ratio over all pairs of categories and all 2^3 reports, bits being independent."""
    bits = [[bit_law(mechanism, truth, place) for place in range(3)] for truth in range(3)]
    chances = [
        [math.prod(p if bit else 1 - p for p, bit in zip(person, report, strict=True)) for person in bits]
        for report in itertools.product((0, 1), repeat=3)
    ]
    return max(Fraction(one) / Fraction(other) for row in chances for one in row for other in row)


@pytest.mark.parametrize(("encoding", "epsilon"), CASES)
def test_no_report_is_more_than_e_epsilon_likelier_from_one_person_than_from_another(encoding: Encoding, epsilon: float) -> None:
    """All pairs of inputs and all outputs, exactly, in words; and no more is given away than was promised."""
    ratio = largest_ratio(UnaryEncoding(epsilon=epsilon, categories=NAMES, encoding=encoding))
    assert within(ratio, epsilon)
    assert not within(ratio * (1 + Fraction(1, 10**12)), epsilon)


@pytest.mark.parametrize(("encoding", "epsilon"), CASES)
def test_one_word_less_for_a_lie_is_seen(encoding: Encoding, epsilon: float, monkeypatch: pytest.MonkeyPatch) -> None:
    mechanism = UnaryEncoding(epsilon=epsilon, categories=NAMES, encoding=encoding)
    fewer = mechanism.lie_words - 1
    monkeypatch.setattr(UnaryEncoding, "lie_words", property(lambda _: fewer))
    assert not within(largest_ratio(mechanism), epsilon)


@pytest.mark.parametrize("encoding", ["optimized", "symmetric"])
def test_each_bit_hangs_on_its_own_word_alone(encoding: Encoding) -> None:
    """All 3^3 combinations of words just below and above the two thresholds."""
    mechanism = UnaryEncoding(epsilon=1.0, categories=NAMES, encoding=encoding)
    words = np.array(list(itertools.product((0, mechanism.lie_words, mechanism.truth_words), repeat=3)), dtype=np.uint64)
    for truth, name in enumerate(NAMES):
        bits = mechanism.randomize([name] * len(words), ChosenWords(words)).values
        for place in range(3):
            limit = mechanism.truth_words if place == truth else mechanism.lie_words
            assert bits[:, place].tolist() == [int(word) < limit for word in words[:, place]]


# (encoding, epsilon, p, q): OUE 1/2 and 1 / (e^eps + 1); SUE e^(eps/2) / (e^(eps/2) + 1) and the rest, mpmath at 30 digits
@pytest.mark.parametrize(
    ("encoding", "epsilon", "p", "q"),
    [
        ("optimized", 1.0, 0.5, 0.2689414213699951),
        ("optimized", math.log(3), 0.5, 0.25),
        ("symmetric", 1.0, 0.6224593312018546, 0.3775406687981454),
        ("symmetric", 2 * math.log(3), 0.75, 0.25),
    ],
)
def test_probabilities_are_the_published_ones(encoding: Encoding, epsilon: float, p: float, q: float) -> None:
    one = UnaryEncoding(epsilon=epsilon, categories=NAMES, encoding=encoding)
    assert [one.truth_probability, one.lie_probability] == pytest.approx([p, q], rel=1e-14, abs=0)


def test_many_people_are_told_in_pieces_with_the_same_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails by chance with probability <= 1e-8: four bits, Hoeffding at 2e-9 each."""
    from tacit.privacy.local import unary

    monkeypatch.setattr(unary, "_PIECE", 64)
    mechanism, n = UnaryEncoding(epsilon=1.0, categories=("a", "b")), 4001
    bound = math.sqrt(math.log(2 / 2e-9) / (2 * n))
    for truth, name in enumerate(mechanism.categories):
        reports = mechanism.randomize([name] * n, OsSource.from_os())
        rates = reports.values.mean(axis=0)
        expected = [0.5 if place == truth else mechanism.lie_probability for place in range(2)]
        assert np.abs(rates - expected).max() <= bound < abs(0.5 - mechanism.lie_probability)
        assert reports.guarantee == mechanism.guarantee


@pytest.mark.parametrize("epsilon", [0, -1.0, math.nan, math.inf])
def test_bad_settings_are_refused(epsilon: float) -> None:
    with pytest.raises(ConfigError, match="epsilon"):
        UnaryEncoding(epsilon=epsilon, categories=NAMES)
    with pytest.raises(ConfigError, match="encoding"):
        UnaryEncoding(epsilon=1.0, categories=NAMES, encoding="best")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="categories"):
        UnaryEncoding(epsilon=1.0, categories=("a",))
    with pytest.raises(DataError):
        UnaryEncoding(epsilon=1.0, categories=NAMES).randomize(["d"], SeededSource(1))


@pytest.mark.parametrize(
    ("values", "error"),
    [([[0, 1]], ShapeError), ([0, 1, 0], ShapeError), ([[0, 2, 1]], DataError), ([[0.0, 1.0, 1.0]], DataError)],
)
def test_reports_that_no_device_sends_are_refused(values: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        Reports(values=np.array(values), mechanism=UnaryEncoding(epsilon=1.0, categories=NAMES), private=True)
