"""The keystream: AES-256 in counter mode over zeros, read from its start to its end."""

from types import TracebackType
from typing import Any, Self

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from tacit.errors import ConfigError, PrivacyError

_ZERO = memoryview(bytes(18 << 14))  # what is encrypted: 288 KiB of zeros, small enough to stay in the second-level cache
_NONCE = bytes(12)  # every key is used for one stream


class Keystream:
    """AES-256-CTR over zeros: block i of 16 bytes is AES(key, 12 bytes of zero | i + 2 in 4 bytes, big-endian); for one thread.

    This is what GCM encrypts with (NIST SP 800-38D, sections 6.5 and 7.1), and GCM draws it: processors have wider instructions for it
    than OpenSSL's plain counter mode uses, so it takes half the time, its tag, which nobody asks for, and all. A stream has at most
    2^32 - 2 blocks, 64 GiB.

    key -- 32 secret bytes, for this stream alone; owned by it from here on, and overwritten with zeros by `erase` (or on leaving `with`).
           OpenSSL clears its own expanded copy when the stream is dropped.
    Source: the tests hold it against a published block of McGrew & Viega's GCM, and against plain counter mode, which they hold against NIST's
    vectors (SP 800-38A, F.5.5).
    """

    __slots__ = ("_encryptor", "_key")

    def __init__(self, key: bytearray) -> None:
        if len(key) != 32:
            raise ConfigError(f"an AES-256 key has 32 bytes, got {len(key)}. Derive one with SHA-256.")
        self._key = key
        self._encryptor: Any = Cipher(algorithms.AES256(key), modes.GCM(_NONCE)).encryptor()

    def fill(self, out: NDArray[np.uint8]) -> None:
        """Fill out, shape (bytes,), contiguous, with the next bytes of the stream. Raises PrivacyError after `erase`, and at the stream's end."""
        if self._encryptor is None:
            raise PrivacyError(
                "this noise stream has ended and its key is gone. Every release takes a stream of its own from its source."
            )
        for start in range(0, len(out), len(_ZERO)):
            piece = out[start : start + len(_ZERO)]
            try:
                self._encryptor.update_into(_ZERO[: len(piece)], piece)
            except ValueError:
                raise PrivacyError(
                    "a noise stream ends after 64 GiB, seven thousand million values of one release; further ones would repeat. Release the "
                    "vector in parts."
                ) from None

    def erase(self) -> None:
        """Overwrite the key; nothing more can be read."""
        self._key[:] = bytes(len(self._key))
        self._encryptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.erase()

    def __repr__(self) -> str:
        return "Keystream(AES-256-CTR)"
