import math
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

from tacit.errors import ConfigError, DataError, PrivacyError, ShapeError
from tacit.noise import OsSource, SeededSource, Zeros
from tacit.privacy.local import PrivUnit2, Reports, priv_unit
from tacit.privacy.local.cap import BETA_ALLOWANCE, cap_height, cap_moment, cap_probability, drawn_error

CASES = [(epsilon, d) for epsilon in (2.0**-10, 0.5, 1.0, 4.0, 8.0, 40.0) for d in (2, 3, 10, 101, 3000)]
Floats = NDArray[np.float64]


def height_density(d: int) -> mpmath.mpf:
    """Return c of the density c (1 - t^2)^((d-3)/2) of <V, u>, by integrating it: no gamma or beta function."""
    side = mpmath.pi / 2
    points = [mpmath.mpf(0), side, *[side - far / mpmath.sqrt(d) for far in (15, 5) if far / mpmath.sqrt(d) < side]]
    return 1 / (2 * mpmath.quad(lambda angle: mpmath.sin(angle) ** (d - 2), sorted(points)))


def above(d: int, height: float, power: int = 0) -> mpmath.mpf:
    """Return E[T^power; T >= height] by integration over the angle, at 40 digits."""
    with mpmath.workdps(40):
        low, far = mpmath.acos(mpmath.mpf(height)), mpmath.mpf(10) / mpmath.sqrt(d)
        points = sorted({mpmath.mpf(0), max(mpmath.mpf(0), low - far), low})
        return height_density(d) * mpmath.quad(lambda a: mpmath.sin(a) ** (d - 2) * mpmath.cos(a) ** power, points)


def epsilon_spent(mechanism: PrivUnit2) -> mpmath.mpf:
    """Return the largest log-ratio of two people's densities: a report in one's cap and not in the other's.

    With every cap as much smaller as drawing and comparing in float64 can make it.
    """
    with mpmath.workdps(40):
        words, height = mechanism.truth_words, mechanism.height
        cap = above(mechanism.dimension, height) - drawn_error(mechanism.dimension, height)
        return mpmath.log(mpmath.mpf(words) / (2**64 - words)) + mpmath.log((1 - cap) / cap)


