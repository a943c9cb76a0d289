import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.noise import OsSource
from tacit.privacy.local import OneBit, RandomizedResponse, Reports, UnaryEncoding
from tacit.train.local import frequencies

NAMES = ("a", "b", "c")


def possible(mechanism: RandomizedResponse | UnaryEncoding, truth: int) -> list[tuple[object, float]]:
    """Return each report that a person of a category may send, with its probability, restated from the definitions."""
    p, q = mechanism.truth_probability, mechanism.lie_probability
    if isinstance(mechanism, RandomizedResponse):
        return [(place, p if place == truth else q) for place in range(len(NAMES))]
    chances = [p if place == truth else q for place in range(len(NAMES))]
    return [
        (bits, math.prod(chance if bit else 1 - chance for bit, chance in zip(bits, chances, strict=True)))
        for bits in itertools.product((0, 1), repeat=len(NAMES))
    ]


@pytest.mark.parametrize("epsilon", [0.5, 3.0])
@pytest.mark.parametrize("make", [RandomizedResponse, UnaryEncoding, lambda **s: UnaryEncoding(encoding="symmetric", **s)])
def test_shares_are_unbiased_and_their_variance_is_the_stated_one_over_all_reports(make: type, epsilon: float) -> None:
    """Three people, two of one category: every combination of reports is listed, so nothing is left to chance."""
    mechanism = make(epsilon=epsilon, categories=NAMES)
    people, truth = (0, 0, 2), np.array([2 / 3, 0, 1 / 3])
    mean, square, stated = np.zeros(3), np.zeros(3), np.zeros(3)
    p, q = mechanism.truth_probability, mechanism.lie_probability
    for reports in itertools.product(*(possible(mechanism, person) for person in people)):
        chance = math.prod(one for _, one in reports)
        found = frequencies(Reports(values=np.array([one for one, _ in reports]), mechanism=mechanism, private=True))
        mean += chance * found.values
        square += chance * (found.values - truth) ** 2
        stated += chance * (found.values * p * (1 - p) + (1 - found.values) * q * (1 - q)) / (3 * (p - q) ** 2)
        formula = np.maximum((found.values * p * (1 - p) + (1 - found.values) * q * (1 - q)) / (3 * (p - q) ** 2), 0)
        assert found.standard_errors == pytest.approx(np.sqrt(formula))
    assert mean == pytest.approx(truth, abs=1e-12)
    assert square == pytest.approx(stated, rel=1e-10)


@pytest.mark.parametrize("make", [RandomizedResponse, UnaryEncoding])
def test_shares_come_out_near_the_true_ones(make: type) -> None:
    """Fails by chance with probability <= 1e-9: Hoeffding, three categories at 3e-10 each. A share off by 0.15 is seen."""
    mechanism, n = make(epsilon=1.0, categories=NAMES), 20_000
    values = ["a"] * (n // 2) + ["b"] * (n // 2)
    found = frequencies(mechanism.randomize(values, OsSource.from_os()))
    room = math.sqrt(math.log(2 / 3e-10) / (2 * n)) / (mechanism.truth_probability - mechanism.lie_probability)
    assert np.abs(found.values - [0.5, 0.5, 0.0]).max() <= room < 0.15
    assert (found.people, found.guarantee) == (n, mechanism.guarantee)
    assert (found.standard_errors < room / 4).all()
    with pytest.raises(ValueError, match="read-only"):
        found.values[0] = 1.0


def test_reports_of_numbers_have_no_categories() -> None:
    mechanism = OneBit(epsilon=1.0, low=0.0, high=1.0)
    with pytest.raises(ConfigError, match="OneBit"):
        frequencies(Reports(values=np.array([0, 1]), mechanism=mechanism, private=True))


@pytest.mark.data
@pytest.mark.parametrize("make", [RandomizedResponse, UnaryEncoding])
def test_the_work_classes_of_adult_at_epsilon_one(real_data: Path, make: type) -> None:
    """32,561 people. Fails by chance with probability <= 1e-9: Bernstein, nine categories at 1e-10 each.

    C_v is a sum of independent bits whose variances add up to at most n s, s the larger of p (1 - p) and q (1 - q).
    """
    from tacit.tables import read_table

    column = read_table(real_data / "adult/adult_train.csv.gz")["workclass"].to_pylist()
    values = ["missing" if one is None else one for one in column]
    names = (
        "Federal-gov",
        "Local-gov",
        "Never-worked",
        "Private",
        "Self-emp-inc",
        "Self-emp-not-inc",
        "State-gov",
        "Without-pay",
    )
    mechanism, n = make(epsilon=1.0, categories=(*names, "missing")), len(values)
    found = frequencies(mechanism.randomize(values, OsSource.from_os()))
    p, q = mechanism.truth_probability, mechanism.lie_probability
    log, spread = math.log(2 / 1e-10), n * max(p * (1 - p), q * (1 - q))
    room = (log / 3 + math.sqrt(log**2 / 9 + 2 * spread * log)) / n / (p - q)
    truth = np.array([values.count(name) / n for name in mechanism.categories])
    assert truth[3] == pytest.approx(22_696 / 32_561)  # Private, as UCI's description counts it
    assert np.abs(found.values - truth).max() <= room < 0.13
    assert found.values.argmax() == 3
