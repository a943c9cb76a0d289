"""The transform is right at every word, and the vectors are normal.

Statistical tests fail by chance with the probability their docstring states; each shows a fault that it would see.
"""

import math
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from noise.libraries import LIBRARIES, torch_threads
from tacit.errors import ConfigError, PrivacyError
from tacit.noise import GridVector
from tacit.noise.arithmetic import Library
from tacit.noise.keystream import Keystream
from tacit.noise.normal import CHUNK_PAIRS, LARGEST, TAIL_MASS, Draws, missing_mass, transform
from tacit.noise.source import OsSource, SeededSource

mpmath.mp.dps = 60
Floats = NDArray[np.float64]
EXTREMES = [0, 1, 2, 3, 100, 2**11, 2**40, 2**52 + 1, 2**53 + 1, 2**62, 2**63 - 2, 2**63 - 1]
RADII = sorted({*EXTREMES, *(-a - 1 for a in EXTREMES), -(2**63)})
ANGLES = sorted(
    {*EXTREMES, *(-b for b in EXTREMES), -(2**63), 2**61, -(2**61), 3 * 2**61, 2**62 + 1, 2**62 - 1, 12345678901234567}
)


def packed(a: ArrayLike, b: ArrayLike, f: ArrayLike) -> NDArray[np.uint8]:
    """Return the keystream that holds these words."""
    k = np.size(a)
    words = np.empty(18 * k, dtype=np.uint8)
    words[: 8 * k].view(np.int64)[:], words[8 * k : 16 * k].view(np.int64)[:] = a, b
    words[16 * k :].view(np.uint16)[:] = f
    return words


def transformed(words: NDArray[np.uint8], by: Library, *, spread: float = 1.0, count: int | None = None) -> Floats:
    """Return the values of a keystream, 18 bytes for each pair, through the code that production uses."""
    pairs = len(words) // 18
    values = np.empty(2 * pairs if count is None else count)
    transform(words.copy(), np.empty(pairs), spread, values, by)
    return values


def pairs_from(a: ArrayLike, b: ArrayLike, f: ArrayLike, by: Library, *, spread: float = 1.0) -> tuple[Floats, Floats]:
    """Return (r sin, r cos) for lists of words."""
    values = transformed(packed(a, b, f), by, spread=spread)
    return values[: np.size(a)], values[np.size(a) :]


def random_words(pairs: int) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, 18 * pairs, dtype=np.uint8)


def exact(a: int, b: int, f: int) -> tuple[Any, Any]:
    """The radius and the angle of the same pair in 60 digits, from the definition."""
    u = abs(mpmath.mpf(a) + mpmath.mpf(f | 1) / 2**16) / mpmath.mpf(2) ** 63
    r, angle = mpmath.sqrt(-2 * mpmath.log(u)), 2 * mpmath.pi * mpmath.mpf(b) / mpmath.mpf(2) ** 64
    return r, angle


@cache
def exact_radius(a: int, f: int) -> Any:
    return exact(a, 0, f)[0]


@cache
def exact_direction(b: int) -> tuple[Any, Any]:
    angle = exact(1, b, 0)[1]
    return mpmath.sin(angle), mpmath.cos(angle)


@pytest.mark.parametrize("by", LIBRARIES)
def test_every_extreme_word_gives_the_exact_pair(by: Library) -> None:
    """Off by at most 2^-49 of the radius in direction, and 2^-50 (1 + r^2) in squared radius."""
    words = [(a, b, f) for a in RADII for b in ANGLES for f in (0, 1, 30_000, 65_535)]
    a, b, f = zip(*words, strict=True)
    sines, cosines = pairs_from(a, b, f, by)
    for word, sine, cosine in zip(words, sines, cosines, strict=True):
        r, (sin, cos) = exact_radius(word[0], word[2]), exact_direction(word[1])
        radius = mpmath.hypot(sine, cosine)
        assert abs(radius**2 - r**2) <= 2.0**-50 * (1 + r**2)
        assert mpmath.hypot(sine - radius * sin, cosine - radius * cos) <= 2.0**-49 * radius


