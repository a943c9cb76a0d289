"""The keystream is AES-256 in counter mode, wherever it is read from."""

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.noise.keystream import Keystream

# NIST SP 800-38A (2001), F.5.5 CTR-AES256.Encrypt: key, initial counter, and the four output blocks (the keystream).
KEY = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
COUNTER = int("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 16)
OUTPUT_BLOCKS = [
    "0bdf7df1591716335e9a8b15c860c502",
    "5a6e699d536119065433863c8f657b94",
    "1bc12c9c01610d5d0d8bd6a3378eca62",
    "2956e1c8693536b1bee99c73a31576b6",
]
PLAINTEXT = (
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
CIPHERTEXT = (
    "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
    "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"
)


def read(stream: Keystream, size: int, *, block: int = 0) -> bytes:
    out = np.empty(size, dtype=np.uint8)
    stream.at(block).fill(out)
    return out.tobytes()


def test_the_published_vectors_come_out() -> None:
    keystream = read(Keystream(bytearray(KEY), first=COUNTER), 64)
    assert keystream.hex() == "".join(OUTPUT_BLOCKS)
    mixed = bytes(a ^ b for a, b in zip(keystream, bytes.fromhex(PLAINTEXT), strict=True))
    assert mixed.hex() == CIPHERTEXT


@pytest.mark.parametrize("block", range(4))
def test_each_published_block_comes_out_when_read_from_there(block: int) -> None:
    assert read(Keystream(bytearray(KEY), first=COUNTER), 16, block=block).hex() == OUTPUT_BLOCKS[block]


def test_the_counter_carries_over_all_its_bytes() -> None:
    low, wrapped = Keystream(bytearray(KEY), first=2**128 - 1), Keystream(bytearray(KEY), first=0)
    assert read(low, 48)[16:] == read(wrapped, 32)
    assert read(Keystream(bytearray(KEY), first=2**64 - 1), 32)[16:] == read(Keystream(bytearray(KEY), first=2**64), 16)


def test_a_long_read_is_the_same_stream_as_short_ones() -> None:
    stream, size = Keystream(bytearray(KEY)), 3 * 18 * 2**14 + 40
    whole = read(stream, size)
    assert whole[160_000 : 160_000 + 992] == read(stream, 992, block=10_000)
    reader, pieces = stream.at(0), []
    for length in (16, 160, 300_000, 16, size - 300_192):
        piece = np.empty(length, dtype=np.uint8)
        reader.fill(piece)
        pieces.append(piece.tobytes())
    assert b"".join(pieces) == whole


def test_the_key_is_overwritten_when_the_stream_is_left() -> None:
    key = bytearray(KEY)
    with Keystream(key) as stream:
        assert read(stream, 16) != bytes(16)
    assert key == bytes(32)


def test_its_representation_does_not_show_the_key() -> None:
    assert KEY.hex()[:8] not in repr(Keystream(bytearray(KEY)))


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="32 bytes, got 16"):
        Keystream(bytearray(16))
