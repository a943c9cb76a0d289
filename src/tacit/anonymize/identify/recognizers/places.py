"""Places: postcodes of several countries, and coordinates."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.identify.recognizers.recognizer import Mask, Recognizer, within

_BRITISH = "(?:[A-Za-z]{1,2}[0-9][A-Za-z0-9]? ?[0-9][A-Za-z]{2})"
_CANADIAN = "(?:[A-Za-z][0-9][A-Za-z] ?[0-9][A-Za-z][0-9])"
_DUTCH = "(?:[1-9][0-9]{3} [A-Z]{2})"
_IRISH = "(?:[AC-FHKNPRTV-Y][0-9][0-9W] [0-9AC-FHKNPRTV-Y]{4})"
_WITH_HYPHEN = "(?:[0-9]{5}-[0-9]{4}|[0-9]{5}-[0-9]{3}|[0-9]{2}-[0-9]{3}|[0-9]{4}-[0-9]{3})"  # US, Brazil, Poland, Portugal
_SPACED = "(?:[0-9]{3} [0-9]{2})"  # Sweden, Greece, Czechia, Slovakia
_ZIP_WORDS = ("zip", "zipcode", "postcode", "postal", "post code", "plz", "postleitzahl", "code postal", "codigo postal")


def on_earth(values: pa.Array) -> Mask:
    """Return which pairs of decimal numbers are a latitude and a longitude in degrees."""
    pairs = [one[:2] for one in pc.split_pattern_regex(pc.replace_substring_regex(values, "[^-0-9.]+", " "), " ").to_pylist()]
    return np.array([_on_earth(one) for one in pairs], dtype=bool)


def _on_earth(pair: list[str]) -> bool:
    try:
        latitude, longitude = (abs(float(one)) for one in pair)
    except ValueError:
        return True  # degrees, minutes and seconds have letters for north and east: nothing more to check
    return latitude <= 90 and longitude <= 180


POSTCODE = Recognizer(
    kind="postcode",
    name="postcode of letters and digits, or with a hyphen",
    whole=f"{_BRITISH}|{_CANADIAN}|{_DUTCH}|{_IRISH}|{_WITH_HYPHEN}",
    inside=within(
        f"[A-Z]{{1,2}}[0-9][A-Z0-9]? [0-9][A-Z]{{2}}|[A-Z][0-9][A-Z] [0-9][A-Z][0-9]|[0-9]{{5}}-[0-9]{{4}}|{_DUTCH}|{_IRISH}"
    ),
    screen="[A-Z0-9][0-9][A-Z0-9]? ?[0-9A-Z][A-Z0-9]{1,2}|[0-9]{5}-[0-9]{4}",
    alone=0.8,
)
DIGIT_POSTCODE = Recognizer(
    kind="postcode",
    name="postcode of digits",
    whole=_SPACED,
    inside=within("[0-9]{4,6}|[0-9]{3} [0-9]{2}|[0-9]{2}-[0-9]{3}|[0-9]{3,5}-[0-9]{3,4}"),
    screen="[0-9]{2}[ -]?[0-9]{2}",
    alone=0.1,
    said=_ZIP_WORDS,
)
COORDINATES = Recognizer(
    kind="location",
    name="coordinates",
    whole=r"[-+]?[0-9]{1,2}\.[0-9]{3,}[,;] ?[-+]?[0-9]{1,3}\.[0-9]{3,}|[0-9]{1,2}° ?[0-9]{1,2}['′].*[NSns].*[0-9]{1,3}° ?.*[EWew]",
    inside=r"(?<![0-9A-Za-z.])(?:[-+]?[0-9]{1,2}\.[0-9]{3,15}[,;] ?[-+]?[0-9]{1,3}\.[0-9]{3,15}"
    r"|[0-9]{1,2}° ?[0-9]{1,2}['′] ?[0-9.\"″]{0,8} ?[NS],? ?[0-9]{1,3}° ?[0-9]{1,2}['′] ?[0-9.\"″]{0,8} ?[EW])(?![0-9A-Za-z])",
    screen=r"\.[0-9]{3,}[,;] ?[-+]?[0-9]{1,3}\.[0-9]|°",
    alone=0.5,
    valid=on_earth,
    checked=0.85,
    check="latitude and longitude",
    chance=0.5,
)
