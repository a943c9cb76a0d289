"""Check digits, all values at once: digits as a matrix, and the schemes that several numbers share."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.identify.recognizers.recognizer import Mask

Digits = NDArray[np.int64]


def digits(values: pa.Array, width: int) -> Digits:
    """Return the digits of texts, right-aligned in `width` columns, shape (values, width); longer texts lose their front."""
    return _signs(pc.replace_substring_regex(values, "[^0-9]", ""), width) - ord("0")


def letters(values: pa.Array, width: int) -> Digits:
    """Return letters and digits of texts as 0..9 and A = 10 to Z = 35, right-aligned, shape (values, width)."""
    codes = _signs(pc.ascii_upper(pc.replace_substring_regex(values, "[^0-9A-Za-z]", "")), width)
    return np.where(codes >= ord("A"), codes - ord("A") + 10, codes - ord("0"))


def _signs(ascii_texts: pa.Array, width: int) -> Digits:
    padded = pc.utf8_slice_codeunits(pc.utf8_lpad(ascii_texts, width, "0"), -width)  # all of one length: one block of bytes
    joined = "".join(padded.to_pylist()).encode("ascii")
    return np.frombuffer(joined, np.uint8).reshape(len(padded), width).astype(np.int64)


def luhn_digits(matrix: Digits) -> Mask:
    """Return which rows of digits pass the Luhn check (ISO/IEC 7812-1, annex B)."""
    doubled = matrix[:, -2::-2] * 2
    total = matrix[:, ::-2].sum(axis=1) + (doubled - 9 * (doubled > 9)).sum(axis=1)
    return np.asarray((total % 10 == 0) & matrix.any(axis=1))


def luhn(values: pa.Array) -> Mask:
    """Return which texts pass the Luhn check on their digits; separators are skipped."""
    return luhn_digits(digits(values, 19))


def mod_11_10(matrix: Digits) -> Mask:
    """Return which rows of digits pass ISO 7064, MOD 11,10."""
    product = np.full(len(matrix), 10)
    for column in matrix[:, :-1].T:
        total = (column + product) % 10
        product = np.where(total == 0, 10, total) * 2 % 11
    return np.asarray((product + matrix[:, -1]) % 10 == 1)


_DIHEDRAL = np.array(
    [[(a + b) % 5 + 5 * (b >= 5) if a < 5 else (a - b) % 5 + 5 * (b < 5) for b in range(10)] for a in range(10)], dtype=np.int64
)
"""Multiplication of the dihedral group of order ten: 0..4 rotations, 5..9 reflections."""

_PERMUTATION = np.array([1, 5, 7, 6, 2, 8, 3, 0, 9, 4], dtype=np.int64)


def verhoeff(matrix: Digits) -> Mask:
    """Return which rows of digits pass Verhoeff's check (Error Detecting Decimal Codes, 1969)."""
    state = np.zeros(len(matrix), dtype=np.int64)
    power = np.arange(10)
    for column in matrix[:, ::-1].T:
        state = _DIHEDRAL[state, power[column]]
        power = _PERMUTATION[power]
    return np.asarray(state == 0)


def number(matrix: Digits) -> Digits:
    """Return the whole numbers that rows of at most 18 digits write, shape (values,)."""
    total = np.zeros(len(matrix), dtype=np.int64)
    for column in matrix.T:
        total = total * 10 + column
    return total


def is_day(day: Digits, month: Digits) -> Mask:
    """Return where (day, month) can be a date of some year."""
    longest = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    known = (month >= 1) & (month <= 12)
    return np.asarray(known & (day >= 1) & (day <= longest[np.where(known, month, 0)]))
