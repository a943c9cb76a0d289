"""No two releases share a stream, whatever is forked, copied, threaded or restored; tests' sources say what they are."""

import contextlib
import copy
import hmac
import itertools
import math
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from noise.libraries import LIBRARIES
from tacit.errors import ConfigError, PrivacyError
from tacit.noise import GridVector, OsSource, SeededSource, Source, Zeros, keystream
from tacit.noise.arithmetic import Library


def first_words(source: Source) -> bytes:
    return bytes(source.uniform_words(4))


def repeats(streams: list[bytes]) -> int:
    """How many streams are not new. By chance two streams of 32 bytes agree with probability 2^-256."""
    return len(streams) - len(set(streams))


FORKS = """
import os, sys
from tacit.noise.source import OsSource, SeededSource
source = {source}
lines = [source.uniform_words(4).tobytes().hex()]
for child in range({forks}):
    pipe_in, pipe_out = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(pipe_out, (source.uniform_words(4).tobytes().hex() + source.normal(4).tobytes().hex()).encode())
        os._exit(0)
    os.close(pipe_out)
    with os.fdopen(pipe_in, "rb") as reader:
        text = reader.read().decode()
    os.waitpid(pid, 0)
    lines += [text[:64], text[64:]]
lines.append(source.uniform_words(4).tobytes().hex())
print("\\n".join(lines))
"""


def streams_of_forks(source: str, forks: int) -> list[bytes]:
    script = FORKS.format(source=source, forks=forks)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return [bytes.fromhex(line) for line in done.stdout.split()]


def test_two_hundred_forks_of_one_source_share_no_stream() -> None:
    streams = streams_of_forks("OsSource.from_os()", 200)
    assert len(streams) == 402
    assert repeats(streams) == 0


@pytest.mark.slow
def test_a_thousand_forks_of_one_source_share_no_stream() -> None:
    assert repeats(streams_of_forks("OsSource.from_os()", 1000)) == 0


def test_forks_of_a_source_that_is_keyed_once_would_be_noticed() -> None:
    streams = streams_of_forks("SeededSource(1)", 3)
    assert repeats(streams) == 5  # three children repeat each other, and the parent's next release repeats them


def test_threads_share_no_stream() -> None:
    source, streams = OsSource.from_os(), []

    def work() -> None:
        for _ in range(50):
            streams.append(first_words(source))
            streams.append(source.normal(4).tobytes())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(streams) == 800
    assert repeats(streams) == 0


@pytest.mark.parametrize("make", [OsSource.from_os, lambda: SeededSource(1)])
def test_no_two_vectors_are_alike_whether_of_one_release_or_of_several(make: Callable[[], Source]) -> None:
    source, streams = make(), []
    with source.draws() as one, source.draws() as other:
        for _ in range(20):
            streams += [one.normal(4).tobytes(), other.normal(4).tobytes(), source.normal(4).tobytes(), first_words(source)]
    assert len(streams) == 80
    assert repeats(streams) == 0


def test_a_release_made_piece_by_piece_keeps_the_place_where_it_was_begun() -> None:
    """Drawn last or first, its first piece is what the source would have given then; the next releases do not notice it."""
    plain, source = SeededSource(1), SeededSource(1)
    first, second, third = (plain.normal(8) for _ in range(3))
    with source.draws() as one, source.draws() as two:
        np.testing.assert_array_equal(source.normal(8), third)
        np.testing.assert_array_equal(two.normal(8), second)
        np.testing.assert_array_equal(one.normal(8), first)
        assert not np.isin(one.normal(8), [first, second, third]).any()


def restored(source: OsSource, releases: int) -> OsSource:
    """The source as a restored virtual machine holds it: same root key, same counter."""
    twin = OsSource.from_os()
    twin._root, twin._releases = source._root, itertools.count(releases)
    return twin


def test_a_restored_state_does_not_repeat_a_stream() -> None:
    source = OsSource.from_os()
    streams = [first_words(source) for _ in range(20)]
    for releases in range(20):
        streams += [first_words(restored(source, releases)) for _ in range(5)]
    assert repeats(streams) == 0