@pytest.mark.parametrize("by", LIBRARIES)
def test_values_of_nine_sigma_and_more_are_right_to_twelve_digits(by: Library) -> None:
    words = [(a, b, f) for a in range(-40, 40) for b in (0, 2**40, 2**55, 2**62, -(2**62), -(2**63)) for f in (0, 999, 65_535)]
    a, b, f = zip(*words, strict=True)
    sines, cosines = pairs_from(a, b, f, by)
    seen = 0
    for word, sine, cosine in zip(words, sines, cosines, strict=True):
        r, angle = exact(*word)
        for value, true in ((sine, r * mpmath.sin(angle)), (cosine, r * mpmath.cos(angle))):
            if abs(true) >= 9:
                seen += 1
                assert abs(value / true - 1) <= 1e-12
    assert seen > 500


@pytest.mark.parametrize("by", LIBRARIES)
def test_the_innermost_words_give_the_largest_value_and_no_infinity(by: Library) -> None:
    sines, cosines = pairs_from([0, -1, 0, -1], [0, 0, 2**62, -(2**62)], [0, 65_535, 1, 65_534], by)
    np.testing.assert_allclose(np.hypot(sines, cosines), LARGEST, rtol=1e-15)
    np.testing.assert_allclose([cosines[0], cosines[1], sines[2], -sines[3]], LARGEST, rtol=1e-15)


@pytest.mark.parametrize("by", LIBRARIES)
def test_random_words_match_an_independent_box_muller(by: Library) -> None:
    rng = np.random.default_rng(7)
    a, b = rng.integers(-(2**63), 2**63 - 1, (2, 20_000), endpoint=True)
    f = rng.integers(0, 65_536, 20_000)
    sines, cosines = pairs_from(a, b, f, by, spread=3.0)
    radius = 3.0 * np.sqrt(-2 * np.log(np.abs(a + (f | 1) / 65_536) / 2.0**63))
    angle = 2 * np.pi * (b / 2.0**64)
    np.testing.assert_allclose(sines, radius * np.sin(angle), rtol=0, atol=2e-14)
    np.testing.assert_allclose(cosines, radius * np.cos(angle), rtol=0, atol=2e-14)


@pytest.mark.parametrize("by", LIBRARIES)
def test_random_words_give_the_exact_pair(by: Library) -> None:
    """The stated accuracy, at 400 words of every size: radii from 2^-63 to 1 in u, angles of every kind."""
    rng = np.random.default_rng(3)
    a, b = rng.integers(-(2**63), 2**63 - 1, (2, 400), endpoint=True)
    a >>= rng.integers(0, 64, 400)
    f = rng.integers(0, 65_536, 400)
    sines, cosines = pairs_from(a, b, f, by)
    for word, sine, cosine in zip(zip(a.tolist(), b.tolist(), f.tolist(), strict=True), sines, cosines, strict=True):
        r, angle = exact(*word)
        radius = mpmath.hypot(sine, cosine)
        assert abs(radius**2 - r**2) <= 2.0**-50 * (1 + r**2)
        assert mpmath.hypot(sine - radius * mpmath.sin(angle), cosine - radius * mpmath.cos(angle)) <= 2.0**-49 * radius


@pytest.mark.parametrize("pairs", [1, 2, 3, 7, 1000, CHUNK_PAIRS["numpy"] + 1, CHUNK_PAIRS["torch"], CHUNK_PAIRS["torch"] + 1])
def test_torch_gives_the_values_of_numpy_to_their_last_places(pairs: int) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    words = random_words(pairs)
    ours, theirs = (transformed(words, by, spread=3.0) for by in ("numpy", "torch"))
    radius = np.tile(np.hypot(ours[:pairs], ours[pairs:]), 2)
    assert (np.abs(ours - theirs) <= 8 * 2.0**-52 * radius).all()


