"""Payment cards and bank accounts."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.identify.recognizers.digits import letters, luhn
from tacit.anonymize.identify.recognizers.recognizer import Mask, Recognizer, within

LENGTHS = {
    15: "NO",
    16: "BE",
    18: "DK FK FI FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
"""Characters of an IBAN by country: the IBAN registry (SWIFT, ISO 13616)."""

_LENGTH = {country: length for length, countries in LENGTHS.items() for country in countries.split()}
_LONGEST = 34


def iban(values: pa.Array) -> Mask:
    """Return which texts pass the IBAN check: a registered length for the country, and ISO 7064 MOD 97-10 (ISO 13616)."""
    tight = pc.ascii_upper(pc.replace_substring_regex(values, "[^0-9A-Za-z]", ""))
    length = np.asarray(pc.utf8_length(tight).to_numpy(zero_copy_only=False))
    known = np.array([_LENGTH.get(country, 0) for country in pc.utf8_slice_codeunits(tight, 0, 2).to_pylist()], dtype=np.int64)
    turned = pc.binary_join_element_wise(pc.utf8_slice_codeunits(tight, 4), pc.utf8_slice_codeunits(tight, 0, 4), "")
    rest = np.zeros(len(tight), dtype=np.int64)
    for column in letters(turned, _LONGEST).T:
        rest = (rest * np.where(column >= 10, 100, 10) + column) % 97
    return np.asarray((rest == 1) & (length == known))


CARD = Recognizer(
    kind="card",
    whole=r"[0-9]([ -]?[0-9]){11,18}",
    inside=within(r"[0-9](?:[ -]?[0-9]){11,18}"),
    screen=r"[0-9]([ -]?[0-9]){11}",
    alone=0.4,
    valid=luhn,
    checked=0.9,
    check="Luhn check digit",
    chance=0.1,
    said=("card", "visa", "mastercard", "amex", "kreditkarte", "carte", "tarjeta"),
)
IBAN = Recognizer(
    kind="iban",
    whole=r"[A-Za-z]{2}[0-9]{2}( ?[0-9A-Za-z]){11,30}",
    inside=within(
        r"[A-Za-z]{2}[0-9]{2}(?:[0-9A-Za-z]{11,30}| [0-9A-Za-z]{4}(?: (?=[A-Za-z]{0,3}[0-9])[0-9A-Za-z]{4}){1,6}"
        r"(?: (?=[A-Za-z]{0,2}[0-9])[0-9A-Za-z]{1,3})?)"
    ),
    screen=r"[A-Za-z]{2}[0-9]{2}( ?[0-9A-Za-z]){11}",
    alone=0.6,
    valid=iban,
    checked=0.99,
    check="IBAN length and check digits",
    said=("iban",),
)
ACCOUNT = Recognizer(
    kind="account",
    inside=within(r"[0-9](?:[ -]?[0-9]){5,16}"),
    screen=r"[0-9]([ -]?[0-9]){5}",
    alone=0.1,
    said=("account no", "account number", "account #", "acct", "kontonummer", "konto-nr", "numero de compte", "sort code"),
)