def test_counter_thread_and_clock_still_differ_where_the_operating_system_repeats_its_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = OsSource.from_os()
    monkeypatch.setattr("tacit.noise.source.os.urandom", lambda size: b"\x07" * size)
    streams = [first_words(source) for _ in range(20)]
    streams += [first_words(restored(source, release)) for release in range(20)]
    assert repeats(streams) == 0
    monkeypatch.setattr("tacit.noise.source.time.time_ns", lambda: 1)
    assert repeats([first_words(source) for _ in range(20)]) == 0
    twins = [restored(source, 0) for _ in range(3)]
    assert repeats([first_words(twin) for twin in twins]) == 2  # nothing is left that differs: the check can fail
    others: list[bytes] = []
    threads = [threading.Thread(target=lambda: others.append(first_words(restored(source, 0)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert first_words(restored(source, 0)) not in others


def test_a_release_key_is_hkdf_of_everything_that_may_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key derivation of the cryptography package (RFC 5869), independent of the one in use."""
    source = OsSource.from_os()
    monkeypatch.setattr("tacit.noise.source.os.urandom", lambda size: bytes(range(size)))
    monkeypatch.setattr("tacit.noise.source.os.getpid", lambda: 11)
    monkeypatch.setattr("tacit.noise.source.threading.get_ident", lambda: 12)
    monkeypatch.setattr("tacit.noise.source.time.time_ns", lambda: 14)
    here = b"".join(number.to_bytes(8, "little") for number in (11, 12, 0, 14))
    info = b"tacit noise release" + bytes(range(32)) + here
    key = HKDFExpand(hashes.SHA256(), 32, info).derive(source._root)
    out = np.empty(32, dtype=np.uint8)
    keystream.Keystream(bytearray(key)).fill(out)
    assert first_words(source) == out.tobytes()


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_production_source_cannot_be_copied(way: Callable[[Any], Any]) -> None:
    with pytest.raises(PrivacyError, match="root key would travel"):
        way(OsSource.from_os())


def test_a_production_source_cannot_be_seeded() -> None:
    with pytest.raises(TypeError):
        OsSource(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        OsSource.from_os(1)  # type: ignore[call-arg]


def pieces(source: Source, *lengths: int) -> None:
    with source.draws() as draws:
        for length in lengths:
            draws.normal(length)


@pytest.mark.parametrize(
    "release",
    [
        lambda source: source.uniform_words(5),
        lambda source: source.normal(5),
        lambda source: source.normal(100_000, spread=4.0),
        lambda source: pieces(source, 5, 100_000),
        lambda source: pieces(source, 5, -1),
        lambda source: source.normal(5, spread=math.nan),
    ],
)
def test_the_key_is_overwritten_after_each_release(release: Callable[[Source], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    streams = []

    class Recorded(keystream.Keystream):
        def __init__(self, key: bytearray) -> None:
            super().__init__(key)
            streams.append((key, bytes(key)))

    monkeypatch.setattr("tacit.noise.source.Keystream", Recorded)
    with contextlib.suppress(ConfigError):
        release(OsSource.from_os())
    ((after, before),) = streams
    assert before != bytes(32)
    assert after == bytes(32)


def test_uniform_words_are_uniform_in_every_byte() -> None:
    """Fails by chance with probability <= 1e-8: 2,048 byte counts, each within 6.6 standard errors."""
    counts = np.stack(
        [np.bincount(byte, minlength=256) for byte in OsSource.from_os().uniform_words(2**18).view(np.uint8).reshape(-1, 8).T]
    )
    assert np.abs(counts - 1024).max() <= 6.6 * 32


def test_a_seeded_source_repeats_itself_and_says_loudly_that_it_protects_nobody() -> None:
    first, second, other = SeededSource(5), SeededSource(5), SeededSource(6)
    sequence = [(s.uniform_words(3).tobytes(), s.normal(3).tobytes(), s.normal(3).tobytes()) for s in (first, second, other)]
    assert sequence[0] == sequence[1]
    assert repeats([*sequence[0], *sequence[2]]) == 0
    assert "PROTECTS NOBODY" in repr(first)
    assert (first.private, first.name) == (False, "seeded-test")
    assert "TESTS AND SIMULATIONS ONLY" in (SeededSource.__doc__ or "")


def test_a_seeded_vector_can_be_recomputed_from_its_definition() -> None:
    """Golden: key by hmac, words by plain counter mode from block 2 on, Box-Muller by mpmath in 60 digits, rounded there."""
    key = hmac.new(b"tacit TEST SOURCE, NOT PRIVATE", b"-2 0", "sha256").digest()
    stream = Cipher(algorithms.AES256(key), modes.CTR((2).to_bytes(16, "big"))).encryptor().update(bytes(18 * 250))
    words = struct.unpack("<250q250q250H", stream)
    sines, cosines = [], []
    with mpmath.workdps(60):
        for a, b, f in zip(words[:250], words[250:500], words[500:], strict=True):
            radius = mpmath.sqrt(-2 * mpmath.log(abs(a + mpmath.mpf(f | 1) / 2**16) / 2**63))
            sines.append(int(mpmath.nint(radius * mpmath.sinpi(mpmath.mpf(b) / 2**63) * 3000)))
            cosines.append(int(mpmath.nint(radius * mpmath.cospi(mpmath.mpf(b) / 2**63) * 3000)))
    zero = GridVector(units=np.zeros(500), step=1.0, clip_norm=1.0)
    assert zero.plus_noise(SeededSource(-2).normal(500, spread=3000.0)).units.tolist() == sines + cosines


@pytest.mark.parametrize("by", LIBRARIES)
def test_the_spread_multiplies_the_same_values(by: Library) -> None:
    normal = SeededSource(4).normal(100_000, by=by)
    for spread in (2.0**-40, 3072.0, 2.0**40):
        np.testing.assert_allclose(SeededSource(4).normal(100_000, spread=spread, by=by), spread * normal, rtol=1e-12)


@pytest.mark.parametrize("by", LIBRARIES)
def test_a_vector_is_the_only_piece_of_its_release(by: Library) -> None:
    with SeededSource(4).draws(by=by) as draws:
        np.testing.assert_array_equal(SeededSource(4).normal(50_001, spread=3.0, by=by), draws.normal(50_001, spread=3.0))


def test_zeros_adds_nothing_but_still_draws_batches() -> None:
    source = Zeros()
    assert not source.normal(1000).any()
    with source.draws() as draws:
        assert not draws.normal(1000, spread=4.0).any()
    assert repeats([first_words(source) for _ in range(3)]) == 0
    assert (source.private, source.name) == (False, "zeros")


def test_the_production_source_is_private_and_shows_no_key() -> None:
    source = OsSource.from_os()
    assert (source.private, source.name) == (True, "os-aes256-ctr")
    assert repr(source) == "OsSource()"


SOURCES = [OsSource.from_os, lambda: SeededSource(1), Zeros]


@pytest.mark.parametrize("by", LIBRARIES)
@pytest.mark.parametrize("make", SOURCES)
@pytest.mark.parametrize("count", [1, 7, 8, 300_001])
def test_every_source_writes_into_the_memory_it_is_given(make: Callable[[], Source], count: int, by: Library) -> None:
    memory = np.full(count, np.nan)
    assert make().normal(count, by=by, out=memory) is memory
    assert np.isfinite(memory).all()
    whole = np.full(count + 2, np.nan)
    with make().draws(by=by) as draws:
        assert draws.normal(count, spread=2.0, out=whole[1:-1]).base is whole
    assert np.isnan(whole).tolist() == [True, *[False] * count, True]


@pytest.mark.parametrize("make", SOURCES)
def test_every_source_hands_out_nothing_when_asked_for_nothing(make: Callable[[], Source]) -> None:
    source = make()
    assert source.normal(0).shape == source.normal(0, spread=2.0).shape == source.uniform_words(0).shape == (0,)
    with source.draws() as draws:
        assert draws.normal(0).shape == (0,)


@pytest.mark.parametrize("make", SOURCES)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": -1}, "count must be"),
        ({"count": 2.0}, "count must be"),
        ({"count": True}, "count must be"),
        ({"spread": 0.0}, "noise of spread 0.0"),
        ({"spread": -1.0}, "noise of spread -1.0"),
        ({"spread": float("nan")}, "noise of spread nan"),
        ({"spread": float("inf")}, "noise of spread inf"),
        ({"spread": 2.0**-41}, "between 2\\^-40"),
        ({"spread": 2.0**41}, "between 2\\^-40"),
        ({"out": np.empty(4)}, "out must be"),
        ({"out": np.empty(3, dtype=np.float32)}, "out must be"),
        ({"out": np.empty(6)[::2]}, "out must be"),
        ({"out": np.empty((3, 1))}, "out must be"),
        ({"out": np.frombuffer(bytes(24))}, "out must be a writeable"),
    ],
)
def test_arguments_out_of_range_are_refused(make: Callable[[], Source], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make().normal(**{"count": 3, "spread": 2.0, **arguments})
    with pytest.raises(ConfigError, match=message), make().draws() as draws:
        draws.normal(**{"count": 3, "spread": 2.0, **arguments})


@pytest.mark.parametrize("make", SOURCES[:2])
def test_an_arithmetic_that_does_not_exist_is_refused(make: Callable[[], Source]) -> None:
    with pytest.raises(ConfigError, match="'numpy' or by 'torch', got 'jax'"):
        make().normal(3, by="jax")  # type: ignore[arg-type]


def test_a_seed_must_be_a_whole_number() -> None:
    with pytest.raises(ConfigError, match="whole number"):
        SeededSource(1.5)  # type: ignore[arg-type]


def test_the_package_is_light_to_import() -> None:
    script = "import sys, tacit.noise; print(sorted({'numpy', 'torch', 'scipy', 'cryptography'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
    script = "import sys, tacit.noise.source, tacit.noise.sensitivity; print(sorted({'torch', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_every_public_name_loads() -> None:
    import tacit.noise

    for name in tacit.noise.__all__:
        assert getattr(tacit.noise, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tacit.noise.nothing