@pytest.mark.parametrize("by", LIBRARIES)
@pytest.mark.parametrize("pairs", [1, 2, 500, CHUNK_PAIRS["torch"]])
def test_an_odd_length_leaves_the_last_value_away_and_changes_no_other(by: Library, pairs: int) -> None:
    words = random_words(pairs)
    np.testing.assert_array_equal(transformed(words, by, count=2 * pairs - 1), transformed(words, by)[:-1])


@pytest.mark.parametrize("count", [1, 2, 3, 40_001, 2 * CHUNK_PAIRS["torch"], 2 * CHUNK_PAIRS["torch"] + 1, 300_001])
def test_the_number_of_torchs_threads_changes_no_bit(count: int) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    vectors = []
    for threads in (1, 2, 3):
        with torch_threads(threads):
            vectors.append(SeededSource(3).normal(count, spread=5.0, by="torch"))
    for vector in vectors:
        assert vector.shape == (count,)
        np.testing.assert_array_equal(vector, vectors[0])


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


@pytest.fixture(scope="module", params=LIBRARIES)
def many(request: pytest.FixtureRequest) -> Floats:
    """Eight million values, which several tests look at: each fails by chance as rarely as it says."""
    values = OsSource.from_os().normal(8_000_000, by=request.param)
    values.flags.writeable = False
    return values


def test_the_values_are_standard_normal(many: Floats) -> None:
    """Fails by chance with probability <= 1e-9 (Dvoretzky-Kiefer-Wolfowitz-Massart, any n). A scale 1 % off is seen."""
    n, chance = len(many), 1e-9
    bound = math.sqrt(math.log(2 / chance) / (2 * n))  # 0.00116
    assert largest_cdf_gap(many, 1.0) <= bound
    assert largest_cdf_gap(many, 1.01) > bound
    assert largest_cdf_gap(many, 0.99) > bound
    assert largest_cdf_gap(many + 0.01, 1.0) > bound


def chi_square_p(counts: Any, expected: Any) -> float:
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return float(stats.chi2.sf(statistic, counts.size - 1))


def test_equally_likely_bins_are_equally_full(many: Floats) -> None:
    """Fails by chance with probability 1e-7 (chi-square, 1,024 bins, 2^22 values). Values rounded to 8 binary places are seen."""
    sample = many[: 2**22]

    def p_value(values: Floats) -> float:
        counts = np.bincount((special.ndtr(values) * 1024).astype(np.int64), minlength=1024)
        return chi_square_p(counts, len(values) / 1024)

    assert p_value(sample) > 1e-7
    assert p_value(np.rint(sample * 256) / 256) < 1e-12
    assert p_value(sample * 1.01) < 1e-7


def test_moments_are_those_of_a_normal(many: Floats) -> None:
    """Fails by chance with probability <= 1e-8: each of four moments within 6 standard errors."""
    n, square = len(many), many * many
    powers = [float(np.mean(one)) for one in (many, square, many * square, square * square)]
    variances = [1, 2, 15, 96]  # Var z^k = (2k-1)!! - ((k-1)!!)^2 for even k, (2k-1)!! for odd k
    for power, value, variance in zip(powers, [0, 1, 0, 3], variances, strict=True):
        assert abs(power - value) <= 6 * math.sqrt(variance / n)
    assert abs(1.005**2 * powers[1] - 1) > 6 * math.sqrt(2 / n)


@pytest.mark.parametrize("sigmas", [3.0, 4.0, 4.5])
def test_tail_counts_are_those_of_a_normal(sigmas: float, many: Floats) -> None:
    """Fails by chance with probability 1e-8 (exact binomial). A tail cut at the bound is seen."""
    n = len(many)
    beyond = int((np.abs(many) > sigmas).sum())
    chance = math.erfc(sigmas / math.sqrt(2))
    assert stats.binomtest(beyond, n, chance).pvalue > 1e-8
    assert stats.binomtest(0, n, chance).pvalue < 1e-8


