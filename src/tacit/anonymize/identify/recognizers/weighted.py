"""Checks of national numbers that are sums of weighted digits, each with its source."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.identify.recognizers.digits import Digits, digits, is_day, luhn_digits, mod_11_10, number, verhoeff
from tacit.anonymize.identify.recognizers.recognizer import Mask


def _sum(matrix: Digits, *weights: int) -> Digits:
    """Return the weighted sum of the first len(weights) digits of each row."""
    return matrix[:, : len(weights)] @ np.array(weights, dtype=np.int64)


def nhs(values: pa.Array) -> Mask:
    """United Kingdom, NHS number: weights 10 to 2, modulo 11 (NHS Data Dictionary)."""
    d = digits(values, 10)
    return np.asarray((_sum(d, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1) % 11 == 0) & d.any(axis=1))


def steuer_id(values: pa.Array) -> Mask:
    """Germany, tax identification number: MOD 11,10, and of the first ten digits exactly one occurs twice or three times."""
    d = digits(values, 11)
    often = (d[:, :10, None] == np.arange(10)).sum(axis=1)
    return np.asarray(mod_11_10(d) & (d[:, 0] != 0) & ((often > 1).sum(axis=1) == 1) & (often.max(axis=1) <= 3))


def bsn(values: pa.Array) -> Mask:
    """Netherlands, citizen service number: weights 9 to 2 and -1, modulo 11."""
    d = digits(values, 9)
    return np.asarray((_sum(d, 9, 8, 7, 6, 5, 4, 3, 2, -1) % 11 == 0) & d.any(axis=1))


def rijksregister(values: pa.Array) -> Mask:
    """Belgium, national register number: 97 minus the first nine digits modulo 97, with a 2 before them from 2000 on."""
    d = digits(values, 11)
    first, check = number(d[:, :9]), number(d[:, 9:])
    return np.asarray((check == 97 - first % 97) | (check == 97 - (first + 2_000_000_000) % 97))


def pesel(values: pa.Array) -> Mask:
    """Poland, PESEL: weights 1 3 7 9, modulo 10; the month carries the century."""
    d = digits(values, 11)
    month, day = number(d[:, 2:4]), number(d[:, 4:6])
    return np.asarray((_sum(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1) % 10 == 0) & is_day(day, month % 20))


def personnummer(values: pa.Array) -> Mask:
    """Sweden, personal identity number: Luhn over the last ten digits; 60 is added to the day of a coordination number."""
    d = digits(values, 10)
    day = number(d[:, 4:6])
    return np.asarray(luhn_digits(d) & is_day(np.where(day > 60, day - 60, day), number(d[:, 2:4])))


def fodselsnummer(values: pa.Array) -> Mask:
    """Norway, national identity number: two check digits modulo 11; 40 is added to the day of a D number."""
    d = digits(values, 11)
    day = number(d[:, :2])
    first = _sum(d, 3, 7, 6, 1, 8, 9, 4, 5, 2, 1) % 11 == 0
    second = _sum(d, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1) % 11 == 0
    return np.asarray(first & second & is_day(np.where(day > 40, day - 40, day), number(d[:, 2:4])))


def cpr(values: pa.Array) -> Mask:
    """Denmark, CPR number: a possible day; the check digit modulo 11 is no longer kept since 2007."""
    d = digits(values, 10)
    return is_day(number(d[:, :2]), number(d[:, 2:4]))


def cpf(values: pa.Array) -> Mask:
    """Brazil, CPF: two check digits modulo 11; numbers of one repeated digit are not issued."""
    d = digits(values, 11)
    first = _sum(d, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10 == d[:, 9]
    second = _sum(d, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10 == d[:, 10]
    return np.asarray(first & second & (d != d[:, :1]).any(axis=1))


def sin(values: pa.Array) -> Mask:
    """Canada, social insurance number: Luhn; none begins with 0 or 8."""
    d = digits(values, 9)
    return np.asarray(luhn_digits(d) & (d[:, 0] != 0) & (d[:, 0] != 8))


def aadhaar(values: pa.Array) -> Mask:
    """India, Aadhaar: Verhoeff's check; none begins with 0 or 1."""
    d = digits(values, 12)
    return np.asarray(verhoeff(d) & (d[:, 0] >= 2))


