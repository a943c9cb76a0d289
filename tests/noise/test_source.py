"""No two releases share a stream, whatever is forked, copied, threaded or restored; tests' sources say what they are."""

import copy
import hmac
import itertools
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

from tacit.errors import ConfigError, PrivacyError
from tacit.noise import OsSource, SeededSource, Source, Zeros, keystream


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
def test_releases_taken_beforehand_share_no_stream_and_each_serves_once(make: Callable[[], Source]) -> None:
    source = make()
    taken = [source.next_release() for _ in range(20)]
    streams = [first_words(one) for one in taken] + [first_words(source) for _ in range(20)]
    assert repeats(streams) == 0
    assert {(one.name, one.private) for one in taken} == {(source.name, source.private)}
    with pytest.raises(PrivacyError, match="asked for a second"):
        taken[0].uniform_words(1)


def test_a_release_keeps_the_place_where_it_was_taken() -> None:
    """Drawn last or first, it holds what the source would have given then."""
    plain, source = SeededSource(1), SeededSource(1)
    first, second, third = (plain.normal(8) for _ in range(3))
    one, two = source.next_release(), source.next_release()
    np.testing.assert_array_equal(source.normal(8), third)
    np.testing.assert_array_equal(two.normal(8), second)
    np.testing.assert_array_equal(one.normal(8), first)


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
    keystream.Keystream(bytearray(key)).at(0).fill(out)
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


@pytest.mark.parametrize(
    "release",
    [
        lambda source: source.uniform_words(5),
        lambda source: source.normal(5),
        lambda source: source.normal(100_000, threads=2),
        lambda source: source.rounded_normal(5, scale=1.0, step=0.25),
    ],
)
def test_the_key_is_overwritten_after_each_release(release: Callable[[Source], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    streams = []

    class Recorded(keystream.Keystream):
        def __init__(self, key: bytearray) -> None:
            super().__init__(key)
            streams.append((key, bytes(key)))

    monkeypatch.setattr("tacit.noise.source.Keystream", Recorded)
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
    """Golden: key by hmac, words by one call of the cipher, Box-Muller by mpmath in 60 digits."""
    key = hmac.new(b"tacit TEST SOURCE, NOT PRIVATE", b"-2 0", "sha256").digest()
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor().update(bytes(18 * 250))
    words = struct.unpack("<250q250q250H", stream)
    sines, cosines = [], []
    with mpmath.workdps(60):
        for a, b, f in zip(words[:250], words[250:500], words[500:], strict=True):
            radius = mpmath.sqrt(-2 * mpmath.log(abs(a + mpmath.mpf(f | 1) / 2**16) / 2**63))
            sines.append(int(mpmath.nint(radius * mpmath.sinpi(mpmath.mpf(b) / 2**63) * 3000)))
            cosines.append(int(mpmath.nint(radius * mpmath.cospi(mpmath.mpf(b) / 2**63) * 3000)))
    assert SeededSource(-2).rounded_normal(500, scale=3000.0, step=1.0).tolist() == sines + cosines


@pytest.mark.parametrize("count", [1, 2, 3, 2**15, 2**15 + 1, 200_001])
def test_any_number_of_threads_draws_the_same_vector(count: int) -> None:
    vectors = [SeededSource(3).normal(count, threads=threads) for threads in (1, 2, 3, 16)]
    for vector in vectors:
        assert vector.shape == (count,)
        np.testing.assert_array_equal(vector, vectors[0])


def test_rounded_noise_is_the_rounding_of_the_same_values() -> None:
    normal, rounded = SeededSource(4).normal(100_000), SeededSource(4).rounded_normal(100_000, scale=3.0, step=2.0**-10)
    assert np.abs(rounded - normal * 3072).max() <= 0.5 + 1e-9


def test_zeros_adds_nothing_but_still_draws_batches() -> None:
    source = Zeros()
    assert not source.normal(1000).any()
    assert not source.rounded_normal(1000, scale=2.0, step=0.5).any()
    assert repeats([first_words(source) for _ in range(3)]) == 0
    assert (source.private, source.name) == (False, "zeros")


def test_the_production_source_is_private_and_shows_no_key() -> None:
    source = OsSource.from_os()
    assert (source.private, source.name) == (True, "os-aes256-ctr")
    assert repr(source) == "OsSource()"


SOURCES = [OsSource.from_os, lambda: SeededSource(1), Zeros]


@pytest.mark.parametrize("make", SOURCES)
def test_every_source_writes_into_the_memory_it_is_given(make: Callable[[], Source]) -> None:
    memory = np.full(7, np.nan)
    assert make().normal(7, out=memory) is memory
    assert np.isfinite(memory).all()
    assert make().rounded_normal(7, scale=1.0, step=0.5, out=memory) is memory
    np.testing.assert_array_equal(memory, np.rint(memory))


@pytest.mark.parametrize("make", SOURCES)
def test_every_source_hands_out_nothing_when_asked_for_nothing(make: Callable[[], Source]) -> None:
    source = make()
    assert source.normal(0).shape == source.rounded_normal(0, scale=1.0, step=1.0).shape == source.uniform_words(0).shape == (0,)


@pytest.mark.parametrize("make", SOURCES)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": -1}, "count must be"),
        ({"count": 2.0}, "count must be"),
        ({"count": True}, "count must be"),
        ({"threads": 0}, "threads must be"),
        ({"threads": 1.5}, "threads must be"),
        ({"scale": 0.0}, "noise of scale 0.0"),
        ({"scale": -1.0}, "noise of scale -1.0"),
        ({"scale": float("nan")}, "noise of scale nan"),
        ({"scale": float("inf")}, "noise of scale inf"),
        ({"step": 0.0}, "grid of step 0.0"),
        ({"step": -0.5}, "grid of step -0.5"),
        ({"step": 2.0**-41}, "ratio between"),
        ({"out": np.empty(4)}, "out must be"),
        ({"out": np.empty(3, dtype=np.float32)}, "out must be"),
        ({"out": np.empty(6)[::2]}, "out must be"),
    ],
)
def test_arguments_out_of_range_are_refused(make: Callable[[], Source], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make().rounded_normal(**{"count": 3, "scale": 1.0, "step": 0.5, **arguments})


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
