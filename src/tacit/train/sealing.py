"""Encryption of a file of any size: AES-256-GCM in pieces that can be neither altered, cut short, reordered nor exchanged.

Source: the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizar 2015, eprint 2015/189, section 7). Every file has a key of its
own, HKDF-SHA-256 (RFC 5869) of the master key over 32 fresh bytes, so no nonce meets a key twice however many files are written.
"""

import os
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_SALT, _TAG = 32, 16  # bytes
_PIECE = 1 << 24  # bytes of plain text in a piece; the last may be shorter


def sealed(plain: bytes, key: bytes, name: str) -> bytes:
    """Return the encryption of `plain`, bound to `name`. key -- 32 bytes."""
    salt = os.urandom(_SALT)
    cipher, view = _cipher(key, salt, name), memoryview(plain)
    pieces = [view[start : start + _PIECE] for start in range(0, len(view), _PIECE)] or [view]
    return salt + b"".join(
        cipher.encrypt(nonce, bytes(piece), None) for nonce, piece in zip(_nonces(len(pieces)), pieces, strict=True)
    )


def opened(content: bytes, key: bytes, name: str) -> bytes | None:
    """Return what `sealed` was given, or None when the content, the key or the name is another."""
    salt, body, size = content[:_SALT], memoryview(content)[_SALT:], _PIECE + _TAG
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    if len(salt) < _SALT or not pieces:
        return None
    cipher = _cipher(key, salt, name)
    try:
        return b"".join(
            cipher.decrypt(nonce, bytes(piece), None) for nonce, piece in zip(_nonces(len(pieces)), pieces, strict=True)
        )
    except InvalidTag:
        return None


def _cipher(key: bytes, salt: bytes, name: str) -> AESGCM:
    info = b"tacit checkpoint " + name.encode()
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(key))


def _nonces(count: int) -> Iterator[bytes]:
    """Yield 12 bytes for each piece: its number, and whether it is the last."""
    for number in range(count):
        yield number.to_bytes(11, "big") + bytes([number == count - 1])
