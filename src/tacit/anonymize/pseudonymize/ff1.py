"""FF1: encryption from texts of n numerals onto texts of n numerals, many at once.

Source: NIST SP 800-38G (2016), algorithms 7 and 8, on AES. Every round runs on all values together: one AES call, then
whole-number arithmetic on arrays, in uint64 where halves stay below 2^56 and in Python's integers beyond.

Domains below a million are refused: there, tables of the whole domain and message-recovery attacks are in reach (Hoang,
Tessaro & Trieu 2018, doi:10.1007/978-3-319-96884-1_8); SP 800-38G Rev. 1 (second public draft, February 2025) requires it. That
draft drops FF3 and FF3-1 after Beyne 2021 (doi:10.1007/978-3-030-84242-0_3), so neither is offered here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from tacit.errors import ConfigError, PrivacyError, ShapeError

LEAST_DOMAIN = 1_000_000
LARGEST_RADIX = 1 << 16
_ROUNDS = 10
_BLOCK = 16
_WORD_LIMIT = 1 << 56  # a remainder below it, times 256, fits in uint64
_BATCH = 1 << 17

Numerals = NDArray[np.int64]
Numbers = NDArray[Any]  # uint64, or Python's integers as objects


def encrypt(numerals: Numerals, *, key: bytes, radix: int, tweak: bytes = b"") -> Numerals:
    """Return the encrypted numerals, shape (count, n) as given, each again in 0..radix - 1.

    numerals -- shape (count, n), whole numbers in 0..radix - 1; radix^n >= 1,000,000.
    key      -- 16, 24 or 32 bytes, for AES; tweak -- public; other tweaks give other permutations.
    Raises PrivacyError for a domain below a million values, ShapeError or ConfigError for what does not fit.
    """
    return _in_batches(numerals, key, radix, tweak, back=False)


def decrypt(numerals: Numerals, *, key: bytes, radix: int, tweak: bytes = b"") -> Numerals:
    """Return the numerals that `encrypt` was given. Another key gives other numerals, not an error."""
    return _in_batches(numerals, key, radix, tweak, back=True)


def check_domain(radix: int, length: int) -> None:
    """Raise PrivacyError unless texts of `length` numerals have at least a million values."""
    if radix**length < LEAST_DOMAIN:
        least = next(n for n in range(2, 21) if radix**n >= LEAST_DOMAIN)
        raise PrivacyError(
            f"format-preserving encryption of {length} characters out of {radix} has {radix**length} possible values, fewer than "
            f"{LEAST_DOMAIN}: all of them can be tried. Use tokens, or values of at least {least} characters."
        )


def _in_batches(numerals: Numerals, key: bytes, radix: int, tweak: bytes, *, back: bool) -> Numerals:
    if not (isinstance(radix, int) and 2 <= radix <= LARGEST_RADIX):
        raise ConfigError(
            f"radix must be a whole number from 2 to {LARGEST_RADIX}, got {radix!r}: it is how many numerals exist."
        )
    if len(key) not in (16, 24, 32):
        raise ConfigError(f"an AES key has 16, 24 or 32 bytes, got {len(key)}. Derive one of 32.")
    if numerals.ndim != 2 or numerals.shape[1] < 2:
        raise ShapeError(f"numerals must have shape (count, n) with n >= 2, got {numerals.shape}: one text per row.")
    check_domain(radix, numerals.shape[1])
    if numerals.size and (int(numerals.min()) < 0 or int(numerals.max()) >= radix):
        raise ConfigError(f"numerals must lie in 0..{radix - 1}: others have no place in the domain. Check the alphabet.")
    pieces = [numerals[start : start + _BATCH] for start in range(0, len(numerals), _BATCH)]
    done = [_feistel(piece, key, radix, tweak, back=back) for piece in pieces]
    return np.concatenate(done) if done else numerals.copy()


def _feistel(numerals: Numerals, key: bytes, radix: int, tweak: bytes, *, back: bool) -> Numerals:
    """Run the ten rounds on the numbers of the two halves, of u = floor(n / 2) and v = n - u numerals."""
    length = numerals.shape[1]
    u = length // 2
    moduli = (radix**u, radix ** (length - u))
    kind = np.uint64 if moduli[1] <= _WORD_LIMIT else object
    left, right = _numbers(numerals[:, :u], radix, kind), _numbers(numerals[:, u:], radix, kind)
    one_round = _round_function(key, radix, tweak, length)
    for number in reversed(range(_ROUNDS)) if back else range(_ROUNDS):
        modulus = moduli[number % 2]
        if back:
            left, right = (right + (modulus - one_round(number, left, modulus))) % modulus, left
        else:
            left, right = right, (left + one_round(number, right, modulus)) % modulus
    return np.hstack([_numerals(left, radix, u), _numerals(right, radix, length - u)])


def _round_function(key: bytes, radix: int, tweak: bytes, length: int) -> Callable[[int, Numbers, int], Numbers]:
    """Return the map (round i, numbers, modulus) -> y mod modulus of steps 6.i to 6.iv, all numbers at once."""
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    width = ((radix ** (length - length // 2) - 1).bit_length() + 7) // 8  # b: bytes of the longer half's number
    taken = 4 * ((width + 3) // 4) + 4  # d: bytes of S that make y

    def aes(blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.frombuffer(cipher.update(np.ascontiguousarray(blocks).tobytes()), np.uint8).reshape(-1, _BLOCK)

    head = bytes((1, 2, 1)) + radix.to_bytes(3, "big") + bytes((_ROUNDS, length // 2 % 256))
    head += length.to_bytes(4, "big") + len(tweak).to_bytes(4, "big")
    start = aes(np.frombuffer(head, np.uint8))
    padded = tweak + bytes((-len(tweak) - width - 1) % _BLOCK)

    def one_round(number: int, half: Numbers, modulus: int) -> Numbers:
        front = np.frombuffer(padded + bytes((number,)), np.uint8)
        message = np.hstack([np.broadcast_to(front, (len(half), len(front))), _bytes(half, width)])
        state = np.broadcast_to(start, (len(half), _BLOCK))
        for at in range(0, message.shape[1], _BLOCK):
            state = aes(state ^ message[:, at : at + _BLOCK])
        stream = [state]
        for block in range(1, -(-taken // _BLOCK)):
            stream.append(aes(state ^ np.frombuffer(block.to_bytes(_BLOCK, "big"), np.uint8)))
        return _remainder(np.hstack(stream)[:, :taken], modulus, half.dtype)

    return one_round


def _numbers(digits: Numerals, radix: int, kind: Any) -> Numbers:
    """Return the number that each row of digits writes, most significant first."""
    numbers = np.zeros(len(digits), dtype=np.uint64).astype(kind)
    for column in digits.T:
        numbers = numbers * radix + (column.astype(np.uint64) if kind is np.uint64 else column.astype(object))
    return numbers


def _numerals(numbers: Numbers, radix: int, length: int) -> Numerals:
    """Return the `length` digits of each number, shape (count, length)."""
    digits = np.empty((len(numbers), length), dtype=np.int64)
    for place in reversed(range(length)):
        digits[:, place] = (numbers % radix).astype(np.int64)
        numbers = numbers // radix
    return digits


def _bytes(numbers: Numbers, width: int) -> NDArray[np.uint8]:
    """Return each number as `width` bytes, most significant first, shape (count, width)."""
    if numbers.dtype == np.uint64:
        return numbers.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - width :]
    joined = b"".join(int(number).to_bytes(width, "big") for number in numbers)
    return np.frombuffer(joined, np.uint8).reshape(-1, width)


def _remainder(stream: NDArray[np.uint8], modulus: int, kind: np.dtype[Any]) -> Numbers:
    """Return the number that each row of bytes writes, modulo modulus."""
    if kind != np.uint64:
        return np.array([int.from_bytes(row.tobytes(), "big") % modulus for row in stream], dtype=object)
    words, shift = (np.ascontiguousarray(stream).view(">u4"), 32) if modulus <= 1 << 32 else (stream, 8)
    rest = np.zeros(len(stream), dtype=np.uint64)
    for column in words.T:
        rest = ((rest << np.uint64(shift)) | column.astype(np.uint64)) % np.uint64(modulus)
    return rest