def joint_p_value(first: Floats, second: Floats) -> float:
    """P-value of a chi-square test of independence on 32 x 32 equally likely cells."""
    cells = (special.ndtr(first) * 32).astype(np.int64) * 32 + (special.ndtr(second) * 32).astype(np.int64)
    return chi_square_p(np.bincount(cells, minlength=1024), len(first) / 1024)


CHUNK = {by: 2 * pairs for by, pairs in CHUNK_PAIRS.items()}
"""Values of one chunk: its first half holds the sines, its second half the cosines of the same pairs."""


@pytest.mark.parametrize("by", LIBRARIES)
def test_the_two_values_of_a_pair_are_independent(by: Library) -> None:
    """Fails by chance with probability 1e-7. A direction confined to half the circle is seen, and so is one radius for both."""
    chunks = OsSource.from_os().normal(2**21, by=by).reshape(-1, 2, CHUNK_PAIRS[by])
    sines, cosines = chunks[:, 0].ravel(), chunks[:, 1].ravel()
    assert joint_p_value(sines, cosines) > 1e-7
    assert joint_p_value(sines, np.abs(cosines) * np.sign(sines)) < 1e-12
    radius = np.hypot(sines, cosines)
    assert joint_p_value(sines, cosines / radius * radius[0]) < 1e-12


@pytest.mark.parametrize("by", LIBRARIES)
def test_parts_of_a_vector_and_pieces_of_a_release_are_independent(by: Library) -> None:
    """Fails by chance with probability 3e-7. Chunks or pieces that read the same stretch of the stream would be seen at once."""
    with OsSource.from_os().draws(by=by) as draws:
        one, other = (draws.normal(4 * CHUNK["torch"]).reshape(2, -1) for _ in range(2))
    assert joint_p_value(one[0], one[1]) > 1e-7
    assert joint_p_value(one[0], other[0]) > 1e-7
    assert joint_p_value(one[1], other[0]) > 1e-7
    assert joint_p_value(one[0], one[0]) < 1e-12


