"""The transform is right at every word, and the vectors are normal.

Statistical tests fail by chance with the probability their docstring states; each shows a fault that it would see.
"""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from tacit.noise.keystream import Keystream, Reader
from tacit.noise.normal import LARGEST, TAIL_MASS, draw, missing_mass, transform
from tacit.noise.source import OsSource

mpmath.mp.dps = 60
Floats = NDArray[np.float64]
EXTREMES = [0, 1, 2, 3, 100, 2**11, 2**40, 2**52 + 1, 2**53 + 1, 2**62, 2**63 - 2, 2**63 - 1]
RADII = sorted({*EXTREMES, *(-a - 1 for a in EXTREMES), -(2**63)})
ANGLES = sorted(
    {*EXTREMES, *(-b for b in EXTREMES), -(2**63), 2**61, -(2**61), 3 * 2**61, 2**62 + 1, 2**62 - 1, 12345678901234567}
)


def pairs_from(a: ArrayLike, b: ArrayLike, f: ArrayLike, spread: float = 1.0) -> tuple[Floats, Floats]:
    """Return (r sin, r cos) for lists of words, through the code that production uses."""
    k = np.size(a)
    words = np.empty(18 * k, dtype=np.uint8)
    words[: 8 * k].view(np.int64)[:], words[8 * k : 16 * k].view(np.int64)[:] = a, b
    words[16 * k :].view(np.uint16)[:] = f
    values = transform(words, np.empty(k), spread)
    return values[:k].copy(), values[k:].copy()


def exact(a: int, b: int, f: int) -> tuple[Any, Any]:
    """The same pair in 60 digits, from the definition."""
    u = abs(mpmath.mpf(a) + mpmath.mpf(f | 1) / 2**16) / mpmath.mpf(2) ** 63
    r, angle = mpmath.sqrt(-2 * mpmath.log(u)), 2 * mpmath.pi * mpmath.mpf(b) / mpmath.mpf(2) ** 64
    return r, angle


def test_every_extreme_word_gives_the_exact_pair() -> None:
    """Off by at most 2^-49 of the radius in direction, and 2^-50 (1 + r^2) in squared radius."""
    words = [(a, b, f) for a in RADII for b in ANGLES for f in (0, 1, 30_000, 65_535)]
    a, b, f = zip(*words, strict=True)
    sines, cosines = pairs_from(a, b, f)
    radii: dict[tuple[int, int], Any] = {}
    directions: dict[int, Any] = {}
    for word, sine, cosine in zip(words, sines, cosines, strict=True):
        radial, turn = (word[0], word[2]), word[1]
        if radial not in radii:
            radii[radial] = exact(word[0], 0, word[2])[0]
        if turn not in directions:
            angle = exact(1, turn, 0)[1]
            directions[turn] = mpmath.sin(angle), mpmath.cos(angle)
        r, (sin, cos) = radii[radial], directions[turn]
        radius = mpmath.hypot(sine, cosine)
        assert abs(radius**2 - r**2) <= 2.0**-50 * (1 + r**2)
        assert mpmath.hypot(sine - radius * sin, cosine - radius * cos) <= 2.0**-49 * radius


def test_values_of_nine_sigma_and_more_are_right_to_twelve_digits() -> None:
    words = [(a, b, f) for a in range(-40, 40) for b in (0, 2**40, 2**55, 2**62, -(2**62), -(2**63)) for f in (0, 999, 65_535)]
    a, b, f = zip(*words, strict=True)
    sines, cosines = pairs_from(a, b, f)
    seen = 0
    for word, sine, cosine in zip(words, sines, cosines, strict=True):
        r, angle = exact(*word)
        for value, true in ((sine, r * mpmath.sin(angle)), (cosine, r * mpmath.cos(angle))):
            if abs(true) >= 9:
                seen += 1
                assert abs(value / true - 1) <= 1e-12
    assert seen > 500


def test_the_innermost_words_give_the_largest_value_and_no_infinity() -> None:
    sines, cosines = pairs_from([0, -1, 0, -1], [0, 0, 2**62, -(2**62)], [0, 65_535, 1, 65_534])
    np.testing.assert_allclose(np.hypot(sines, cosines), LARGEST, rtol=1e-15)
    np.testing.assert_allclose([cosines[0], cosines[1], sines[2], -sines[3]], LARGEST, rtol=1e-15)


def test_random_words_match_an_independent_box_muller() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.integers(-(2**63), 2**63 - 1, (2, 20_000), endpoint=True)
    f = rng.integers(0, 65_536, 20_000)
    sines, cosines = pairs_from(a, b, f, spread=3.0)
    radius = 3.0 * np.sqrt(-2 * np.log(np.abs(a + (f | 1) / 65_536) / 2.0**63))
    angle = 2 * np.pi * (b / 2.0**64)
    np.testing.assert_allclose(sines, radius * np.sin(angle), rtol=0, atol=2e-14)
    np.testing.assert_allclose(cosines, radius * np.cos(angle), rtol=0, atol=2e-14)


