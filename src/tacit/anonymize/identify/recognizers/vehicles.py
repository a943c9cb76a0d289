"""Vehicles: identification numbers and registration plates."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.identify.recognizers.digits import letters
from tacit.anonymize.identify.recognizers.recognizer import Mask, Recognizer, matches, within

_VALUES = np.array([*range(10), *(1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 0, 7, 0, 9, 2, 3, 4, 5, 6, 7, 8, 9)], dtype=np.int64)
"""Value of 0..9 and A..Z in the check digit of a vehicle identification number; I, O and Q do not occur in one."""

_WEIGHTS = np.array([8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2], dtype=np.int64)


def vin(values: pa.Array) -> Mask:
    """Return which vehicle identification numbers have the right check digit, the ninth (49 CFR 565.15; North America)."""
    signs = letters(values, 17)
    check = pc.utf8_slice_codeunits(pc.ascii_upper(values), 8, 9).to_pylist()
    rest = _VALUES[signs] @ _WEIGHTS % 11
    return np.array([one == ("X" if due == 10 else str(due)) for one, due in zip(check, rest, strict=True)], dtype=bool)


def has_both(values: pa.Array) -> Mask:
    """Return which texts hold letters and digits."""
    return matches(values, "[0-9]") & matches(values, "[A-Za-z]")


VIN = Recognizer(
    kind="vehicle",
    name="vehicle identification number",
    whole="[A-HJ-NPR-Za-hj-npr-z0-9]{8}[0-9Xx][A-HJ-NPR-Za-hj-npr-z0-9]{4}[0-9]{4}",
    inside=within("[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{4}[0-9]{4}"),
    screen="[A-HJ-NPR-Z0-9]{13}[0-9]{4}",
    alone=0.45,
    valid=lambda values: vin(values) & has_both(values),
    checked=0.92,
    check="check digit",
    chance=0.09,
    said=("vin", "chassis", "fahrgestellnummer"),
)
_PLATE = (  # United Kingdom, France and Italy, Germany, Spain
    "[A-Z]{2}[0-9]{2} ?[A-Z]{3}|[A-Z]{2}[- ]?[0-9]{3}[- ]?[A-Z]{2}|[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} ?[0-9]{1,4}[EH]?|"
    "[0-9]{4} ?[BCDFGHJKLMNPRSTVWXYZ]{3}"
)
PLATE = Recognizer(
    kind="vehicle",
    name="registration plate",
    whole=_PLATE,
    inside=within(_PLATE + "|[A-Z0-9]{2,4}[- ]?[A-Z0-9]{2,4}"),
    screen="[A-Z0-9][- ]?[A-Z0-9]",
    alone=0.35,
    said=(
        "plate",
        "registration number",
        "licence plate",
        "license plate",
        "kennzeichen",
        "immatriculation",
        "matricula",
        "targa",
    ),
)
