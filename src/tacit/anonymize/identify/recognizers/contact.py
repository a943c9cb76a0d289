"""How people are reached: e-mail addresses, web addresses, telephone numbers."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.identify.recognizers.recognizer import Mask, Recognizer, matches

_NAME = "0-9A-Za-z¡-￿"  # letters of any script of the basic plane, in domains and before the @
_FREE, _ENDED = r"(?<![0-9A-Za-z.+-])(?<![0-9][,/:])", r"(?![0-9A-Za-z]|[-.,/:][0-9])"  # not a part of a longer number
_EXTENSION = r"(?: ?(?:x|ext\.?|#) ?[0-9]{1,6})?"


def digits_of_phone(values: pa.Array) -> Mask:
    """Return which texts hold 7 to 15 digits (ITU-T E.164), an extension left out."""
    main = pc.replace_substring_regex(values, r" ?(x|ext\.?|#) ?[0-9]+$", "")
    count = np.asarray(pc.utf8_length(pc.replace_substring_regex(main, "[^0-9]", "")).to_numpy(zero_copy_only=False))
    return np.asarray((count >= 7) & (count <= 15) & ~matches(main, r"^0+[^1-9]*$"))


E_MAIL = Recognizer(
    kind="e-mail",
    whole=r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+",
    inside=rf"(?<![{_NAME}._%+-])[{_NAME}._%+'&=/!#$*?^`{{|}}~-]{{1,64}}@[{_NAME}-]{{1,63}}(?:\.[{_NAME}-]{{1,63}}){{1,8}}",
    screen="@",
    alone=0.99,
)
URL = Recognizer(
    kind="url",
    whole=r"((https?|ftp)://|www\.)\S+",
    inside=r"(?<![0-9A-Za-z])(?:[Hh][Tt][Tt][Pp][Ss]?://|[Ff][Tt][Pp]://|[Ww][Ww][Ww]\.)[^\s<>\"]{0,2000}[^\s<>\".,;:!?)\]'}]/?",
    screen=r"(?i)://|www\.",
    alone=0.8,
)
PHONE = Recognizer(
    kind="phone",
    whole=r"(\+[0-9]{1,3}|00[0-9]{1,3}|\([0-9]+\)|0[0-9]+|[0-9]{3}[-. ])[-./ ()0-9]*[0-9]( ?(x|ext\.?|#) ?[0-9]+)?",
    inside=rf"{_FREE}(?:"
    r"\+[0-9](?:[-./ ]{0,2}\(?[-./ ]?[0-9]\)?){6,14}"  # +44 20 7946 0000, +46 (0)8 928 571 38
    r"|00[1-9](?:[-./ ]{0,2}\(?[0-9]\)?){7,14}"  # 001-748-088-2851
    r"|\([0-9]{2,5}\)[-. ]{0,2}[0-9](?:[-. ]?[0-9]){4,9}"  # (202) 555-0123
    r"|0[1-9](?:[-. /]?[0-9]){6,10}"  # 07700 063 966, 06-10446904
    r"|(?:1[-. ])?[0-9]{3}[-. ][0-9]{3}[-. ][0-9]{4}"  # 202-555-0123
    r"|[0-9]{3}[-. ][0-9]{4}"  # 555-0123
    r"|[0-9]{2,3}(?:[-. ][0-9]{2,3}){2,4}"  # 50-98-28-96, 73 448 266
    rf"){_EXTENSION}{_ENDED}",
    screen=r"[0-9]([-./ ()]{0,4}[0-9]){6}",
    alone=0.6,
    valid=digits_of_phone,
    checked=0.85,
    check="7 to 15 digits",
    chance=0.3,
)
BARE_PHONE = Recognizer(
    kind="phone",
    name="number that words call a telephone number",
    inside=rf"{_FREE}(?:[1-9][0-9]{{6,11}}|[0-9]{{4}}[- ][0-9]{{4}}|[0-9]{{2}}[- ][0-9]{{2}}[- ][0-9]{{2}}"
    rf"|[0-9]{{2,3}}[- ][0-9]{{5,7}}){_EXTENSION}{_ENDED}",
    screen=r"[0-9][- ]?[0-9][- ]?[0-9]{2}[- ]?[0-9]{2}",
    alone=0.1,
    said=(
        "phone",
        "telephone",
        "tel",
        "mobile",
        "cell",
        "fax",
        "call",
        "dial",
        "reach",
        "answering",
        "office",
        "sms",
        "telefon",
        "handy",
    ),
)
