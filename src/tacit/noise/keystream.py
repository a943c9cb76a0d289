"""The keystream: AES-256 in counter mode, addressed by block, so that threads can share one release without sharing bytes."""

from types import TracebackType
from typing import Any, Self

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from tacit.errors import ConfigError

BLOCK_BYTES = 16
_ZERO = memoryview(bytes(18 << 14))  # what is encrypted: 288 KiB of zeros, small enough to stay in the second-level cache


class Keystream:
    """AES-256-CTR over zeros: block i of 16 bytes is AES(key, (first + i) mod 2^128).

    key   -- 32 secret bytes, owned by the stream from here on and overwritten with zeros by `erase` (or on leaving `with`).
             OpenSSL clears its own expanded copy when a reader is dropped.
    first -- counter of block 0; 0 <= first < 2^128.
    Source: NIST SP 800-38A, section 6.5; its vectors F.5.5 are tests of this very class.
    """

    __slots__ = ("_first", "_key")

    def __init__(self, key: bytearray, *, first: int = 0) -> None:
        if len(key) != 32:
            raise ConfigError(f"an AES-256 key has 32 bytes, got {len(key)}. Derive one with SHA-256.")
        self._key = key
        self._first = first

    def at(self, block: int) -> "Reader":
        """Return a reader that starts at this block of the stream."""
        counter = (self._first + block) % (1 << 128)
        return Reader(Cipher(algorithms.AES256(self._key), modes.CTR(counter.to_bytes(BLOCK_BYTES, "big"))).encryptor())

    def erase(self) -> None:
        """Overwrite the key; the stream is of no use afterwards."""
        self._key[:] = bytes(len(self._key))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.erase()

    def __repr__(self) -> str:
        return "Keystream(AES-256-CTR)"


class Reader:
    """Reads a keystream from one block on; for one thread."""

    __slots__ = ("_encryptor",)

    def __init__(self, encryptor: Any) -> None:
        self._encryptor = encryptor

    def fill(self, out: NDArray[np.uint8]) -> None:
        """Fill out, shape (bytes,), contiguous, with the next bytes of the stream."""
        for start in range(0, len(out), len(_ZERO)):
            piece = out[start : start + len(_ZERO)]
            self._encryptor.update_into(_ZERO[: len(piece)], piece)
