"""Replacing values by keyed stand-ins: tokens, format-preserving encryption, shifted dates, fake values, and the way back.

Each is the same for one value, key and scope in every table and run. None is anonymity: rows stay rows of one person.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.anonymize.pseudonymize.date_shift import DateShift
    from tacit.anonymize.pseudonymize.fake_values import FakeValues
    from tacit.anonymize.pseudonymize.fake_words import FAMILY_NAMES, GIVEN_NAMES, PLACES
    from tacit.anonymize.pseudonymize.format_preserving import FormatPreserving
    from tacit.anonymize.pseudonymize.keys import Key, load_or_create_key
    from tacit.anonymize.pseudonymize.look_up import LookUp, extend_look_up, open_look_up
    from tacit.anonymize.pseudonymize.replaced import Replaced
    from tacit.anonymize.pseudonymize.tokens import Pseudonyms

_PUBLIC = {
    "FAMILY_NAMES": "fake_words",
    "GIVEN_NAMES": "fake_words",
    "PLACES": "fake_words",
    "DateShift": "date_shift",
    "FakeValues": "fake_values",
    "FormatPreserving": "format_preserving",
    "Key": "keys",
    "LookUp": "look_up",
    "Pseudonyms": "tokens",
    "Replaced": "replaced",
    "extend_look_up": "look_up",
    "load_or_create_key": "keys",
    "open_look_up": "look_up",
}

__all__ = [
    "FAMILY_NAMES",
    "GIVEN_NAMES",
    "PLACES",
    "DateShift",
    "FakeValues",
    "FormatPreserving",
    "Key",
    "LookUp",
    "Pseudonyms",
    "Replaced",
    "extend_look_up",
    "load_or_create_key",
    "open_look_up",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
