"""Checks of national numbers whose check sign is a letter, or that are written with letters; each with its source."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.identify.recognizers.digits import Digits, digits, is_day, letters, number
from tacit.anonymize.identify.recognizers.recognizer import Mask, matches


def _last(values: pa.Array) -> pa.Array:
    return pc.utf8_slice_codeunits(pc.ascii_upper(values), -1)


def _equal(signs: str, place: Digits, found: pa.Array) -> Mask:
    """Return where signs[place] is the text found."""
    return np.asarray(pc.equal(pa.array(list(signs)).take(pa.array(place)), found).to_numpy(zero_copy_only=False))


def nir(values: pa.Array) -> Mask:
    """France, social security number: 97 minus the thirteen signs modulo 97; Corsica's 2A is 19 and 2B is 18 (INSEE)."""
    corsica = pc.replace_substring_regex(pc.replace_substring_regex(values, "2[Aa]", "19"), "2[Bb]", "18")
    d = digits(corsica, 15)
    return np.asarray(number(d[:, 13:]) == 97 - number(d[:, :13]) % 97)


def dni(values: pa.Array) -> Mask:
    """Spain, DNI and NIE: the letter tells the number modulo 23; X, Y, Z at the front are 0, 1, 2."""
    upper = pc.ascii_upper(values)
    for letter, digit in (("X", "0"), ("Y", "1"), ("Z", "2")):
        upper = pc.replace_substring_regex(upper, f"^{letter}", digit)
    return _equal("TRWAGMYFPDXBNJZSQVHLCKE", number(digits(upper, 8)) % 23, _last(values))


_ODD = np.array([1, 0, 5, 7, 9, 13, 15, 17, 19, 21], dtype=np.int64)
_ODD_LETTER = np.array(
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23], dtype=np.int64
)


def codice_fiscale(values: pa.Array) -> Mask:
    """Italy, tax code: values of odd places by a table, of even places in order, modulo 26 (D.M. 23 December 1976)."""
    signs = letters(values, 16)
    odd, even = signs[:, 0:15:2], signs[:, 1:15:2]
    total = np.concatenate([_ODD, _ODD_LETTER])[odd].sum(axis=1) + np.where(even >= 10, even - 10, even).sum(axis=1)
    return np.asarray(total % 26 == signs[:, 15] - 10)


def hetu(values: pa.Array) -> Mask:
    """Finland, personal identity code: the nine digits modulo 31 as one of 31 signs, and a possible day of birth."""
    before = digits(pc.utf8_slice_codeunits(values, 0, -1), 9)  # the sign between them says the century
    possible = is_day(number(before[:, :2]), number(before[:, 2:4]))
    return _equal("0123456789ABCDEFHJKLMNPRSTUVWXY", number(before) % 31, _last(values)) & possible


def resident_identity(values: pa.Array) -> Mask:
    """China, resident identity number: ISO 7064 MOD 11-2 (GB 11643-1999), and a possible day of birth."""
    d = digits(pc.replace_substring_regex(values, "[Xx]$", "0"), 18)
    weights = np.array([pow(2, 17 - place, 11) for place in range(17)], dtype=np.int64)
    possible = is_day(number(d[:, 12:14]), number(d[:, 10:12]))
    return _equal("10X98765432", d[:, :17] @ weights % 11, _last(values)) & possible


def pps(values: pa.Array) -> Mask:
    """Ireland, personal public service number: weights 8 to 2, and 9 for a second letter (W or none is 0), modulo 23."""
    upper = pc.ascii_upper(values)
    d = digits(pc.utf8_slice_codeunits(upper, 0, 7), 7)
    second = pc.fill_null(pc.index_in(pc.utf8_slice_codeunits(upper, 8, 9), pa.array(list("ABCDEFGHIJKLMNOPQRSTUV"))), -1)
    rest = (d @ np.arange(8, 1, -1) + 9 * (np.asarray(second.to_numpy(zero_copy_only=False), dtype=np.int64) + 1)) % 23
    return _equal("WABCDEFGHIJKLMNOPQRSTUV", rest, pc.utf8_slice_codeunits(upper, 7, 8))


def nino(values: pa.Array) -> Mask:
    """United Kingdom, national insurance number with a prefix that is issued (HMRC manual NIM39110)."""
    tight = pc.ascii_upper(pc.replace_substring_regex(values, " ", ""))
    return matches(tight, "^[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]") & ~matches(tight, "^(BG|GB|KN|NK|NT|TN|ZZ)")