def tail_share(z: float, places: int) -> float:
    """P(r cos > z) / P(N(0, 1) > z) when u takes the odd multiples of 2^-places: summed over every value of u beyond z."""
    cells = math.floor((math.exp(-z * z / 2) * 2.0**places + 1) / 2)
    u = (2 * np.arange(cells, dtype=np.float64) + 1) * 2.0**-places
    beyond = np.arccos(np.minimum(1.0, z / np.sqrt(-2 * np.log(u)))) / np.pi
    return float(beyond.sum() * 2.0 ** (1 - places) / (special.erfc(z / math.sqrt(2)) / 2))


@pytest.mark.parametrize("z", [8.8, 9.0, 9.2])
def test_the_tail_of_the_transforms_own_law_is_right_at_nine_sigma(z: float) -> None:
    """Deterministic. With 53-bit uniforms the same sum would end before 8.6 sigma."""
    assert tail_share(z, 79) == pytest.approx(1, abs=1e-6)
    assert tail_share(z, 53) == 0


def test_the_missing_mass_is_that_of_the_innermost_cell() -> None:
    """P(R > r) = exp(-r^2 / 2) for a normal pair; the cell u < 2^-78 is the one whose only value is 2^-79."""
    assert float(mpmath.exp(-(mpmath.mpf(LARGEST) ** 2) / 2) * 2**79) == pytest.approx(1, rel=1e-12)
    assert TAIL_MASS * 2**78 == 1
    assert missing_mass(2) == missing_mass(1) == TAIL_MASS
    assert missing_mass(2**40) == 2.0**-39
    assert missing_mass(0) == 0
    assert missing_mass(3) == 2 * TAIL_MASS


def largest_cdf_gap(sample: Floats, scale: float) -> float:
    """Largest gap between empirical and normal distribution function at 8,191 points; never above the gap over all points."""
    edges = scale * special.ndtri(np.arange(1, 8192) / 8192)
    below = np.cumsum(np.histogram(sample, np.concatenate([[-np.inf], edges]))[0]) / len(sample)
    return float(np.abs(below - special.ndtr(edges / scale)).max())


def test_the_values_are_standard_normal() -> None:
    """Fails by chance with probability <= 1e-9 (Dvoretzky-Kiefer-Wolfowitz-Massart, any n). A scale 1 % off is seen."""
    n, chance = 8_000_000, 1e-9
    sample = OsSource.from_os().normal(n)
    bound = math.sqrt(math.log(2 / chance) / (2 * n))  # 0.00116
    assert largest_cdf_gap(sample, 1.0) <= bound
    assert largest_cdf_gap(sample, 1.01) > bound
    assert largest_cdf_gap(sample, 0.99) > bound
    assert largest_cdf_gap(sample + 0.01, 1.0) > bound


def chi_square_p(counts: Any, expected: Any) -> float:
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return float(stats.chi2.sf(statistic, counts.size - 1))


def test_equally_likely_bins_are_equally_full() -> None:
    """Fails by chance with probability 1e-7 (chi-square, 1,024 bins, 2^22 values). Values rounded to 8 binary places are seen."""
    sample = OsSource.from_os().normal(2**22)

    def p_value(values: Floats) -> float:
        counts = np.bincount((special.ndtr(values) * 1024).astype(np.int64), minlength=1024)
        return chi_square_p(counts, len(values) / 1024)

    assert p_value(sample) > 1e-7
    assert p_value(np.rint(sample * 256) / 256) < 1e-12
    assert p_value(sample * 1.01) < 1e-7


def test_moments_are_those_of_a_normal() -> None:
    """Fails by chance with probability <= 1e-8: each of four moments within 6 standard errors."""
    n = 8_000_000
    sample = OsSource.from_os().normal(n)
    powers = [float(np.mean(sample**k)) for k in (1, 2, 3, 4)]
    variances = [1, 2, 15, 96]  # Var z^k = (2k-1)!! - ((k-1)!!)^2 for even k, (2k-1)!! for odd k
    for power, value, variance in zip(powers, [0, 1, 0, 3], variances, strict=True):
        assert abs(power - value) <= 6 * math.sqrt(variance / n)
    assert abs(np.mean((1.005 * sample) ** 2) - 1) > 6 * math.sqrt(2 / n)


@pytest.mark.parametrize("sigmas", [3.0, 4.0, 4.5])
def test_tail_counts_are_those_of_a_normal(sigmas: float) -> None:
    """Fails by chance with probability 1e-8 (exact binomial). A tail cut at the bound is seen."""
    n = 8_000_000
    beyond = int((np.abs(OsSource.from_os().normal(n)) > sigmas).sum())
    chance = math.erfc(sigmas / math.sqrt(2))
    assert stats.binomtest(beyond, n, chance).pvalue > 1e-8
    assert stats.binomtest(0, n, chance).pvalue < 1e-8


def joint_p_value(first: Floats, second: Floats) -> float:
    """P-value of a chi-square test of independence on 32 x 32 equally likely cells."""
    cells = (special.ndtr(first) * 32).astype(np.int64) * 32 + (special.ndtr(second) * 32).astype(np.int64)
    return chi_square_p(np.bincount(cells, minlength=1024), len(first) / 1024)


