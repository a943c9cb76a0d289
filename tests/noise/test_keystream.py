"""The keystream is AES-256 in counter mode from block 2 on, however it is read, and the one that GCM encrypts with."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.keystream import Keystream

# NIST SP 800-38A (2001), F.5.5 CTR-AES256.Encrypt: key, initial counter, and the four output blocks (the keystream).
KEY = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
COUNTER = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
OUTPUT_BLOCKS = (
    "0bdf7df1591716335e9a8b15c860c5025a6e699d536119065433863c8f657b94"
    "1bc12c9c01610d5d0d8bd6a3378eca622956e1c8693536b1bee99c73a31576b6"
)
# McGrew & Viega, The Galois/Counter Mode of Operation (2005), test case 14: a zero key, a zero nonce, one block of zeros.
GCM_ZERO = "cea7403d4d606b6e074ec5d3baf39d18"

PIECE = 18 << 14  # bytes that one call of the cipher makes


def read(stream: Keystream, size: int) -> bytes:
    out = np.empty(size, dtype=np.uint8)
    stream.fill(out)
    return out.tobytes()


def counter_mode(key: bytes, size: int, counter: bytes = bytes(12) + (2).to_bytes(4, "big")) -> bytes:
    """The same stream by the library's plain counter mode."""
    return Cipher(algorithms.AES256(key), modes.CTR(counter)).encryptor().update(bytes(size))


def test_plain_counter_mode_gives_the_published_blocks() -> None:
    assert counter_mode(KEY, 64, COUNTER).hex() == OUTPUT_BLOCKS


@pytest.mark.parametrize("key", [KEY, bytes(32), bytes(range(32))], ids=["published", "zero", "counting"])
@pytest.mark.parametrize("size", [0, 1, 18, 1000, PIECE, PIECE + 1, 3 * PIECE + 40])
def test_the_stream_is_plain_counter_mode_from_counter_two(key: bytes, size: int) -> None:
    assert read(Keystream(bytearray(key)), size) == counter_mode(key, size)


def test_the_first_block_is_the_published_one_of_gcm() -> None:
    assert read(Keystream(bytearray(32)), 16).hex() == GCM_ZERO
    assert AESGCM(bytes(32)).encrypt(bytes(12), bytes(16), None)[:16].hex() == GCM_ZERO


def test_the_stream_is_what_gcm_encrypts_zeros_to() -> None:
    assert read(Keystream(bytearray(KEY)), PIECE + 100) == AESGCM(KEY).encrypt(bytes(12), bytes(PIECE + 100), None)[:-16]


@pytest.mark.parametrize("lengths", [(16, 160, 300_000, 16, 40), (1, 17, 0, PIECE, 5), (PIECE, PIECE, 1), (7,) * 50])
def test_the_pieces_in_which_a_stream_is_read_change_nothing(lengths: tuple[int, ...]) -> None:
    stream = Keystream(bytearray(KEY))
    assert b"".join(read(stream, length) for length in lengths) == counter_mode(KEY, sum(lengths))


def test_the_key_is_overwritten_when_the_stream_is_left() -> None:
    key = bytearray(KEY)
    with Keystream(key) as stream:
        assert read(stream, 16) != bytes(16)
        assert key == KEY
    assert key == bytes(32)
    key = bytearray(KEY)
    with pytest.raises(ZeroDivisionError), Keystream(key):
        _ = 1 / 0
    assert key == bytes(32)


def test_nothing_is_read_after_the_key_is_overwritten() -> None:
    stream, out = Keystream(bytearray(KEY)), np.full(16, 7, dtype=np.uint8)
    read(stream, 16)
    stream.erase()
    for size in (16, 1, 0):
        with pytest.raises(PrivacyError, match="key is gone"):
            stream.fill(out[:size])
    assert (out == 7).all()
    stream.erase()  # a second time does nothing


def test_its_representation_does_not_show_the_key() -> None:
    assert KEY.hex()[:8] not in repr(Keystream(bytearray(KEY)))


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ConfigError, match=f"32 bytes, got {length}"):
        Keystream(bytearray(length))
