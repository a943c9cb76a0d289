"""FF1 against NIST's nine samples and against the standard's algorithm written out with Python's integers."""

import math
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tacit.anonymize.pseudonymize import ff1
from tacit.errors import ConfigError, PrivacyError, ShapeError

KEY = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
TENS, ELEVENS = "39383736353433323130", "3737373770717273373737"
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"

# NIST, "FF1 samples" (csrc.nist.gov, Cryptographic Standards and Guidelines, examples with intermediate values), samples 1 to 9:
# (bytes of the AES key, radix, plaintext, tweak, ciphertext)
SAMPLES = [
    (16, 10, "0123456789", "", "2433477484"),
    (16, 10, "0123456789", TENS, "6124200773"),
    (16, 36, "0123456789abcdefghi", ELEVENS, "a9tv40mll9kdu509eum"),
    (24, 10, "0123456789", "", "2830668132"),
    (24, 10, "0123456789", TENS, "2496655549"),
    (24, 36, "0123456789abcdefghi", ELEVENS, "xbj3kv35jrawxv32ysr"),
    (32, 10, "0123456789", "", "6657667009"),
    (32, 10, "0123456789", TENS, "1001623463"),
    (32, 36, "0123456789abcdefghi", ELEVENS, "xs8a0azh2avyalyzuwd"),
]


def digits(text: str) -> Any:
    return np.array([[LETTERS.index(letter) for letter in text]])


@pytest.mark.parametrize(("size", "radix", "plain", "tweak", "sealed"), SAMPLES)
def test_nist_sample(size: int, radix: int, plain: str, tweak: str, sealed: str) -> None:
    key = bytes.fromhex(KEY)[:size]
    made = ff1.encrypt(digits(plain), key=key, radix=radix, tweak=bytes.fromhex(tweak))
    assert made.tolist() == digits(sealed).tolist()
    assert ff1.decrypt(made, key=key, radix=radix, tweak=bytes.fromhex(tweak)).tolist() == digits(plain).tolist()


def slow_ff1(x: list[int], key: bytes, radix: int, tweak: bytes) -> list[int]:
    """Algorithm 7 of SP 800-38G step by step, one text, in Python's integers and strings of digits."""

    def aes(block: bytes) -> bytes:
        return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)

    def prf(message: bytes) -> bytes:
        y = bytes(16)
        for at in range(0, len(message), 16):
            y = aes(bytes(p ^ q for p, q in zip(y, message[at : at + 16], strict=True)))
        return y

    def num(text: list[int]) -> int:
        total = 0
        for digit in text:
            total = total * radix + digit
        return total

    n, t = len(x), len(tweak)
    u = n // 2
    v = n - u
    a, b = x[:u], x[u:]
    exact_bits = next(bits for bits in range(10_000) if 2**bits >= radix**v)
    size = math.ceil(exact_bits / 8)
    d = 4 * math.ceil(size / 4) + 4
    p = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([10, u % 256]) + n.to_bytes(4, "big") + t.to_bytes(4, "big")
    for i in range(10):
        q = tweak + bytes((-t - size - 1) % 16) + bytes([i]) + num(b).to_bytes(size, "big")
        r = prf(p + q)
        s = r
        for j in range(1, math.ceil(d / 16)):
            s += aes(bytes(one ^ two for one, two in zip(r, j.to_bytes(16, "big"), strict=True)))
        y = int.from_bytes(s[:d], "big")
        m = u if i % 2 == 0 else v
        c = (num(a) + y) % radix**m
        string: list[int] = []
        for _ in range(m):
            c, digit = divmod(c, radix)
            string.insert(0, digit)
        a, b = b, string
    return a + b


# lengths on both sides of: halves of 32 bits, of 56 bits (uint64 or Python's integers), d of one AES block and of two, odd and even
CASES = [
    (2, 20),
    (2, 21),
    (2, 64),
    (2, 112),
    (2, 113),
    (2, 400),
    (10, 6),
    (10, 7),
    (10, 18),
    (10, 19),
    (10, 20),
    (10, 32),
    (10, 33),
]
CASES += [(10, 34), (10, 57), (10, 60), (26, 5), (36, 4), (62, 21), (256, 14), (65_536, 2), (65_536, 7), (65_535, 9)]


@pytest.mark.parametrize(("radix", "length"), CASES)
@pytest.mark.parametrize("tweak", [b"", b"person", bytes(40)])
def test_many_at_once_equal_the_standard_step_by_step_and_lead_back(radix: int, length: int, tweak: bytes) -> None:
    key = bytes(range(32))
    plain = np.random.default_rng(length).integers(0, radix, size=(5, length))
    plain[0], plain[1] = 0, radix - 1
    made = ff1.encrypt(plain, key=key, radix=radix, tweak=tweak)
    assert made.tolist() == [slow_ff1(row, key, radix, tweak) for row in plain.tolist()]
    assert np.array_equal(ff1.decrypt(made, key=key, radix=radix, tweak=tweak), plain)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = np.random.default_rng(1).integers(0, 10, size=(50, 9))
    whole = ff1.encrypt(plain, key=bytes(16), radix=10)
    monkeypatch.setattr(ff1, "_BATCH", 7)
    assert np.array_equal(ff1.encrypt(plain, key=bytes(16), radix=10), whole)
    assert ff1.encrypt(plain[:0], key=bytes(16), radix=10).shape == (0, 9)


@pytest.mark.parametrize(("radix", "length"), [(2, 19), (10, 5), (36, 3), (999, 2), (10, 2)])
def test_a_domain_below_a_million_is_refused_and_one_of_a_million_is_not(radix: int, length: int) -> None:
    with pytest.raises(PrivacyError, match="fewer than 1000000"):
        ff1.encrypt(np.zeros((1, length), dtype=np.int64), key=bytes(16), radix=radix)
    assert ff1.encrypt(np.zeros((1, 6), dtype=np.int64), key=bytes(16), radix=10).shape == (1, 6)
    assert ff1.encrypt(np.zeros((1, 2), dtype=np.int64), key=bytes(16), radix=1000).shape == (1, 2)


def test_what_does_not_fit_is_refused() -> None:
    fine = np.zeros((1, 6), dtype=np.int64)
    for numerals, key, radix in (
        (fine, bytes(15), 10),
        (fine, bytes(16), 65_537),
        (fine, bytes(16), 1),
        (fine + 10, bytes(16), 10),
    ):
        with pytest.raises(ConfigError):
            ff1.encrypt(numerals, key=key, radix=radix)
    for shape in ((6,), (1, 1)):
        with pytest.raises(ShapeError):
            ff1.encrypt(np.zeros(shape, dtype=np.int64), key=bytes(16), radix=10)