CHUNK = 2**15  # values of one chunk: its first half holds the sines, its second half the cosines of the same pairs


def test_the_two_values_of_a_pair_are_independent() -> None:
    """Fails by chance with probability 1e-7. A direction confined to half the circle is seen, and so is one radius for both."""
    chunks = OsSource.from_os().normal(128 * CHUNK).reshape(128, 2, CHUNK // 2)
    sines, cosines = chunks[:, 0].ravel(), chunks[:, 1].ravel()
    assert joint_p_value(sines, cosines) > 1e-7
    assert joint_p_value(sines, np.abs(cosines) * np.sign(sines)) < 1e-12
    radius = np.hypot(sines, cosines)
    assert joint_p_value(sines, cosines / radius * radius[0]) < 1e-12


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_parts_of_a_vector_drawn_by_different_threads_are_independent(threads: int) -> None:
    """Fails by chance with probability 3e-7. Threads that read the same stretch of the stream would be seen at once."""
    sample = OsSource.from_os().normal(64 * CHUNK, threads=threads).reshape(4, -1)
    assert joint_p_value(sample[0], sample[1]) > 1e-7
    assert joint_p_value(sample[1], sample[3]) > 1e-7
    assert joint_p_value(sample[0], sample[0]) < 1e-12


def test_neighbouring_values_are_uncorrelated() -> None:
    """Fails by chance with probability <= 1e-8: 5.9 standard errors at five lags."""
    sample = OsSource.from_os().normal(2**21)
    for lag in (1, 2, CHUNK // 2, CHUNK, 2 * CHUNK):
        assert abs(float(np.mean(sample[lag:] * sample[:-lag]))) < 6.2 / math.sqrt(len(sample) - lag)


def test_rounded_normals_have_the_probabilities_of_their_bins() -> None:
    """Fails by chance with probability 1e-7 (chi-square). A scale 1 % off is seen."""
    n, spread = 2**22, 5.0
    sample = OsSource.from_os().rounded_normal(n, scale=1.25, step=0.25)
    units = np.arange(-20, 21)

    def p_value(values: Floats, spread: float) -> float:
        inner = special.ndtr((units + 0.5) / spread) - special.ndtr((units - 0.5) / spread)
        shares = np.append(inner, 1 - inner.sum())
        counts = np.array([*(np.sum(values == unit) for unit in units), np.sum(np.abs(values) > 20)])
        return chi_square_p(counts, shares * n)

    assert p_value(sample, spread) > 1e-7
    assert p_value(sample, spread * 1.01) < 1e-7
    np.testing.assert_array_equal(sample, np.rint(sample))


def test_a_vector_takes_the_same_number_of_words_whatever_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a vector must not depend on its values: no rejection, 18 bytes for each pair."""
    taken: list[int] = []
    fill = Reader.fill

    def counted(reader: Reader, out: NDArray[np.uint8]) -> None:
        taken.append(len(out))
        fill(reader, out)

    monkeypatch.setattr(Reader, "fill", counted)
    for count in (1, 2, 7, CHUNK, CHUNK + 1, 5 * CHUNK + 12):
        for _ in range(5):
            taken.clear()
            OsSource.from_os().normal(count)
            assert sum(taken) == 18 * math.ceil(count / 2)


def test_chunks_do_not_overlap_in_the_stream() -> None:
    """Every chunk is the transform of its own stretch of the stream: 18,432 blocks each."""
    key, out = bytes(range(32)), np.empty(3 * CHUNK + 100)
    draw(Keystream(bytearray(key)), out, threads=2)
    for chunk, pairs in enumerate([CHUNK // 2] * 3 + [50]):
        words = np.empty(18 * pairs, dtype=np.uint8)
        Keystream(bytearray(key)).at(chunk * 18_432).fill(words)
        np.testing.assert_array_equal(out[chunk * CHUNK :][: 2 * pairs], transform(words, np.empty(pairs), 1.0))


@pytest.mark.slow
def test_a_thousand_million_draws_fill_their_bins_evenly() -> None:
    """Fails by chance with probability <= 2e-7: chi-square over 4,096 bins and tail counts up to 6.5 sigma, on 2^30 draws."""
    source, size, rounds = OsSource.from_os(), 2**22, 256
    counts, beyond = np.zeros(4096, dtype=np.int64), np.zeros(5, dtype=np.int64)
    sigmas, values = np.array([4.5, 5.0, 5.5, 6.0, 6.5]), np.empty(size)
    for _ in range(rounds):
        source.normal(size, threads=2, out=values)
        counts += np.bincount((special.ndtr(values) * 4096).astype(np.int64), minlength=4096)
        far = np.abs(values[np.abs(values) > 4.5])
        beyond += (far[:, None] > sigmas).sum(axis=0)
    assert chi_square_p(counts, size * rounds / 4096) > 1e-7
    for sigma, count in zip(sigmas, beyond, strict=True):
        assert stats.binomtest(int(count), size * rounds, math.erfc(sigma / math.sqrt(2))).pvalue > 2e-8
