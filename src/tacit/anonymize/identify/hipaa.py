"""HIPAA's eighteen identifiers as a coverage report: each found in some column, not found, or not looked for.

Source: 45 CFR 164.514(b)(2)(i), items (A) to (R).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tacit.anonymize.identify.finding import ColumnFinding

FOUND, NOT_FOUND, NOT_LOOKED_FOR = "found", "not found", "not looked for"


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """What the scan can say of one of the eighteen identifiers.

    letter, identifier -- as in the regulation. status -- "found", "not found" or "not looked for".
    columns -- where it was found, with "(inside)" after a column of free text. how -- what was looked at.
    """

    letter: str
    identifier: str
    status: str
    columns: tuple[str, ...]
    how: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item:
    """One identifier: the kinds of findings that are it, and whether values are looked at or column names alone."""

    identifier: str
    kinds: frozenset[str]
    how: str
    values: bool = True


_NAMES_ALONE = "column names alone"


def _item(identifier: str, kinds: str, how: str, *, values: bool = True) -> _Item:
    return _Item(identifier=identifier, kinds=frozenset(kinds.split(", ")), how=how, values=values)


ITEMS: dict[str, _Item] = {
    "A": _item(
        "names",
        "name, user name",
        "column names, shape of whole values, the list given; inside texts after titles and by the list",
    ),
    "B": _item(
        "places smaller than a state",
        "address, place, postcode, location",
        "column names, postcodes with telling shapes, coordinates; no street names",
    ),
    "C": _item("dates but the year, ages over 89", "date, date of birth, age", "column names, types, shapes; inside texts"),
    "D": _item("telephone numbers", "phone", "column names, shapes; inside texts"),
    "E": _item("fax numbers", "fax", "column names; in values a fax number counts as a telephone number"),
    "F": _item("e-mail addresses", "e-mail", "column names, shapes; inside texts"),
    "G": _item("social security numbers", "ssn", "column names, shapes; inside texts"),
    "H": _item("medical record numbers", "medical record", "column names; inside texts after words that announce one"),
    "I": _item("health plan numbers", "health plan", "column names; inside texts after words that announce one"),
    "J": _item("account numbers", "account, iban, card", "column names, IBAN and card numbers; inside texts"),
    "K": _item("certificate and licence numbers", "licence", "column names; inside texts after words that announce one"),
    "L": _item(
        "vehicle numbers and plates", "vehicle", "column names, identification numbers, plates of five countries; inside texts"
    ),
    "M": _item("device identifiers", "device", "column names, MAC addresses; inside texts"),
    "N": _item("web addresses", "url", "column names, shapes; inside texts"),
    "O": _item("IP addresses", "ip", "column names, shapes; inside texts"),
    "P": _item("biometric identifiers", "biometric", _NAMES_ALONE, values=False),
    "Q": _item("photographs of faces", "photograph", _NAMES_ALONE, values=False),
    "R": _item(
        "any other unique number",
        "identifier, national number, passport, nearly unique, genetic",
        "column names, national numbers, UUIDs, distinctness",
    ),
}


def hipaa_coverage(findings: Sequence[ColumnFinding]) -> tuple[Coverage, ...]:
    """Return one row for each of the eighteen identifiers, (A) to (R).

    findings -- of `identify_columns`. "not found" means that what the row says was looked at shows none; it is no proof.
    """
    return tuple(_coverage(letter, item, findings) for letter, item in ITEMS.items())


def _coverage(letter: str, item: _Item, findings: Sequence[ColumnFinding]) -> Coverage:
    own = [one.column for one in findings if one.kind in item.kinds]
    inside = [f"{one.column} (inside)" for one in findings if item.kinds & set(one.inside)]
    columns = (*own, *inside)
    status = FOUND if columns else NOT_FOUND if item.values else NOT_LOOKED_FOR
    return Coverage(letter=letter, identifier=item.identifier, status=status, columns=columns, how=item.how)