@pytest.mark.parametrize("by", LIBRARIES)
def test_neighbouring_values_are_uncorrelated(by: Library) -> None:
    """Fails by chance with probability <= 1e-8: 6.2 standard errors at five lags."""
    sample = OsSource.from_os().normal(2**21, by=by)
    for lag in (1, 2, CHUNK[by] // 2, CHUNK[by], 2 * CHUNK[by]):
        assert abs(float(np.mean(sample[lag:] * sample[:-lag]))) < 6.2 / math.sqrt(len(sample) - lag)


@pytest.mark.parametrize("by", LIBRARIES)
def test_noise_on_a_grid_has_the_probabilities_of_its_bins(by: Library) -> None:
    """Fails by chance with probability 1e-7 (chi-square). A scale 1 % off is seen."""
    n, spread = 2**21, 5.0
    zero = GridVector(units=np.zeros(n), step=0.25, clip_norm=1.0)
    sample = zero.plus_noise(OsSource.from_os().normal(n, spread=spread, by=by), by=by).units
    units = np.arange(-20, 21)
    counts = np.bincount(np.clip(sample, -21, 21).astype(np.int64) + 21, minlength=43)
    counts = np.append(counts[1:-1], counts[0] + counts[-1])

    def p_value(spread: float) -> float:
        inner = special.ndtr((units + 0.5) / spread) - special.ndtr((units - 0.5) / spread)
        return chi_square_p(counts, np.append(inner, 1 - inner.sum()) * n)

    assert p_value(spread) > 1e-7
    assert p_value(spread * 1.01) < 1e-7
    np.testing.assert_array_equal(sample, np.rint(sample))


@pytest.mark.parametrize("by", LIBRARIES)
def test_a_vector_takes_the_same_number_of_words_whatever_its_values(by: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a vector must not depend on its values: no rejection, 18 bytes for each pair."""
    taken: list[int] = []
    fill = Keystream.fill

    def counted(stream: Keystream, out: NDArray[np.uint8]) -> None:
        taken.append(len(out))
        fill(stream, out)

    monkeypatch.setattr(Keystream, "fill", counted)
    for count in (0, 1, 2, 7, CHUNK[by], CHUNK[by] + 1, 3 * CHUNK[by] + 12):
        for _ in range(3):
            taken.clear()
            OsSource.from_os().normal(count, by=by)
            assert sum(taken) == 18 * math.ceil(count / 2)


@pytest.mark.parametrize("by", LIBRARIES)
def test_pieces_of_one_release_share_no_words(by: Library) -> None:
    """Every chunk of every piece is the transform of its own stretch of the stream, one after the other."""
    key, chunk = bytes(range(32)), CHUNK[by]
    lengths = [5, chunk, 1, 3 * chunk + 101, 2 * chunk - 1]
    with Draws(Keystream(bytearray(key)), by=by) as draws:
        pieces = [draws.normal(length, spread=2.0) for length in lengths]
    stream = Keystream(bytearray(key))
    for piece, length in zip(pieces, lengths, strict=True):
        assert len(piece) == length
        for start in range(0, length, chunk):
            part = piece[start : start + chunk]
            words = np.empty(18 * -(-len(part) // 2), dtype=np.uint8)
            stream.fill(words)
            np.testing.assert_array_equal(part, transformed(words, by, spread=2.0, count=len(part)))


@pytest.mark.parametrize("by", LIBRARIES)
@pytest.mark.parametrize("fails", [False, True])
def test_what_a_release_was_made_from_is_zero_afterwards(by: Library, *, fails: bool) -> None:
    key = bytearray(range(32))
    memory: list[NDArray[Any]] = []
    draws = Draws(Keystream(key), by=by)
    try:
        with draws:
            for count in (1000, 20_000):  # the second needs more memory: the first is given up
                draws.normal(count)
                assert draws._words.any()
                assert draws._radius.any()
                memory += [draws._words, draws._radius]
            if fails:
                draws.normal(-1)
    except ConfigError:
        assert fails
    assert len(memory) == 4
    assert not any(one.any() for one in memory)
    assert key == bytes(32)


@pytest.mark.parametrize("by", LIBRARIES)
def test_a_release_that_is_left_hands_out_nothing_more(by: Library) -> None:
    draws, out = OsSource.from_os().draws(by=by), np.full(3, 7.0)
    with draws:
        draws.normal(3)
    with pytest.raises(PrivacyError, match="key is gone"):
        draws.normal(3, out=out)
    assert out.tolist() == [7.0, 7.0, 7.0]


@pytest.mark.slow
@pytest.mark.parametrize("by", LIBRARIES)
def test_a_thousand_million_draws_fill_their_bins_evenly(by: Library) -> None:
    """Fails by chance with probability <= 2e-7: chi-square over 4,096 bins and tail counts up to 6.5 sigma, on 2^30 draws."""
    source, size, rounds = OsSource.from_os(), 2**22, 256
    counts, beyond = np.zeros(4096, dtype=np.int64), np.zeros(5, dtype=np.int64)
    sigmas, values = np.array([4.5, 5.0, 5.5, 6.0, 6.5]), np.empty(size)
    for _ in range(rounds):
        source.normal(size, by=by, out=values)
        counts += np.bincount((special.ndtr(values) * 4096).astype(np.int64), minlength=4096)
        far = np.abs(values[np.abs(values) > 4.5])
        beyond += (far[:, None] > sigmas).sum(axis=0)
    assert chi_square_p(counts, size * rounds / 4096) > 1e-7
    for sigma, count in zip(sigmas, beyond, strict=True):
        assert stats.binomtest(int(count), size * rounds, math.erfc(sigma / math.sqrt(2))).pvalue > 2e-8
