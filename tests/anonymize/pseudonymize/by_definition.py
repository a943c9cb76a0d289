"""What the tests of pseudonyms share."""

import hashlib


def hmac_by_definition(key: bytes, message: bytes) -> str:
    """RFC 2104 written out: H(key xor opad, H(key xor ipad, message)) with blocks of 64 bytes."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in padded) + inner).hexdigest()