def tfn(values: pa.Array) -> Mask:
    """Australia, tax file number: weights 1 4 3 7 5 8 6 9 10, modulo 11."""
    d = digits(values, 9)
    return np.asarray((_sum(d, 1, 4, 3, 7, 5, 8, 6, 9, 10) % 11 == 0) & d.any(axis=1))


def resident_registration(values: pa.Array) -> Mask:
    """South Korea, resident registration number: weights 2 to 9 and 2 to 5, modulo 11; the day of birth is possible."""
    d = digits(values, 13)
    check = (11 - _sum(d, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5) % 11) % 10
    return np.asarray((check == d[:, 12]) & is_day(number(d[:, 4:6]), number(d[:, 2:4])))


def kimlik(values: pa.Array) -> Mask:
    """Turkey, identity number: two check digits modulo 10."""
    d = digits(values, 11)
    tenth = (7 * d[:, :9:2].sum(axis=1) - d[:, 1:8:2].sum(axis=1)) % 10 == d[:, 9]
    return np.asarray(tenth & (d[:, :10].sum(axis=1) % 10 == d[:, 10]) & (d[:, 0] != 0))


def ahv(values: pa.Array) -> Mask:
    """Switzerland, AHV number: 756 and the check digit of EAN-13."""
    d = digits(values, 13)
    return np.asarray((_sum(d, *(1, 3) * 6, 1) % 10 == 0) & (number(d[:, :3]) == 756))


def nif(values: pa.Array) -> Mask:
    """Portugal, tax number: weights 9 to 2, modulo 11, 10 and 11 written as 0; none begins with 0."""
    d = digits(values, 9)
    check = 11 - _sum(d, 9, 8, 7, 6, 5, 4, 3, 2) % 11
    return np.asarray((np.where(check > 9, 0, check) == d[:, 8]) & (d[:, 0] > 0))


def south_african(values: pa.Array) -> Mask:
    """South Africa, identity number: Luhn, and a possible day of birth."""
    d = digits(values, 13)
    return np.asarray(luhn_digits(d) & is_day(number(d[:, 4:6]), number(d[:, 2:4])))


def rodne_cislo(values: pa.Array) -> Mask:
    """Czechia and Slovakia, birth number of ten digits: nine of them modulo 11, 10 written as 0; 50, 20 or 70 is added to the
    month."""
    d = digits(values, 10)
    month = number(d[:, 2:4]) % 50
    possible = is_day(number(d[:, 4:6]), np.where(month > 20, month - 20, month))
    return np.asarray((number(d[:, :9]) % 11 % 10 == d[:, 9]) & possible)


def cnp(values: pa.Array) -> Mask:
    """Romania, personal numeric code: weights 2 7 9 1 4 6 3 5 8 2 7 9, modulo 11, 10 written as 1; a possible day."""
    d = digits(values, 13)
    check = _sum(d, 2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9) % 11
    possible = is_day(number(d[:, 5:7]), number(d[:, 3:5])) & (d[:, 0] > 0)
    return np.asarray((np.where(check == 10, 1, check) == d[:, 12]) & possible)


def oib(values: pa.Array) -> Mask:
    """Croatia, personal identification number: MOD 11,10."""
    return mod_11_10(digits(values, 11))


def my_number(values: pa.Array) -> Mask:
    """Japan, individual number: weights 6 5 4 3 2 7 6 5 4 3 2, modulo 11; remainders 0 and 1 give 0."""
    d = digits(values, 12)
    rest = _sum(d, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11
    return np.asarray((np.where(rest <= 1, 0, 11 - rest) == d[:, 11]) & d.any(axis=1))


def ssn(values: pa.Array) -> Mask:
    """United States, social security number that could have been issued: no part all zero, area not 666 or 9xx (SSA, since
    2011), and not the one printed on millions of specimen cards."""
    d = digits(values, 9)
    area, group, serial = number(d[:, :3]), number(d[:, 3:5]), number(d[:, 5:])
    specimen = np.asarray(pc.equal(pc.replace_substring_regex(values, "[^0-9]", ""), "078051120").to_numpy(zero_copy_only=False))
    return np.asarray((area > 0) & (area != 666) & (area < 900) & (group > 0) & (serial > 0) & ~specimen)