@pytest.mark.parametrize(("epsilon", "d"), CASES)
def test_no_report_is_more_than_e_epsilon_likelier_from_one_vector_than_from_another(
    epsilon: float, d: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The density's two values, its cap integrated at 40 digits."""
    mechanism = PrivUnit2(epsilon=epsilon, dimension=d)
    spent = epsilon_spent(mechanism)
    assert epsilon - 2e-9 - 2 / (2**64 - mechanism.truth_words) <= spent <= epsilon  # one word is lost to rounding
    assert spent >= 0  # the other way round the ratio is below 1
    height = mechanism.height
    inside, error = float(above(d, height)), drawn_error(d, height)
    assert math.log((inside + error) / (inside - error)) <= epsilon  # a report in both caps
    more = mechanism.truth_words + math.ceil((2**64 - mechanism.truth_words) * 1e-8)
    monkeypatch.setattr(PrivUnit2, "truth_words", property(lambda _: more))  # planted: the truth 1e-8 likelier
    assert epsilon_spent(mechanism) > epsilon


@pytest.mark.parametrize(("epsilon", "d"), CASES)
def test_the_density_integrates_to_one_and_the_norm_is_its_mean_height(epsilon: float, d: int) -> None:
    """Unbiased by another method: the mean of <report, u> integrated at 40 digits, against the closed form used."""
    mechanism = PrivUnit2(epsilon=epsilon, dimension=d)
    p, cap = mpmath.mpf(mechanism.truth_words) / 2**64, above(d, mechanism.height)
    rest, moment = 2 * above(d, 0.0) - cap, above(d, mechanism.height, power=1)
    factor = (1 - p) / (1 - mpmath.mpf(cap_probability(d, mechanism.height)))
    assert float(p + factor * rest) == pytest.approx(1, abs=1e-11)
    mean = p / cap * moment - (1 - p) / (1 - cap) * moment  # heights below the cap's average to -moment: T is symmetric
    assert mechanism.norm == pytest.approx(float(mean), rel=1e-9)


@pytest.mark.parametrize("d", [2, 3, 10, 101, 3000, 65536])
def test_caps_are_computed_far_within_their_allowance(d: int) -> None:
    """Caps integrated over the angle, and up to 3,000 dimensions mpmath's incomplete beta function, at 40 digits."""
    for probability in (0.49, 0.1, 2.0**-10):
        height = cap_height(d, probability)
        exact = float(above(d, height))
        assert abs(cap_probability(d, height) / exact - 1) < BETA_ALLOWANCE / 100
        if d <= 3000:
            with mpmath.workdps(40):
                half = mpmath.mpf(d - 1) / 2
                known = mpmath.betainc(half, half, 0, (1 - mpmath.mpf(height)) / 2, regularized=True)
            assert float(known) == pytest.approx(exact, rel=1e-13)
        assert cap_probability(d, height) == pytest.approx(probability, rel=1e-6)
    assert cap_moment(d, 0.1) == pytest.approx(float(above(d, 0.1, power=1)), rel=1e-9)


@pytest.mark.parametrize(("epsilon", "d"), [(1.0, 10), (8.0, 10), (4.0, 101), (8.0, 2)])
def test_no_other_cap_has_a_larger_norm(epsilon: float, d: int) -> None:
    best = PrivUnit2(epsilon=epsilon, dimension=d).norm
    probabilities = np.geomspace(max(2.0**-10, 1 / (1 + math.exp(epsilon))), 0.5, 300)
    others = [priv_unit._norm(epsilon, d, cap_height(d, float(one))) for one in probabilities]
    assert max(others) == pytest.approx(best, rel=1e-4)
    assert max(others) <= best * (1 + 1e-9)


def pole(d: int) -> Floats:
    vector = np.random.default_rng(d).normal(size=d)
    return np.asarray(vector / np.linalg.norm(vector))


def gap_to_law(heights: Floats, mechanism: PrivUnit2, own: float) -> float:
    """Return the largest gap between the heights' distribution and the stated one with truth probability `own`."""
    d, ordered = mechanism.dimension, np.sort(heights)
    cap = cap_probability(d, mechanism.height)
    from scipy.special import betainc

    upper = betainc((d - 1) / 2, (d - 1) / 2, (1 - ordered) / 2)
    below = np.where(ordered >= mechanism.height, 1 - own * upper / cap, (1 - own) * (1 - upper) / (1 - cap))
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return float(max(np.max(steps[1:] - below), np.max(below - steps[:-1])))


@pytest.mark.parametrize(("epsilon", "d"), [(1.0, 2), (4.0, 5), (8.0, 30)])
def test_reports_are_spread_as_stated_around_the_pole_and_unbiased(epsilon: float, d: int) -> None:
    """Fails by chance with probability <= 3e-9: Dvoretzky-Kiefer-Wolfowitz-Massart at 1e-9, and for the means Hoeffding, each
    coordinate at 2e-9 / d. A truth probability off by 0.08 is seen."""
    mechanism, n = PrivUnit2(epsilon=epsilon, dimension=d), 10_000
    u = pole(d)
    reports = mechanism.randomize(np.tile(u, (n, 1)), OsSource.from_os())
    heights = reports.values @ u
    bound = math.sqrt(math.log(2 / 1e-9) / (2 * n))
    assert gap_to_law(heights, mechanism, mechanism.truth_probability) <= bound
    assert gap_to_law(heights, mechanism, mechanism.truth_probability - 0.08) > bound
    mean = mechanism.unbiased(reports).mean(axis=0)
    room = math.sqrt(2 * math.log(d * 1e9) / n) / mechanism.norm
    assert np.abs(mean - u).max() <= room
    assert reports.guarantee == mechanism.guarantee


def test_a_report_hangs_on_the_vector_through_one_comparison_alone() -> None:
    """Two people's reports from one stream are bit-equal, or different draws altogether: no low bit names the vector."""
    mechanism = PrivUnit2(epsilon=4.0, dimension=6)
    u = pole(6)
    other = u + 0.1 * np.eye(6)[0]
    other /= np.linalg.norm(other)
    first, second = (
        np.vstack([mechanism.randomize(one[None], SeededSource(seed)).values for seed in range(200)]) for one in (u, other)
    )
    equal = (first == second).all(axis=1)
    assert 50 < equal.sum() < 200
    assert (np.abs(first - second)[~equal].max(axis=1) > 1e-3).all()


def test_a_person_is_told_alike_alone_and_among_others() -> None:
    """Many people in pieces: the law does not change. Fails by chance with probability <= 2e-9 (Hoeffding)."""
    mechanism, n = PrivUnit2(epsilon=2.0, dimension=700), 1000  # three pieces
    values = np.vstack([np.eye(700)[i % 700] for i in range(n)])
    reports = mechanism.randomize(values, OsSource.from_os()).values
    inside = (np.einsum("nd,nd->n", reports, values) >= mechanism.height).mean()
    assert abs(inside - mechanism.truth_probability) <= math.sqrt(math.log(1e9) / (2 * n))


def test_a_source_without_noise_is_refused() -> None:
    mechanism = PrivUnit2(epsilon=1.0, dimension=3)
    with pytest.raises(PrivacyError, match="zeros"):
        mechanism.randomize([[1.0, 0.0, 0.0]], Zeros())


class Stuck(SeededSource):
    """A source whose normal values are all the same."""

    def normal(self, count: int, **_: Any) -> Floats:
        return np.ones(count)


def test_a_source_that_repeats_itself_is_refused() -> None:
    mechanism = PrivUnit2(epsilon=8.0, dimension=3)
    away = np.full((50, 3), -(3**-0.5))
    with pytest.raises(PrivacyError, match="never hit"):
        mechanism.randomize(away, Stuck(1))


def test_bad_settings_are_refused() -> None:
    for d in (1, 0, 2.0, True, 2**16 + 1):
        with pytest.raises(ConfigError, match="dimension"):
            PrivUnit2(epsilon=1.0, dimension=d)  # type: ignore[arg-type]
    for epsilon in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ConfigError, match="epsilon"):
            PrivUnit2(epsilon=epsilon, dimension=3)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ([[1.0, 1.0]], DataError),
        ([[0.0, 0.0]], DataError),
        ([[math.nan, 1.0]], DataError),
        ([[1.0, 0.0], [0.5, 0.0]], DataError),
        ([1.0, 0.0], ShapeError),
        ([[1.0, 0.0, 0.0]], ShapeError),
        (np.empty((0, 2)), ShapeError),
    ],
)
def test_what_is_not_a_unit_vector_is_neither_told_nor_taken_as_a_report(values: object, error: type[Exception]) -> None:
    mechanism = PrivUnit2(epsilon=1.0, dimension=2)
    with pytest.raises(error):
        mechanism.randomize(values, SeededSource(1))  # type: ignore[arg-type]
    with pytest.raises(error):
        Reports(values=np.array(values), mechanism=mechanism, private=True)


@pytest.mark.parametrize(("d", "height"), [(2, 0.0), (2, 0.99), (3, 0.5), (100, 0.25), (65536, 0.01)])
def test_the_allowance_for_drawn_caps_is_the_sum_that_its_proof_names(d: int, height: float) -> None:
    """Restated from the proof's four steps: chances of a bad draw, plus twice each band's half-width times the density."""
    missing, small_radius, short_vector = d * 2.0**-78, d * (2.0**-17) ** 2 / 2, 2.0**-30
    length = brentq(lambda x: d / 2 * math.log(math.e * x * x / d) + 30 * math.log(2), 1e-9, math.sqrt(d))
    assert chi2.cdf(length**2, d) <= short_vector
    direction = math.sqrt(d) * 2.0**-51 * 2.0**17 / length + 2.0**-48
    comparison = (4 * d + 16) * 2.0**-53
    steep = 1 / math.sqrt(1 - height**2) if d == 2 else 1.0
    bands = 2 * float(height_density(d)) * (1.01 * direction + comparison * steep)
    assert drawn_error(d, height) == pytest.approx(missing + small_radius + short_vector + bands, rel=1e-9)
