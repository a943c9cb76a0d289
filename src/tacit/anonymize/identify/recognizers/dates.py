"""Dates with a day, and ages: the elements of dates that tell people apart."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.anonymize.identify.recognizers.recognizer import Mask, Recognizer, within

_MONTH = (
    "(?:[Jj]an(?:uary|uar|vier)?|[Ff]eb(?:ruary|ruar)?|[Ff]évrier|[Mm]ar(?:ch|s)?|[Mm]ärz|[Aa]pr(?:il)?|[Aa]vril|[Mm]a[iy]|[Mm]ayo|"
    "[Jj]un(?:e|i|io)?|[Jj]uin|[Jj]ul(?:y|i|io)?|[Jj]uillet|[Aa]ug(?:ust)?|[Aa]oût|[Aa]gosto|[Ss]ep(?:t|tember|tembre)?|[Ss]eptiembre|"
    "[Oo]ct(?:ober|obre)?|[Oo]kt(?:ober)?|[Oo]ctubre|[Nn]ov(?:ember|embre)?|[Nn]oviembre|[Dd]e[cz](?:ember)?|[Dd]écembre|[Dd]iciembre|"
    "[Ee]nero|[Ff]ebrero|[Mm]arzo|[Aa]bril|[Jj]unio|[Jj]ulio)"
)
_TIME = r"(?:[T ][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
_WRITTEN = (
    rf"[0-9]{{1,2}}(?:st|nd|rd|th|\.)? (?:of |de )?{_MONTH}\.?(?:,? (?:de )?[0-9]{{4}})?"
    rf"|{_MONTH}\.? [0-9]{{1,2}}(?:st|nd|rd|th)?(?:,? [0-9]{{4}})?|{_MONTH}\.?,? [0-9]{{4}}"
)


def possible_day(values: pa.Array) -> Mask:
    """Return which dates of three numbers can be one, in some order of day, month and year."""
    parts = [
        [int(part) for part in one if part][:3]
        for one in pc.split_pattern_regex(pc.replace_substring_regex(values, "[T ].*$", ""), "[^0-9]+").to_pylist()
    ]
    return np.array([len(one) == 3 and _possible(one) for one in parts], dtype=bool)


def _possible(three: list[int]) -> bool:
    rest = three[1:] if three[0] > 31 else three[:2]
    return min(rest) >= 1 and min(rest) <= 12 and max(rest) <= 31


ISO_DATE = Recognizer(
    kind="date",
    name="date, year first",
    whole=r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}([T ].*)?",
    inside=within(rf"[0-9]{{4}}(?:-[0-9]{{1,2}}-|/[0-9]{{1,2}}/|\.[0-9]{{1,2}}\.)[0-9]{{1,2}}{_TIME}"),
    screen=r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]",
    alone=0.6,
    valid=possible_day,
    checked=0.9,
    check="day and month",
    chance=0.3,
)
DATE = Recognizer(
    kind="date",
    name="date, year last",
    whole=r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.]([0-9]{4}|[0-9]{2})([T ].*)?",
    inside=r"(?<![0-9A-Za-z.,/:-])(?:[0-9]{1,2}(?:-[0-9]{1,2}-|/[0-9]{1,2}/|\.[0-9]{1,2}\.)(?:[0-9]{4}|[0-9]{2}))"
    rf"{_TIME}(?![0-9A-Za-z]|[-.,/:][0-9])",
    screen=r"[0-9][-/.][0-9]{1,2}[-/.][0-9]{2}",
    alone=0.5,
    valid=possible_day,
    checked=0.87,
    check="day and month",
    chance=0.3,
)
WRITTEN_DATE = Recognizer(
    kind="date",
    name="date, month in words",
    whole=_WRITTEN,
    inside=within(_WRITTEN),
    screen=rf"{_MONTH}",
    alone=0.7,
)
AGE = Recognizer(
    kind="age",
    inside=r"(?<![0-9A-Za-z.,-])[0-9]{1,3}(?=[- ]?(?:(?:years?|yrs?|y)[- ]?(?:old|of age|/o)|y[./]?o\b))"
    r"|(?:(?<=\b[Aa]ge )|(?<=\b[Aa]ged )|(?<=\b[Aa]ge: )|(?<=\b[Aa]ge of )|(?<=\bAGE ))[0-9]{1,3}(?![0-9A-Za-z])",
    screen=r"(?i)old|of age|yo|y/o|y\.o|age",
    alone=0.7,
)
