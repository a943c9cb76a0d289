"""What values of personal data look like: shapes (RE2 regular expressions on whole values) and checksums.

A shape alone marks a value: one that fails its checksum is still treated as personal data (a protective reading; excluding
"invalid" numbers is how real ones leak). The checksum only raises confidence. Where shapes overlap, the first in `SHAPES` wins.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A kind of personal data recognized from whole values.

    kind    -- what it is called; pattern -- RE2, matched against the whole trimmed value.
    alone   -- confidence when every value has the shape, without a checksum or a telling column name; 0 <= alone <= 1.
    valid   -- checks values of the shape; None when there is nothing to check. checked -- confidence when all pass.
    check   -- the check in words.
    """

    kind: str
    pattern: str
    alone: float
    valid: Callable[[pa.Array], Mask] | None = None
    checked: float = 0.0
    check: str = ""


def luhn(values: pa.Array) -> Mask:
    """Return which texts pass the Luhn check (ISO/IEC 7812-1, annex B) on their digits; separators are skipped."""
    digits = _digit_matrix(pc.replace_substring_regex(values, "[^0-9]", ""), width=19)
    doubled = digits[:, -2::-2] * 2
    total = digits[:, ::-2].sum(axis=1) + (doubled - 9 * (doubled > 9)).sum(axis=1)
    return np.asarray((total % 10 == 0) & (digits.sum(axis=1) > 0))


def iban(values: pa.Array) -> Mask:
    """Return which texts pass the IBAN check (ISO 13616: moved four to the end, letters as 10..35, remainder 1 modulo 97)."""
    tight = pc.utf8_upper(pc.replace_substring_regex(values, "[^0-9A-Za-z]", "")).to_pylist()
    return np.array([int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1 for text in tight], dtype=bool)


def ssn(values: pa.Array) -> Mask:
    """Return which US social security numbers could have been issued: no part all zero, area not 666 or 9xx (SSA,
    since 2011), and not the one printed on millions of specimen cards."""
    tight = pc.replace_substring_regex(values, "[^0-9]", "")
    parts = [
        (pc.utf8_slice_codeunits(tight, *span), zeros) for span, zeros in (((0, 3), "000"), ((3, 5), "00"), ((5, 9), "0000"))
    ]
    issued = np.ones(len(values), dtype=bool)
    for part, zeros in parts:
        issued &= ~_matches(part, f"^{zeros}$")
    return issued & ~_matches(parts[0][0], "^(666|9..)$") & ~_matches(tight, "^078051120$")


def digits_of_phone(values: pa.Array) -> Mask:
    """Return which texts hold 7 to 15 digits (ITU-T E.164)."""
    count = np.asarray(pc.utf8_length(pc.replace_substring_regex(values, "[^0-9]", "")).to_numpy(zero_copy_only=False))
    return np.asarray((count >= 7) & (count <= 15))


_POSTCODE = "|".join(  # United States with four more digits, United Kingdom, Canada; five digits alone need a telling name
    (r"\d{5}-\d{4}", r"[A-Za-z]{1,2}\d[A-Za-z\d]? \d[A-Za-z]{2}", r"[A-Za-z]\d[A-Za-z] \d[A-Za-z]\d")
)
_WORD = r"\p{Lu}[\p{L}.'’-]*"
_PARTICLE = "van|von|der|den|de|da|del|della|di|du|la|le|el|al|bin|ibn|dos|y"
_OCTET = r"(25[0-5]|2[0-4]\d|1?\d?\d)"

SHAPES: tuple[Shape, ...] = (
    Shape(kind="e-mail", pattern=r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", alone=0.99),
    Shape(kind="ip", pattern=rf"{_OCTET}(\.{_OCTET}){{3}}", alone=0.95),
    Shape(kind="ip", pattern=r"[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){3,7}", alone=0.9),
    Shape(kind="device", pattern=r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", alone=0.9),
    Shape(kind="identifier", pattern=r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", alone=0.95),
    Shape(kind="url", pattern=r"(https?://|www\.)\S+", alone=0.8),
    Shape(
        kind="iban",
        pattern=r"[A-Za-z]{2}\d{2}( ?[0-9A-Za-z]){11,30}",
        alone=0.6,
        valid=iban,
        checked=0.99,
        check="IBAN check digits",
    ),
    Shape(kind="card", pattern=r"\d([ -]?\d){12,18}", alone=0.4, valid=luhn, checked=0.9, check="Luhn check digit"),
    Shape(kind="ssn", pattern=r"\d{3}-\d{2}-\d{4}", alone=0.85, valid=ssn, checked=0.95, check="issuable number"),
    Shape(kind="date", pattern=r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?", alone=0.9),
    Shape(kind="date", pattern=r"\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})", alone=0.85),
    Shape(
        kind="phone",
        pattern=r"(\+\d{1,3}|00\d{1,3}|\(\d+\)|0\d+|\d{3}[-. ])[-./ ()\d]*\d( ?(x|ext\.?) ?\d+)?",
        alone=0.6,
        valid=digits_of_phone,
        checked=0.85,
        check="7 to 15 digits",
    ),
    Shape(kind="postcode", pattern=_POSTCODE, alone=0.8),
    Shape(kind="name", pattern=rf"{_WORD}( ({_WORD}|{_PARTICLE})){{0,3}} {_WORD}", alone=0.6),
)


def shape_masks(values: pa.Array) -> list[Mask]:
    """Return for each of SHAPES which values have it, shape (values,); each value counts for the first shape only."""
    trimmed = pc.utf8_trim_whitespace(values)
    free = np.ones(len(values), dtype=bool)
    masks = []
    for shape in SHAPES:
        mask = free & _matches(trimmed, f"^(?:{shape.pattern})$")
        free &= ~mask
        masks.append(mask)
    return masks


def _matches(values: pa.Array, pattern: str) -> Mask:
    return np.asarray(pc.match_substring_regex(values, pattern).to_numpy(zero_copy_only=False)).astype(bool)


def _digit_matrix(values: pa.Array, width: int) -> NDArray[np.int64]:
    """Return the digits of texts, right-aligned in `width` columns, shape (values, width); longer texts lose their front."""
    padded = pc.utf8_slice_codeunits(pc.utf8_lpad(values, width, "0"), -width)
    joined = "".join(padded.to_pylist()).encode("ascii")
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(values), width).astype(np.int64) - ord("0")
